"""Seeds follow from their parts alone, in every process; the global generators stay where they were."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from designloop.randomness import generators_of, rng_of, seed_of, seeded, torch_generator


def global_state() -> tuple[object, ...]:
    """The states of the generators that nobody may move, comparable with ==."""
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr(legacy)


def test_seeds_are_the_same_in_every_process_and_version() -> None:
    """A changed number here changes every campaign that was ever run with its seed."""
    assert seed_of(7, 3, "pool") == 8838224506665295335
    assert rng_of(7, 3, "pool").integers(1_000_000, size=3).tolist() == [896442, 202570, 649996]


PARTS = st.lists(st.integers() | st.text().filter(lambda text: "\x1f" not in text), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_seeds_tell_tasks_apart_and_fit_every_generator(first: list[int | str], other: list[int | str]) -> None:
    assert 0 <= seed_of(*first) < 2**63
    assert (seed_of(*first) == seed_of(*other)) is (list(map(str, first)) == list(map(str, other)))
    assert seed_of(*first) == seed_of(*map(str, first))
    assert seed_of(*first) != seed_of(*first, "")


def test_generators_of_a_task() -> None:
    assert rng_of(1, "a").random() == rng_of(1, "a").random() != rng_of(1, "b").random()
    first, again = (torch.randn(3, generator=torch_generator("cpu", 1, "a")) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.randn(3, generator=torch_generator("cpu", 2, "a")))


def test_both_generators_of_a_task_follow_from_the_same_parts() -> None:
    both = generators_of("cpu", 1, "a")
    assert both.numpy.random() == rng_of(1, "a").random()
    assert torch.equal(torch.randn(3, generator=both.torch), torch.randn(3, generator=torch_generator("cpu", 1, "a")))


def draws() -> list[float]:
    return [float(torch.rand(())), random.random(), float(np.random.random())]  # noqa: NPY002


def test_seeded_gives_the_same_draws_again() -> None:
    with seeded(3):
        first = draws()
    with seeded(3):
        again = draws()
    with seeded(4):
        other = draws()
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_seeded_leaves_the_global_generators_as_they_were(error: type[BaseException] | None) -> None:
    before = global_state()
    try:
        with seeded(2**62):
            draws()
            if error is not None:
                raise error
    except KeyboardInterrupt:
        pass
    assert global_state() == before


def test_a_draw_moves_the_state_that_these_tests_compare() -> None:
    before = global_state()
    draws()
    after = global_state()
    assert all(a != b for a, b in zip(before, after, strict=True))
