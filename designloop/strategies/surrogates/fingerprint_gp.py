"""What a property is believed to be before it is paid for: a Gaussian process on count fingerprints.

    k(a, b) = s² (sum_i min(a_i, b_i) / sum_i max(a_i, b_i) + w a·b / c)

The first term, Tanimoto's, knows kin; the second, linear in the counts, knows what groups add (weight, logP, TPSA) far
from all that was seen. w, the noise, and by it the share of each, have the highest evidence of a short list; c is the
mean of a·a over what was seen.
Sources: Ralaivola et al. 2005 (Tanimoto's kernel); Tripp & Hernández-Lobato 2024 (how far it goes on its own);
Rasmussen & Williams 2006, eqs. 2.25-2.30 and 5.12 (posterior, evidence, leave-one-out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from designloop.molecules.chemistry import count_fingerprints

_LEVELS = 4
_SIZE = 1024
_NOISES = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
_LINEAR = (0.0, 1.0, 5.0)

JITTER = 1e-8
"""Share of s² that is added to the noise, so that the kernel can be factorised."""


def count_features(smiles: Sequence[str]) -> np.ndarray:
    """Count fingerprints (ECFP4) unrolled to bits, so that min and max of counts become and / or.

    Bit (c, i) says that environment i stands at least c times; counts above 4 are taken as 4.

    Returns:
        (n, 4096) float32 zeros and ones.
    """
    counts = count_fingerprints(smiles, "ecfp4", _SIZE)
    return np.concatenate([counts >= level for level in range(1, _LEVELS + 1)], 1).astype(np.float32)


def counts_of(features: np.ndarray) -> np.ndarray:
    """(n, 1024) counts, at most 4, of (n, 4096) features."""
    return np.asarray(features.reshape(len(features), _LEVELS, -1).sum(1))


def tanimoto_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) Tanimoto similarities of bit rows (n, d) and (m, d); two empty rows are alike."""
    shared = a @ b.T
    either = a.sum(1)[:, None] + b.sum(1)[None, :] - shared
    return np.where(either > 0, shared / np.maximum(either, 1), 1.0)


@dataclass(frozen=True)
class Kernels:
    """Both terms of the kernel between two lists of molecules, in double."""

    tanimoto: np.ndarray
    """(n, m)"""
    linear: np.ndarray
    """(n, m)"""

    @classmethod
    def between(cls, a: np.ndarray, b: np.ndarray, linear_scale: float) -> Kernels:
        """Of bit rows (n, d) and (m, d); ``linear_scale`` is c, what a·b is divided by."""
        products = counts_of(a) @ counts_of(b).T
        return cls(tanimoto_kernel(a, b).astype(np.float64), products.astype(np.float64) / linear_scale)

    def weighted(self, linear: float) -> np.ndarray:
        """(n, m) their sum, w = ``linear``."""
        return self.tanimoto + linear * self.linear if linear else self.tanimoto


def mean_square(features: np.ndarray) -> float:
    """c: the mean of a·a over rows (n, d) of bits."""
    return max(float(np.square(counts_of(features)).sum(1).mean()), 1.0)


