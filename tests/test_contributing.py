"""The recipes of CONTRIBUTING.md do what they say: each part is built as it stands there, and put to its suite."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from designloop.loop import filters, predicates, transforms
from designloop.molecules.chemistry import require
from designloop.testing import check_oracle, check_strategy

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")

RECIPES = dict(re.findall(r"^```python\n# (\S+?)(?:,[^\n]*)?\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL))
"""File that a snippet belongs to, in its first line -> the snippet."""


def written(name: str, folder: Path) -> Path:
    path = folder / Path(name).name
    path.write_text(RECIPES[name])
    return path


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a recipe that is a module of its own."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield lambda name: importlib.import_module(written(name, tmp_path).stem)
    for name in {Path(recipe).stem for recipe in RECIPES} - before:
        sys.modules.pop(name, None)


def added_to(module: ModuleType, source: str, name: str) -> Any:
    """What a snippet defines when it stands in a module that is there."""
    names = dict(vars(module))
    exec(source, names)
    return names[name]


def test_there_is_a_recipe_for_each_part() -> None:
    assert set(RECIPES) == {
        "oracles/halogens.py",
        "designloop/strategies/hill_climb.py",
        "designloop/vae/likelihoods/counts.py",
        "designloop/loop/transforms.py",
        "designloop/loop/predicates.py",
        "designloop/loop/filters.py",
    }


def test_the_oracle_passes_its_suite(tmp_path: Path) -> None:
    written("oracles/halogens.py", tmp_path)
    check_oracle("./halogens.py:halogens", folder=tmp_path)


def test_the_strategy_passes_its_suite(imported: Callable[[str], Any], tiny_model: Path) -> None:
    recipe = imported("designloop/strategies/hill_climb.py")
    check_strategy(recipe.build, recipe.Settings(), model=tiny_model, wanted=6)


def test_the_likelihood_is_scipys(imported: Callable[[str], Any]) -> None:
    counts = imported("designloop/vae/likelihoods/counts.py").Counts()
    rng = np.random.default_rng(0)
    params, x, mask = rng.normal(size=(5, 3)), rng.poisson(2.0, (5, 3)), rng.random((5, 3)) < 0.7
    expected = (stats.poisson.logpmf(x, np.exp(params)) * mask).sum(1)
    found = counts.log_prob(torch.from_numpy(params), torch.from_numpy(x).double(), torch.from_numpy(mask))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    drawn = counts.sample(torch.full((20_000, 1), 0.5, dtype=torch.float64), torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(np.exp(0.5), abs=0.05)  # 5 standard errors


def test_the_transform_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "TRANSFORMS", dict(transforms.TRANSFORMS))
    decay = added_to(transforms, RECIPES["designloop/loop/transforms.py"], "Decay")(low=2.0, scale=3.0)
    assert decay([0.0, 2.0, 5.0]) == pytest.approx([1.0, 1.0, np.exp(-1)])
    assert decay.type == "decay"


def test_the_filter_is_asked_in_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    build = added_to(predicates, RECIPES["designloop/loop/predicates.py"], "most_halogens")
    monkeypatch.setattr(predicates, "most_halogens", build, raising=False)
    source = "class More(Filters):\n" + RECIPES["designloop/loop/filters.py"]
    more = added_to(filters, source, "More")
    monkeypatch.setattr(filters, "Filters", more)
    built = filters.build(more(most_halogens=1), filters.Context(tmp_path))
    (asked,) = [one for one in built if one.name == "most_halogens"]
    assert asked.refuses(require("FCCF"), "FCCF") == "2 halogens, allowed are at most 1"
    assert asked.refuses(require("FCC"), "FCC") is None
    assert "most_halogens" not in {one.name for one in filters.build(more(), filters.Context(tmp_path))}
