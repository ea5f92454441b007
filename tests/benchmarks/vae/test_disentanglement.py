"""The rows of disentanglement's benchmark, made once from little: names, bars, and what is exact at any size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae.methods.disentanglement import cell_lines, cell_models
from designloop.benchmarks.vae.methods.disentanglement import method as disentanglement
from designloop.benchmarks.vae.registry import load


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, small in (
        (disentanglement, {"STEPS": 5, "COMPONENTS": 100, "PART": 50, "DISCRIMINATOR_STEPS": 3}),
        (cell_models, {"ROWS": 600, "HELD_OUT": 300, "STEPS": 3, "BATCH": 96, "TC_ROWS": 32}),
        (cell_lines, {"NULL_SEEDS": 1, "PERMUTATIONS": 10, "HELD_OUT": 300}),
    ):
        for name, value in small.items():
            monkeypatch.setattr(module, name, value)
    lines: list[str] = []
    rows = load("disentanglement").run([0], lines.append)
    assert len({row.measure for row in rows}) == len(rows)
    exact = [row for row in rows if row.bar == "< 0.000001"]
    assert len(exact) == 3
    assert all(row.holds for row in exact)
    nothing = next(row for row in rows if row.measure.endswith("no change"))
    assert nothing.value == 0
    assert nothing.ceiling is not None
    assert 0.9 < nothing.ceiling < 1
    assert lines
    assert json.loads(json.dumps([as_json("disentanglement", row) for row in rows]))


def test_the_planted_data_has_its_eigenvalues() -> None:
    x = disentanglement.plant_data(3)
    eigenvalues = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)
    torch.testing.assert_close(eigenvalues, x.new_tensor(disentanglement.SPREADS))


def test_r_squared_is_of_the_effect_not_of_its_spread() -> None:
    world = cell_models.make_world(0)
    effect = world.truth.effect(world.held_out.state, world.held_out.drug, world.other)
    assert (world.other != world.held_out.drug).all()
    assert cell_lines.r_squared(world.truth, effect, np.zeros_like(effect)) == 0
    assert cell_lines.r_squared(world.truth, effect, effect) == 1
    assert cell_lines.r_squared(world.truth, effect, effect / 2) == pytest.approx(0.75)
