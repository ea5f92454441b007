"""What a score is believed to be before it is paid for, by a Gaussian process of which nothing is fitted.

    score ~ GP(0, k),    k(x, x) = 1,    observed with variance 1e-4, or as noisy as the scores themselves say

Scores lie in 0..1, so a molecule unlike all that was paid for is believed to be poor, and doubted by a whole unit. A
process fitted to what was paid for doubts the less the more of its kin there is, and then pays for what it knows.
Source: Tripp & Hernández-Lobato 2024, "Diagnosing and fixing common problems in Bayesian optimization for molecule
design".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from designloop.strategies.surrogates.base import Posterior
from designloop.strategies.surrogates.kernels import Kernel, MoleculeFeatures, Similarity
from designloop.strategies.surrogates.noise import noise_variance

NOISE = 1e-4
"""Variance, for what the kernel cannot tell apart."""

_LEAST = 1e-9
"""Variance below which rounding is all that is left."""


@dataclass(frozen=True)
class FixedGP:
    """The posterior of scores given those of n molecules."""

    kernel: Kernel
    similarity: Similarity
    """With the n molecules."""
    lower: np.ndarray
    """(n, n) float32 Cholesky factor of kernel and noise."""
    white: np.ndarray
    """(n,) the factor's inverse times the scores."""
    best: float
    noise: float = NOISE
    """Variance of what is observed."""

    @classmethod
    def fit(
        cls, kernel: Kernel, molecules: Sequence[MoleculeFeatures], scores: np.ndarray, noisy: bool = False
    ) -> FixedGP:
        """Conditions the process on (n,) scores.

        Args:
            noisy: whether they are those of an assay, say; how noisy is then estimated.
        """
        similarity = kernel.to(molecules)
        prior = similarity(molecules).astype(np.float64)
        noise = NOISE + (noise_variance(prior, scores) if noisy else 0.0)
        lower = cholesky(prior + noise * np.eye(len(molecules)), lower=True)
        white = solve_triangular(lower, scores, lower=True).astype(np.float32)
        return cls(kernel, similarity, lower.astype(np.float32), white, float(scores.max()), noise)

    def __call__(self, molecules: Sequence[MoleculeFeatures]) -> Posterior:
        """The posterior of m molecules."""
        across = self.similarity(molecules)
        half = solve_triangular(self.lower, across.T, lower=True, check_finite=False)
        mean = (half.T @ self.white).astype(np.float64)
        variance = np.maximum(1 - np.square(half).sum(0), _LEAST).astype(np.float64)

        def covariance() -> list[np.ndarray]:
            prior = self.kernel.to(molecules)(molecules)
            return [(prior - half.T @ half).astype(np.float64) + _LEAST * np.eye(len(molecules))]

        return Posterior([mean], lambda: [variance], covariance, [self.noise], self.best)