@dataclass(frozen=True, kw_only=True)
class FingerprintGP:
    """A fitted Gaussian process: constant mean, homoscedastic noise."""

    mean: float
    variance: float
    """s²"""
    noise: float
    """Noise variance of one reading as a share of s²."""
    linear: float
    """w"""
    cholesky: np.ndarray
    """(n, n) lower factor of K + noise."""
    weights: np.ndarray
    """(n,) (K + noise)⁻¹ (y − mean)."""
    precision: np.ndarray
    """(n,) diagonal of (K + noise)⁻¹."""
    log_evidence: float

    @classmethod
    def fit(cls, kernels: Kernels, targets: np.ndarray, readings: np.ndarray | None = None) -> list[FingerprintGP]:
        """For each target the GP of highest evidence; mean and s² at their closed-form maximum.

        Args:
            kernels: (n, n) of the molecules with themselves.
            targets: (n, k)
            readings: (n, k) that each target is the mean of; None: each is one.
        """
        counts = np.ones(targets.shape, dtype=int) if readings is None else readings
        fitted: dict[int, FingerprintGP] = {}
        for alike in np.unique(counts, axis=1).T:
            columns = np.flatnonzero((counts == alike[:, None]).all(0))
            fitted |= dict(zip(columns.tolist(), cls._fit_alike(kernels, targets[:, columns], alike), strict=True))
        return [fitted[column] for column in range(targets.shape[1])]

    @classmethod
    def _fit_alike(cls, kernels: Kernels, targets: np.ndarray, readings: np.ndarray) -> list[FingerprintGP]:
        """Those of targets (n, k) of the same numbers (n,) of readings, which share their factors."""
        n, k = targets.shape
        right = np.column_stack([targets, np.ones(n)])
        best: list[tuple[float, float, float]] = [(-np.inf, 0.0, 0.0)] * k
        factors: dict[tuple[float, float], np.ndarray] = {}
        for linear, noise in product(_LINEAR, _NOISES):
            factors[linear, noise] = _factor(kernels, linear, noise / readings)
            evidences = _solved(factors[linear, noise], right)[-1]
            best = [max(old, (new, linear, noise)) for old, new in zip(best, evidences.tolist(), strict=True)]
            factors = {(w, noise): factors[w, noise] for _, w, noise in best}  # all of them would be large
        fitted: dict[int, FingerprintGP] = {}
        for (linear, noise), lower in factors.items():
            means, weights, variances, evidences = _solved(lower, right)
            precision = np.square(solve_triangular(lower, np.eye(n), lower=True)).sum(0)
            for j in (j for j in range(k) if best[j][1:] == (linear, noise)):
                fitted[j] = cls(
                    mean=float(means[j]),
                    variance=float(variances[j]),
                    noise=noise,
                    linear=linear,
                    cholesky=lower,
                    weights=weights[:, j],
                    precision=precision,
                    log_evidence=float(evidences[j]),
                )
        return [fitted[j] for j in range(k)]

    def predict(self, k_test_train: Kernels) -> np.ndarray:
        """(m,) posterior means, of (m, n) kernels of new molecules with those fitted on."""
        return np.asarray(self.mean + k_test_train.weighted(self.linear) @ self.weights)

    def covariance(self, k_test_train: Kernels, k_test: Kernels) -> np.ndarray:
        """Posterior covariance of the noise-free target.

        Args:
            k_test_train: (m, n) kernels of new molecules with those fitted on.
            k_test: (m, m) of the new ones with themselves, or (m,), the diagonals alone.

        Returns:
            (m, m), or (m,) variances.
        """
        half = solve_triangular(self.cholesky, k_test_train.weighted(self.linear).T, lower=True)
        prior = k_test.weighted(self.linear)
        explained = np.square(half).sum(0) if prior.ndim == 1 else half.T @ half
        return np.asarray(self.variance * (prior - explained))

    def leave_one_out(self, targets: np.ndarray) -> np.ndarray:
        """(n,) what is predicted of each molecule from all others, hyper-parameters as they are."""
        return np.asarray(targets - self.weights / self.precision)


def _factor(kernels: Kernels, linear: float, noises: np.ndarray) -> np.ndarray:
    """(n, n) lower Cholesky factor of K + noises (n,), in units of s²."""
    return np.asarray(cholesky(kernels.weighted(linear) + np.diag(noises + JITTER), lower=True))


def _solved(lower: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each target its mean, weights (n, k), s² and log evidence, of targets and a column of ones, (n, k + 1)."""
    n, targets = len(right), right[:, :-1]
    solved = cho_solve((lower, True), right)
    means = solved[:, :-1].sum(0) / solved[:, -1].sum()
    weights = solved[:, :-1] - solved[:, -1:] * means
    variances = np.maximum(((targets - means) * weights).sum(0) / n, 1e-12)
    log_root = np.log(np.diag(lower)).sum()
    return means, weights, variances, -0.5 * n * np.log(2 * np.pi * variances) - log_root - 0.5 * n


def covariances_of(gps: Sequence[FingerprintGP], k_test_train: Kernels, k_test: Kernels) -> list[np.ndarray]:
    """The ``covariance`` of each; those that share a factor differ by their variances alone."""
    unit: dict[int, np.ndarray] = {}
    for gp in gps:
        if id(gp.cholesky) not in unit:
            unit[id(gp.cholesky)] = gp.covariance(k_test_train, k_test) / gp.variance
    return [gp.variance * unit[id(gp.cholesky)] for gp in gps]
