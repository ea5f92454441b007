"""What a campaign runs on is recorded, taken up again, and compared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from designloop.loop.environment import BLAS_THREADS, environment, take_up


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Sets back what is taken up here."""
    before = torch.get_num_threads()
    with threadpool_limits():
        yield
    torch.set_num_threads(before)


def test_the_threads_of_torch_and_of_the_linear_algebra_are_taken_up() -> None:
    for threads in (1, 2):
        assert take_up({**environment(), "threads": threads, BLAS_THREADS: threads}) == []
        assert torch.get_num_threads() == threads
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {threads}


@pytest.mark.parametrize("name", sorted(environment().keys() - {"threads", BLAS_THREADS}))
def test_whatever_differs_from_what_was_recorded_is_told(name: str) -> None:
    now = environment()
    assert take_up({**now, name: "another"}) == [f"begun with {name} another, resumed with {now[name]}"]


def test_what_a_former_version_did_not_record_is_not_compared() -> None:
    assert take_up({"threads": torch.get_num_threads(), "torch": environment()["torch"]}) == []
