"""The rows of the causal benchmark, made once from little: names, bars, and what is exact at any size."""

from __future__ import annotations

import json

import numpy as np
import pytest

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae.methods.causal import graphs, models
from designloop.benchmarks.vae.methods.causal import method as causal
from designloop.benchmarks.vae.registry import load


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, small in (
        (models, {"ROWS": 600, "HELD_OUT": 100, "STEPS": 40, "BATCH": 64, "HIDDEN": 16}),
        (causal, {"SEEDS": 1, "UNLABELLED_SEEDS": 1, "DRAWS": 100}),
    ):
        for name, value in small.items():
            monkeypatch.setattr(module, name, value)
    lines: list[str] = []
    rows = load("causal").run([0], lines.append)
    assert len({row.measure for row in rows}) == len(rows)
    assert len([row for row in rows if row.bar]) == 4
    assert len(lines) == 1
    assert json.loads(json.dumps([as_json("causal", row) for row in rows]))


def test_the_truth_is_right_and_doing_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ROWS", 600)
    world = models.make_world(1)
    assert np.isnan(world.labels.numpy()).all(1).mean() == pytest.approx(0.9)
    np.testing.assert_array_equal(np.sort(world.values, 0), np.sort(world.held_out.factors, 0))
    exact = causal.judge(
        world,
        np.stack([world.truth.counterfactual(world.held_out.factors, {j: world.values[:, j]}) for j in range(5)]),
        world.held_out.factors,
    )
    assert exact.score == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(exact.errors, 0, atol=1e-12)
    nothing = causal.ask_nothing(world, world.held_out.factors)
    assert nothing.score == 1
    assert nothing.errors.min() > 0.5
    assert causal.ask_truth(world).errors.max() < 0.1


def test_regression_in_the_true_order_gives_the_graph_of_a_linear_model() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((5000, 3))
    a, c = noise[:, 0], 2 * noise[:, 1]
    factors = np.stack([c - 1.5 * a + 3 * noise[:, 2], a, c], 1)
    np.testing.assert_array_equal(graphs.by_variance(factors), [1, 2, 0])
    causes = graphs.sort_and_regress(factors, np.array([1, 2, 0]), 0.1)
    np.testing.assert_array_equal(causes, [[False, True, True], [False] * 3, [False] * 3])
    explained = graphs.by_explained_variance(factors / factors.std(0))
    assert explained[-1] == 0
