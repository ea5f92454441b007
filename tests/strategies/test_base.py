"""Strategies are found by the names of their files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
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
