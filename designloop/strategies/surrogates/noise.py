"""What a process is like whose scores come from an assay: a molecule that is measured twice has two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky

SHARES = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0)
"""Variances of the noise that are tried, in those of the process."""

LEAST = 1e-4
"""Variance of the noise that is taken at least, for what a kernel cannot tell apart."""

LEAST_VARIANCE = 10 * LEAST
"""Variance of the process that is taken at least: ten elevenths of a score then tell of its molecule, not of the noise.

Scores that are almost alike, such as those of a start where nothing is any good yet, would else be fitted by a process
that doubts nothing anywhere, and so hopes for nothing that is unlike them.
"""


@dataclass(frozen=True)
class ProcessScale:
    """Where a process lies, how far it reaches, and how noisily it is observed."""

    mean: float = 0.0
    variance: float = 1.0
    noise: float = LEAST
    """Variance of what is observed once."""

    def noises(self, readings: np.ndarray) -> np.ndarray:
        """(n,) variances of means of so many readings; what a kernel cannot tell apart stays."""
        return np.where(readings > 1, (self.noise - LEAST) / readings + LEAST, self.noise)


UNIT = ProcessScale()
"""Of a process that nothing is fitted of."""


def likely_scale(kernel: np.ndarray, scores: np.ndarray, readings: np.ndarray | None = None) -> ProcessScale:
    """The scale that makes scores most likely: mean and variance at their closed-form maximum, the noise's best share.

    Without it a process of variance 1 would take the noise of an assay, which is far less, for something to follow.
    The likelihood has one maximum in the variance, so where that lies below the least one, the least is the best.
    Source: Rasmussen & Williams 2006, eq. 2.30.

    Args:
        kernel: (n, n) of the molecules with themselves, 1 on the diagonal.
        scores: (n,)
        readings: (n,) that each is the mean of; None: each is one.
    """
    n = len(scores)
    of_one = 1 / (np.ones(n) if readings is None else readings)
    if n < 2 or np.ptp(scores) == 0:
        return ProcessScale(float(scores.mean()) if n else 0.0)
    right = np.column_stack([scores, np.ones(n)])
    best = (-np.inf, UNIT)
    for share in SHARES:
        lower = cholesky(kernel + np.diag(share * of_one), lower=True)
        of_scores, of_ones = cho_solve((lower, True), right).T
        mean = float(of_scores.sum() / of_ones.sum())
        fitted = float((scores - mean) @ (of_scores - mean * of_ones)) / n
        variance = max(fitted, LEAST_VARIANCE)
        evidence = float(-0.5 * n * (np.log(variance) + fitted / variance) - np.log(np.diag(lower)).sum())
        if evidence > best[0]:
            best = evidence, ProcessScale(mean, variance, share * variance + LEAST)
    return best[1]
