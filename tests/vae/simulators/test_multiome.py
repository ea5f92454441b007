"""Simulated multiomes against the moments of their formulas, by quadrature where there is no closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designloop.vae.simulators.multiome import ATAC_SPREAD, RNA_SPREAD, cells, multiome

N = 200_000


def test_margins_and_covariances_are_those_of_the_formula() -> None:
    """Without a bend a gene's log mean and a peak's logit are jointly normal."""
    rng = np.random.default_rng(0)
    truth = multiome(rng, private=0.5, genes=4, peaks=3, bend=0.0)
    truth = replace(truth, rna_loadings=0.4 * truth.rna_loadings)  # lighter tails, whose moments draws can tell
    drawn = cells(truth, N, rng)
    spread = truth.rna_loadings @ truth.rna_loadings.T
    means = np.exp(truth.rna_offsets + spread.diagonal() / 2)
    covariance = np.outer(means, means) * np.expm1(spread)
    square = np.exp(2 * truth.rna_offsets + 2 * spread.diagonal())
    covariance[np.diag_indices(4)] += means + square / truth.dispersions
    np.testing.assert_allclose(drawn.counts.mean(0), means, rtol=0.03)
    apart = drawn.counts - drawn.counts.mean(0)
    error = (apart[:, :, None] * apart[:, None, :]).std(0) / np.sqrt(N)
    assert (np.abs(np.cov(drawn.counts.T) - covariance) < 5 * error).all()

    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    deviation = np.sqrt((truth.atac_loadings**2).sum(1))
    chance = (1 / (1 + np.exp(-truth.atac_offsets - np.outer(nodes, deviation)))).T @ weights
    np.testing.assert_allclose(drawn.is_open.mean(0), chance, atol=5 * 0.5 / np.sqrt(N))
    # E xy: under the density tilted by the gene's log mean, the peak's logit moves by its covariance with it.
    moved = truth.atac_offsets + truth.atac_loadings @ truth.rna_loadings.T[:, 0]
    tilted = (1 / (1 + np.exp(-moved - np.outer(nodes, deviation)))).T @ weights
    both = drawn.counts[:, :1] * drawn.is_open
    assert (np.abs(both.mean(0) - means[0] * tilted) < 5 * both.std(0) / np.sqrt(N)).all()


def test_the_bend_keeps_means_and_adds_its_square_to_the_variance() -> None:
    truth = multiome(np.random.default_rng(1), genes=2, peaks=2, shared=2, bend=0.6)
    bent = truth.bent(np.random.default_rng(2).standard_normal((N, 4)))
    np.testing.assert_allclose(bent.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(bent.T), np.diag([1.36, 1.36, 1, 1]), atol=0.03)


@pytest.mark.parametrize("private", [0.0, 0.3, 1.0])
def test_the_difficulty_is_the_share_of_a_modalitys_own_units(private: float) -> None:
    truth = multiome(np.random.default_rng(3), private, genes=4000, peaks=4000, shared=3, own=2)
    for loadings, spread, own, others in (
        (truth.rna_loadings, RNA_SPREAD, slice(3, 5), slice(5, 7)),
        (truth.atac_loadings, ATAC_SPREAD, slice(5, 7), slice(3, 5)),
    ):
        squares = (loadings**2).sum(1).mean()
        assert squares == pytest.approx(spread**2, rel=0.05)
        assert (loadings[:, own] ** 2).sum(1).mean() == pytest.approx(private * squares, rel=0.05)
        assert (loadings[:, others] == 0).all()


def test_modalities_that_share_nothing_are_independent_and_those_that_share_are_not() -> None:
    largest = []
    for private in (1.0, 0.3):
        rng = np.random.default_rng(4)
        drawn = cells(multiome(rng, private, genes=5, peaks=5), 20_000, rng)
        between = np.corrcoef(np.log1p(drawn.counts).T, drawn.is_open.T)[:5, 5:]
        largest.append(np.abs(between).max())
    assert largest[0] < 5 / np.sqrt(20_000)
    assert largest[1] > 0.2
