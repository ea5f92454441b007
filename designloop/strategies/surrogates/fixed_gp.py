"""What a score is believed to be before it is paid for, by a Gaussian process of which next to nothing is fitted.

    score ~ GP(poor, k),    k(x, x) = 1,    observed with variance 1e-4

Scores lie in 0..1. A molecule unlike all that was paid for is believed to be as poor as the poorest tenth of that, and
doubted by a whole unit. It is not believed to be worth 0: no molecule may be, and a process that expects it takes what
all have in common for the merit of what was paid for. A process whose doubt is fitted to what was paid for doubts the
less the more of its kin there is, and then pays for what it knows.
Noisy scores are another matter: a process of variance 1 would follow their noise, so its scale is fitted to them.
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
from designloop.strategies.surrogates.noise import UNIT, ProcessScale, likely_scale

POOR = 0.1
"""Share of what was paid for that is as poor as what nothing is known of."""

_LEAST = 1e-9
"""Variance below which rounding is all that is left."""


@dataclass(frozen=True)
class FixedGP:
    """The posterior of scores given those of n molecules."""

    kernel: Kernel
    molecules: Sequence[MoleculeFeatures]
    similarity: Similarity
    """With the n molecules."""
    lower: np.ndarray
    """(n, n) float32 Cholesky factor of kernel and noise."""
    white: np.ndarray
    """(n,) the factor's inverse times what the scores are above the mean of the scale."""
    best: float
    scale: ProcessScale = UNIT

    @classmethod
    def fit(
        cls,
        kernel: Kernel,
        molecules: Sequence[MoleculeFeatures],
        scores: np.ndarray,
        noisy: bool = False,
        readings: np.ndarray | None = None,
        similarity: Similarity | None = None,
    ) -> FixedGP:
        """Conditions the process on (n,) scores.

        Args:
            noisy: whether they are those of an assay, say; where the process lies and how noisy it is, they then say.
            readings: (n,) that each is the mean of; None: each is one.
            similarity: the kernel's, with the molecules, where it is made already.
        """
        unfitted = kernel, molecules, kernel.to(molecules) if similarity is None else similarity
        return cls._conditioned(*unfitted, scores, noisy, readings)

    def refitted(self, scores: np.ndarray, noisy: bool = False, readings: np.ndarray | None = None) -> FixedGP:
        """The process of the same molecules, conditioned on (n,) other scores. Arguments as ``fit``."""
        return self._conditioned(self.kernel, self.molecules, self.similarity, scores, noisy, readings)

    @classmethod
    def _conditioned(
        cls,
        kernel: Kernel,
        molecules: Sequence[MoleculeFeatures],
        similarity: Similarity,
        scores: np.ndarray,
        noisy: bool,
        readings: np.ndarray | None,
    ) -> FixedGP:
        prior = similarity(molecules).astype(np.float64)
        scale = likely_scale(prior, scores, readings) if noisy else ProcessScale(float(np.quantile(scores, POOR)))
        noises = scale.noises(np.ones(len(molecules)) if readings is None else readings)
        lower = cholesky(scale.variance * prior + np.diag(noises), lower=True)
        white = solve_triangular(lower, scores - scale.mean, lower=True).astype(np.float32)
        return cls(kernel, molecules, similarity, lower.astype(np.float32), white, float(scores.max()), scale)

    @property
    def weights(self) -> np.ndarray:
        """(n,) of the n molecules: a mean is that of the scale and similarities times these."""
        return np.asarray(self.scale.variance * solve_triangular(self.lower, self.white, lower=True, trans=1))

    @property
    def expected(self) -> np.ndarray:
        """(n,) means of the n molecules themselves."""
        return np.asarray(self.scale.mean + self.similarity(self.molecules) @ self.weights)

    def __call__(self, molecules: Sequence[MoleculeFeatures]) -> Posterior:
        """The posterior of m molecules."""
        scale = self.scale
        across = np.float32(scale.variance) * self.similarity(molecules)
        half = solve_triangular(self.lower, across.T, lower=True, check_finite=False)
        mean = scale.mean + (half.T @ self.white).astype(np.float64)
        variance = np.maximum(scale.variance - np.square(half).sum(0), _LEAST).astype(np.float64)

        def covariance() -> list[np.ndarray]:
            prior = scale.variance * self.kernel.to(molecules)(molecules)
            return [(prior - half.T @ half).astype(np.float64) + _LEAST * np.eye(len(molecules))]

        return Posterior([mean], lambda: [variance], covariance, [scale.noise], self.best)
