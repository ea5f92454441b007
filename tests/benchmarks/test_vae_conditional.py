"""The rows of the conditional VAE's benchmark, made from little, and measures on samples that are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae_methods import _expression, conditional
from designloop.vae.simulators.neurons import Cells, cells, population


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, little in {"A_TYPE": 40, "HELD_OUT": 50, "STEPS": 5, "COMMON": 40, "TEST": 2, "RARE_STEPS": 5}.items():
        monkeypatch.setattr(_expression, name, little)
    monkeypatch.setattr(_expression, "PENALTIES", (0.1,))
    for name, little in {"PAIRED": 2, "LINEAR_STEPS": 5, "STEPS": 5, "A_GRADE": 10}.items():
        monkeypatch.setattr(conditional, name, little)
    said: list[str] = []
    rows = conditional.run([0], said.append)
    assert len({row.measure for row in rows}) == len(rows)
    assert sum(row.holds is not None for row in rows) == 13
    assert said
    assert json.loads(json.dumps([as_json("conditional", row) for row in rows]))


@pytest.fixture(scope="module")
def drawn() -> tuple[Cells, Cells]:
    rng = np.random.default_rng(0)
    truth, types = population(rng, types=2, genes=30), np.repeat([0, 1], 4000)
    return cells(truth, types, rng), cells(truth, types, rng)


def test_the_model_means_by_a_library_size_what_cells_measure_by_it() -> None:
    """The mean of its samples' library sizes, as those of cells are taken, is the size that was asked for."""
    types, sizes = np.repeat(np.arange(_expression.TYPES), 50), np.tile([0.5, 3.0], 25 * _expression.TYPES)
    counts = _expression.sampled(_expression.model(0), types, sizes, 0)
    drawn = counts.sum(1) / counts.shape[1]
    assert drawn[sizes == 0.5].mean() == pytest.approx(0.5, rel=0.05)
    assert drawn[sizes == 3.0].mean() == pytest.approx(3.0, rel=0.05)


def test_cells_are_like_cells_and_independent_counts_are_not(drawn: tuple[Cells, Cells]) -> None:
    held, fresh = drawn
    x = _expression.log_expression(fresh.counts)
    recogniser = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(x, fresh.types)
    same = _expression.likeness(held.counts, held, recogniser)
    assert np.allclose(same.recognised, 0)
    assert (same.changes, same.spread_log, same.spread_counts, same.correlations) == pytest.approx((1, 1, 1, 1))
    alone = _expression.independent(fresh, held.types, fresh.library_sizes, np.random.default_rng(1))
    apart = _expression.likeness(alone, held, recogniser)
    assert apart.changes > 0.9
    assert abs(apart.correlations) < 0.3
    doubled = _expression.likeness(2 * held.counts, held, recogniser)
    assert doubled.spread_counts == 0  # the variance is four times as large
    assert doubled.changes == pytest.approx(1)
    swapped = _expression.likeness(held.counts[::-1], held, recogniser)
    assert (swapped.recognised < -50).all()
    assert swapped.changes == pytest.approx(-1)


def test_independent_counts_keep_mean_and_variance(drawn: tuple[Cells, Cells]) -> None:
    held, _ = drawn
    sizes = np.ones(40_000)
    counts = _expression.independent(held, np.zeros(40_000, int), sizes, np.random.default_rng(2))
    share = (held.counts / held.library_sizes[:, None])[held.types == 0]
    np.testing.assert_allclose(counts.mean(0), share.mean(0), rtol=0.05)
    assert np.abs(np.asarray(np.corrcoef(counts.T))[np.triu_indices(30, 1)]).max() < 0.03


def test_the_threshold_comes_from_validation_and_perfect_scores_are_perfect() -> None:
    rng = np.random.default_rng(3)

    def some(n: int) -> _expression.Labelled:
        rare = np.arange(n) < n // 10
        return rng.standard_normal((n, 3)) + 20 * rare[:, None], rare

    judging = some(200)
    assert _expression._judged(some(200), judging, judging) == (1.0, 1.0)
    blind = _expression._judged(some(200), some(200), (rng.standard_normal((5000, 3)), np.arange(5000) < 500))
    assert blind[0] == pytest.approx(0.1, abs=0.05)
