"""The recipes of CONTRIBUTING.md do what they say: each part is built as it stands there, and put to its suite."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from designloop.loop import catalogue
from designloop.loop.scoring import transforms
from designloop.loop.screening import filters, predicates
from designloop.molecules.chemistry import require
from designloop.parts import Registry
from designloop.randomness import generators_of
from designloop.strategies.archive.archive import Member
from designloop.testing import check_likelihood, check_oracle, check_prior, check_proposer, check_strategy

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
        "designloop/strategies/methyl_walk.py",
        "designloop/strategies/proposers/methylation.py",
        "designloop/vae/likelihoods/exponential.py",
        "designloop/vae/priors/laplace.py",
        "designloop/loop/scoring/transforms.py",
        "designloop/loop/screening/predicates.py",
        "designloop/loop/screening/filters.py",
    }


def test_the_recipes_that_are_whole_files_are_clean() -> None:
    root = Path(__file__).parent.parent
    for name, text in RECIPES.items():
        if "from __future__" in text:
            asked = [sys.executable, "-m", "ruff", "check", "--stdin-filename", name, "-"]
            said = subprocess.run(asked, input=text, cwd=root, capture_output=True, text=True)
            assert said.returncode == 0, f"{name}: {said.stdout}{said.stderr}"


def test_the_oracle_passes_its_suite(tmp_path: Path) -> None:
    written("oracles/halogens.py", tmp_path)
    check_oracle("./halogens.py:halogens", folder=tmp_path)


def test_the_strategy_passes_its_suite(imported: Callable[[str], Any], tiny_model: Path) -> None:
    recipe = imported("designloop/strategies/hill_climb.py")
    check_strategy(recipe.build, recipe.Settings(), model=tiny_model, wanted=6)


def test_the_proposer_and_the_strategy_that_uses_it_pass_their_suites(
    imported: Callable[[str], Any], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposer = imported("designloop/strategies/proposers/methylation.py")
    check_proposer(proposer.Methylation(), model=tiny_model)
    children = proposer.Methylation().propose([Member("CCO", "[C][C][O]")], 50, generators_of("cpu", 0))
    assert {child.smiles for child in children} == {"CCCO", "CC(C)O", "CCOC"}
    monkeypatch.setitem(sys.modules, "designloop.strategies.proposers.methylation", proposer)
    recipe = imported("designloop/strategies/methyl_walk.py")
    check_strategy(recipe.build, recipe.Settings(), model=tiny_model, wanted=6)


def test_the_likelihood_passes_its_suite(imported: Callable[[str], Any]) -> None:
    likelihood = imported("designloop/vae/likelihoods/exponential.py").Exponential()
    params = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert "fisher" in check_likelihood(likelihood, params, "positive").passed
    x = likelihood.sample(params, torch.Generator().manual_seed(1))
    expected = stats.expon(scale=np.exp(-params.numpy())).logpdf(x.numpy()).sum(1)
    np.testing.assert_allclose(likelihood.log_prob(params, x), expected, rtol=1e-12)


def test_the_prior_passes_its_suite(imported: Callable[[str], Any]) -> None:
    prior = imported("designloop/vae/priors/laplace.py").Laplace(2)
    assert "normalised" in check_prior(prior).passed
    z = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(prior.log_prob(z), stats.laplace.logpdf(z.numpy()).sum(1), rtol=1e-12)


def test_the_transform_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    added = Registry[type[transforms.Transform]]("transform")
    monkeypatch.setattr(transforms, "TRANSFORMS", added)
    decay = added_to(transforms, RECIPES["designloop/loop/scoring/transforms.py"], "Decay")(low=2.0, scale=3.0)
    assert decay([0.0, 2.0, 5.0]) == pytest.approx([1.0, 1.0, np.exp(-1)])
    assert decay.type == "decay"
    monkeypatch.setattr(catalogue, "TRANSFORMS", added)
    assert [card.example for card in catalogue.transforms()] == ["transform: {type: decay, low: 2, scale: 3}"]


def test_the_filter_is_asked_in_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    build = added_to(predicates, RECIPES["designloop/loop/screening/predicates.py"], "most_halogens")
    monkeypatch.setattr(predicates, "most_halogens", build, raising=False)
    source = "class More(Filters):\n" + RECIPES["designloop/loop/screening/filters.py"]
    more = added_to(filters, source, "More")
    monkeypatch.setattr(filters, "Filters", more)
    built = filters.build(more(most_halogens=1), filters.FilterContext(tmp_path))
    (asked,) = [rule for rule in built if rule.name == "most_halogens"]
    assert asked.refuses(require("FCCF"), "FCCF") == "2 halogens, allowed are at most 1"
    assert asked.refuses(require("FCC"), "FCC") is None
    assert filters.example_of("most_halogens") == 3
    assert "most_halogens" not in {rule.name for rule in filters.build(more(), filters.FilterContext(tmp_path))}
