"""What a score is believed to be before it is paid for: a Gaussian process with a Tanimoto kernel.

    k(a, b) = s² sum_i min(a_i, b_i) / sum_i max(a_i, b_i)

Sources: Ralaivola et al. 2005 (the kernel); Tripp & Hernández-Lobato 2024 (how far it goes on its own);
Desautels et al. 2014, GP-BUCB (batches).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from designloop.molecules.chemistry import count_fingerprints

_LEVELS = 4
_SIZE = 1024
_NOISES = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def features(smiles: Sequence[str]) -> np.ndarray:
    """Count fingerprints (ECFP4) unrolled to bits, so that min and max of counts become and / or.

    Bit (i, c) says that environment i stands at least c times; counts above 4 are taken as 4.

    Returns:
        (n, 4096) float32 zeros and ones.
    """
    counts = count_fingerprints(smiles, "ecfp4", _SIZE)
    return np.concatenate([counts >= level for level in range(1, _LEVELS + 1)], 1).astype(np.float32)


def tanimoto_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) Tanimoto similarities of bit rows (n, d) and (m, d); two empty rows are alike."""
    shared = a @ b.T
    either = a.sum(1)[:, None] + b.sum(1)[None, :] - shared
    return np.where(either > 0, shared / np.maximum(either, 1), 1.0)


@dataclass(frozen=True)
class TanimotoGP:
    """A fitted Gaussian process: constant mean, Tanimoto kernel, homoscedastic noise."""

    seen: np.ndarray
    """(n, d) bit rows of the molecules paid for."""
    mean: float
    variance: float
    """s², prior variance of the score."""
    noise: float
    """Noise variance as a share of s²."""
    cholesky: np.ndarray
    weights: np.ndarray
    """(n,) K⁻¹ (y − mean)."""
    log_evidence: float

    @classmethod
    def fit(cls, seen: np.ndarray, scores: np.ndarray) -> TanimotoGP:
        """The GP of highest evidence over a short list of noise levels; mean and s² at their closed-form maximum.

        Args:
            seen: (n, d) bit rows.
            scores: (n,)
        """
        kernel = tanimoto_kernel(seen, seen).astype(np.float64)
        n, best = len(scores), None
        ones = np.ones(n)
        for noise in _NOISES:
            lower = cholesky(kernel + (noise + 1e-8) * np.eye(n), lower=True)
            solved = cho_solve((lower, True), np.stack([scores, ones], 1))
            mean = float(ones @ solved[:, 0] / (ones @ solved[:, 1]))
            weights = solved[:, 0] - mean * solved[:, 1]
            variance = max(float((scores - mean) @ weights) / n, 1e-8)
            evidence = -0.5 * n * np.log(2 * np.pi * variance) - np.log(np.diag(lower)).sum() - 0.5 * n
            if best is None or evidence > best.log_evidence:
                best = cls(seen, mean, variance, noise, lower, weights, float(evidence))
        assert best is not None
        return best

    def predict(self, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and covariance of the noise-free score.

        Args:
            new: (m, d) bit rows.

        Returns:
            (m,) and (m, m).
        """
        cross = tanimoto_kernel(new, self.seen).astype(np.float64)
        half = solve_triangular(self.cholesky, cross.T, lower=True)
        covariance = self.variance * (tanimoto_kernel(new, new) - half.T @ half)
        return self.mean + cross @ self.weights, covariance

    def bound(self, new: np.ndarray, kappa: float) -> np.ndarray:
        """(m,) upper confidence bounds, mean + kappa standard deviations of the noise-free score."""
        cross = tanimoto_kernel(new, self.seen).astype(np.float64)
        half = solve_triangular(self.cholesky, cross.T, lower=True)
        doubt = np.sqrt(np.maximum(self.variance * (1 - np.square(half).sum(0)), 0))
        return np.asarray(self.mean + cross @ self.weights + kappa * doubt)

    def picks(
        self, new: np.ndarray, most: int, kappa: float, admissible: Callable[[int], bool] = lambda at: True
    ) -> Iterator[int]:
        """Indices in the order in which to pay for molecules: the highest upper bound first, one at a time.

        Each pick that is admissible is taken as if its score were what is expected of it, which shrinks the doubt about
        its kin and so spreads a batch (GP-BUCB); what is not admissible is passed over and teaches nothing.

        Args:
            new: (m, d) bit rows.
            most: only so many of the highest first bounds are considered.
            kappa: standard deviations added to the mean.
            admissible: asked about an index when its turn has come.
        """
        considered = np.argsort(-self.bound(new, kappa), kind="stable")[:most]
        mean, covariance = self.predict(new[considered])
        noise = self.noise * self.variance
        left = np.ones(len(mean), dtype=bool)
        while left.any():
            doubt = np.sqrt(np.maximum(np.diagonal(covariance), 0))
            at = int(np.argmax(np.where(left, mean + kappa * doubt, -np.inf)))
            left[at] = False
            if admissible(int(considered[at])):
                yield int(considered[at])
                column = covariance[:, at].copy()
                covariance -= np.outer(column, column) / (column[at] + noise + 1e-12)
