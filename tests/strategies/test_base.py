"""Strategies are found by the names of their files."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from designloop.strategies import base


def test_strategies_are_the_modules_of_their_folder_but_for_the_base() -> None:
    names = base.available()
    assert names == sorted(names)
    assert {"property_loss", "latent_bo", "random"} <= set(names)
    folder = Path(base.__file__).parent
    assert set(names) == {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}


@pytest.mark.parametrize("name", base.available())
def test_each_strategy_declares_settings_with_its_name_and_defaults(name: str) -> None:
    settings = base.settings_of(name)
    assert issubclass(settings, BaseModel)
    assert settings.model_config["frozen"]
    assert settings.model_config["extra"] == "forbid"
    assert settings().name == name  # type: ignore[attr-defined]


def numbers_in(model: type[BaseModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all settings that may be numbers that are not whole, also of models within."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        if float in kinds:
            yield (*before, name)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from numbers_in(kind, (*before, name))


@pytest.mark.parametrize("number", [math.inf, math.nan], ids=str)
@pytest.mark.parametrize("name", base.available())
def test_no_setting_is_an_infinity(name: str, number: float) -> None:
    paths = list(numbers_in(base.settings_of(name)))
    assert paths
    for path in paths:
        value: object = number
        for part in reversed(path):
            value = {part: value}
        with pytest.raises(ValidationError, match="finite number"):
            base.settings_of(name).model_validate(value)


def test_no_such_strategy_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match=f"no strategy 'genetic'; there are {', '.join(base.available())}"):
        base.settings_of("genetic")
    for part in ("base", "proposers", "search", "../random", ""):
        with pytest.raises(KeyError, match="no strategy"):
            base.settings_of(part)


def test_a_file_beside_the_strategies_that_is_none_is_named_with_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    part = ModuleType("designloop.strategies.helpers")
    part.__file__ = "strategies/helpers.py"
    part.__dict__["build"] = list
    monkeypatch.setattr(base, "available", lambda: ["helpers"])
    monkeypatch.setitem(sys.modules, part.__name__, part)
    with pytest.raises(
        TypeError, match=r"strategies/helpers\.py is no strategy: found no Settings, expected Settings and"
    ):
        base.settings_of("helpers")


def test_settings_are_read_without_torch() -> None:
    code = (
        "import sys\nfrom designloop.strategies import base\n"
        "for name in base.available(): base.settings_of(name)()\n"
        "print([name for name in ('torch', 'ray', 'selfies', 'rdkit', 'botorch') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
