"""Recipes: phases, what is weighed how at each step, and how a recipe is scaled."""

from __future__ import annotations

import pytest

from designloop.molecules.recipe import Phase, Recipe


def test_a_recipe_goes_through_its_phases() -> None:
    first = Phase(100, 1e-2, warmup=10, clean=0.0, beta=(0.0, 0.01, 0.05), fingerprint_weight=(0.0, 10.0, 10.0, 10.0))
    recipe = Recipe((first, Phase(50, 1e-3, clean=1.0, beta=(0.2,), fingerprint_weight=(5.0,))))
    assert recipe.steps == 150
    assert [recipe.beta(step) for step in (0, 25, 50, 75, 100, 149)] == pytest.approx([0, 0.005, 0.01, 0.03, 0.2, 0.2])
    assert [recipe.fingerprint_weight(step) for step in (0, 20, 60, 110)] == pytest.approx([0, 6, 10, 5])
    assert [recipe.learning_rate(step) for step in (0, 9, 100)] == pytest.approx([1e-3, 1e-2, 1e-3])
    assert recipe.learning_rate(99) < 3e-4


def test_a_recipe_is_scaled_phase_by_phase() -> None:
    recipe = Recipe((Phase(100, 1e-2, warmup=10), Phase(50, 1e-3)))
    assert [(phase.steps, phase.warmup) for phase in recipe.scale(30).phases] == [(20, 2), (10, 0)]
    assert recipe.scale(150) == recipe
    assert [phase.learning_rate for phase in recipe.scale(1).phases] == [1e-2]
    assert Recipe().scale(1000).steps == 1000
