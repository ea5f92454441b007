"""Strategies are found by the names of their files; seeds follow from their parts alone, in every process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from designloop.strategies import base


def test_strategies_are_the_files_that_are_none_of_the_parts() -> None:
    found = base.available()
    assert found == sorted(found)
    assert {"property_loss", "latent_bo", "random"} <= set(found)
    folder = Path(base.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if path.stem[0] != "_"}
    assert set(found) == files - base._PARTS
    assert files >= base._PARTS  # no name of a part that is no longer there


@pytest.mark.parametrize("name", base.available())
def test_each_strategy_declares_settings_with_its_name_and_defaults(name: str) -> None:
    settings = base.settings_of(name)
    assert issubclass(settings, BaseModel)
    assert settings.model_config["frozen"]
    assert settings.model_config["extra"] == "forbid"
    assert settings().name == name  # type: ignore[attr-defined]


def test_no_such_strategy_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match="no strategy 'genetic'; there are latent_bo, property_loss, random"):
        base.settings_of("genetic")
    for part in ("base", "proposers", "../random", ""):
        with pytest.raises(KeyError, match="no strategy"):
            base.settings_of(part)


def test_settings_are_read_without_torch() -> None:
    code = (
        "import sys\nfrom designloop.strategies import base\n"
        "for name in base.available(): base.settings_of(name)()\n"
        "print([name for name in ('torch', 'ray', 'selfies', 'rdkit', 'botorch') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_seeds_are_the_same_in_every_process_and_version() -> None:
    """A changed number here changes every campaign that was ever run with its seed."""
    assert base.seed_of(7, 3, "pool") == 8838224506665295335
    assert base.rng_of(7, 3, "pool").integers(1_000_000, size=3).tolist() == [896442, 202570, 649996]


PARTS = st.lists(st.integers() | st.text().filter(lambda text: "\x1f" not in text), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_seeds_tell_tasks_apart_and_fit_every_generator(one: list[int | str], other: list[int | str]) -> None:
    assert 0 <= base.seed_of(*one) < 2**63
    assert (base.seed_of(*one) == base.seed_of(*other)) is (list(map(str, one)) == list(map(str, other)))
    assert base.seed_of(*one) == base.seed_of(*map(str, one))
    assert base.seed_of(*one) != base.seed_of(*one, "")


def test_generators_of_a_task() -> None:
    assert base.rng_of(1, "a").random() == base.rng_of(1, "a").random() != base.rng_of(1, "b").random()
    one, again = (torch.randn(3, generator=base.torch_generator("cpu", 1, "a")) for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, torch.randn(3, generator=base.torch_generator("cpu", 2, "a")))
