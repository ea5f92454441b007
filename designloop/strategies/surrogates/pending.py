"""What is believed of candidates while others are under way: as if these had come out as they are expected to.

    mean(x | pending) = mean(x),    cov(x, x' | pending) = k(x, x') - k(x, P) (k(P, P) + noise)⁻¹ k(P, x')

The expectation of what is under way says nothing new of others, but doubt about its kin shrinks: a batch that is chosen
by hope or by doubt goes elsewhere. What improves on the best, or on the front, has to improve on what is expected of
that, too. Source: Ginsbourger et al. 2010, "Kriging is well-suited to parallelize
optimization" (the kriging believer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from designloop.strategies.surrogates.base import Belief, Posterior
from designloop.strategies.surrogates.committee import CommitteePosterior

_LEAST = 1e-9
"""Variance below which rounding is all that is left."""


def given_pending(belief: Belief, features: np.ndarray, pending: np.ndarray | None) -> Posterior:
    """The posterior over candidates, given that others are under way.

    Args:
        features: (m, …) of the candidates.
        pending: (p, …) of what is under way; None where nothing is.
    """
    if pending is None:
        return belief(features)
    return conditioned(belief(np.concatenate([features, pending])), len(features))


def conditioned(posterior: Posterior, n: int) -> Posterior:
    """The posterior of the first n of its candidates, given that the others come out as expected."""
    covariances: list[np.ndarray] = []

    def joint() -> Sequence[np.ndarray]:
        if not covariances:
            parts = zip(posterior.covariances(), posterior.noises, strict=True)
            covariances.extend(_conditioned(covariance, noise, n) for covariance, noise in parts)
        return covariances

    def variances() -> Sequence[np.ndarray]:
        return [np.diagonal(covariance).copy() for covariance in joint()]

    means = [mean[:n] for mean in posterior.means]
    under_way = [mean[None, n:] for mean in posterior.means]
    values = under_way[0] if posterior.value is None else posterior.value(under_way)
    best, goals = max(posterior.best, float(values.max(initial=-np.inf))), posterior.goals
    if goals is not None:
        goals = replace(goals, paid=np.concatenate([goals.paid, goals.of_draws(under_way)[0]]))
    given = replace(posterior, means=means, variances=variances, covariances=joint, best=best, goals=goals)
    if not isinstance(given, CommitteePosterior):
        return given
    return replace(given, members=[conditioned(member, n) for member in given.members])


def _conditioned(covariance: np.ndarray, noise: float, n: int) -> np.ndarray:
    """(n, n) of a covariance (n + p, n + p), given noisy values of the last p."""
    across, own = covariance[n:, :n], covariance[n:, n:]
    lower = cholesky(own + max(noise, _LEAST) * np.eye(len(own)), lower=True)
    half = solve_triangular(lower, across, lower=True)
    left = covariance[:n, :n] - half.T @ half
    left[np.diag_indices(n)] = np.maximum(np.diagonal(left), _LEAST)
    return np.asarray(left)
