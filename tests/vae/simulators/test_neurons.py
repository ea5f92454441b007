"""Simulated neurons against the moments of log-normal mixtures of negative binomials."""

from __future__ import annotations

import numpy as np
import pytest

from designloop.vae.simulators.neurons import MARKER_SPREAD, cells, population


@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_means_variances_and_covariances_are_those_of_the_formula(difficulty: float) -> None:
    rng = np.random.default_rng(0)
    truth = population(rng, difficulty, types=2, genes=6)
    n = 200_000
    counts = cells(truth, np.ones(n, int), rng).counts
    shared = truth.loadings @ truth.loadings.T + truth.size_spread**2  # covariance of the log rates
    means = np.exp(truth.log_means[1] + shared.diagonal() / 2)
    covariance = np.outer(means, means) * np.expm1(shared)
    square = np.exp(2 * truth.log_means[1] + 2 * shared.diagonal())  # E of the rate's square
    covariance[np.diag_indices(6)] += means + square / truth.dispersions[1]
    np.testing.assert_allclose(counts.mean(0), means, rtol=0.02)
    error = np.sqrt(np.outer(counts.var(0), counts.var(0)) / n)
    assert (np.abs(np.cov(counts.T) - covariance) < 6 * error).all()


def test_the_difficulty_is_the_spread_of_the_nuisance() -> None:
    spreads = [
        np.sqrt((population(np.random.default_rng(1), knob, genes=5000).loadings ** 2).sum(1).mean())
        for knob in (0, 1, 2)
    ]
    np.testing.assert_allclose(spreads, np.array([0, 1, 2]) * MARKER_SPREAD, rtol=0.02)


def test_types_differ_in_their_markers_only_and_come_as_asked() -> None:
    rng = np.random.default_rng(2)
    truth = population(rng, types=3, genes=4000, markers=0.1)
    differ = (truth.log_means[0] != truth.log_means[1]).mean()
    assert differ == pytest.approx(1 - 0.9**2, abs=0.02)
    sample = cells(truth, np.array([2, 0, 0, 1]), rng)
    assert sample.types.tolist() == [2, 0, 0, 1]
    assert sample.counts.shape == (4, 4000)
    np.testing.assert_allclose(sample.library_sizes * 4000, sample.counts.sum(1))
