"""How noisy scores are, where they come from an assay: a molecule measured twice has two values."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve, cholesky

SHARES = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Variances of the noise that are tried, in those of the process."""


def noise_variance(kernel: np.ndarray, scores: np.ndarray) -> float:
    """The variance of the noise that makes scores most likely, mean and variance of the process being free.

    The share of highest evidence is taken, times the process's variance at its closed-form maximum.
    Source: Rasmussen & Williams 2006, eq. 2.30.

    Args:
        kernel: (n, n) of the molecules with themselves, 1 on the diagonal.
        scores: (n,)
    """
    n = len(scores)
    if n < 2 or np.ptp(scores) == 0:
        return 0.0
    right = np.column_stack([scores, np.ones(n)])
    best = (-np.inf, 0.0)
    for share in SHARES:
        lower = cholesky(kernel + share * np.eye(n), lower=True)
        of_scores, of_ones = cho_solve((lower, True), right).T
        mean = of_scores.sum() / of_ones.sum()
        variance = float((scores - mean) @ (of_scores - mean * of_ones)) / n
        evidence = -0.5 * n * np.log(variance) - np.log(np.diag(lower)).sum()
        best = max(best, (float(evidence), share * variance))
    return best[1]
