"""Tests of forecasts of returns: whose densities are better, whether losses exceed quantiles as often as they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import xlogy

Array = NDArray[np.float64]


def p_of_being_worse(ours: Array, theirs: Array) -> float:
    """Returns the one-sided p-value of Diebold & Mariano 1995 against "our scores (steps,) are no worse than theirs".

    The variance of the mean difference is that of Newey & West 1987 with ⌊4 (n / 100)^(2/9)⌋ lags.
    """
    gain = ours - theirs
    n, centred = len(gain), gain - gain.mean()
    lags = int(4 * (n / 100) ** (2 / 9))
    variance = centred @ centred / n
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag]) / n
    return float(stats.norm.cdf(gain.mean() / np.sqrt(variance / n)))


def kupiec_region(days: int, level: float, confidence: float = 0.99) -> tuple[int, int]:
    """Returns the least and the most exceptions that Kupiec's likelihood ratio (1995) does not refuse."""
    counts = np.arange(days + 1)
    share = counts / days
    ratio = 2 * (xlogy(counts, share / level) + xlogy(days - counts, (1 - share) / (1 - level)))
    inside = counts[ratio <= stats.chi2(1).ppf(confidence)]
    return int(inside[0]), int(inside[-1])


def christoffersen(exceptions: NDArray[np.bool_], level: float) -> tuple[float, float]:
    """Returns p-values of Christoffersen 1998: that exceptions come independently; that and as often as they should."""
    before, after = exceptions[:-1], exceptions[1:]
    counts = np.array([[np.sum((before == i) & (after == j)) for j in (False, True)] for i in (False, True)])

    def log_likelihood(chances: Array) -> float:
        return float((xlogy(counts[:, 0], 1 - chances) + xlogy(counts[:, 1], chances)).sum())

    of_both = counts[:, 1].sum() / counts.sum()
    own = counts[:, 1] / np.maximum(counts.sum(1), 1)
    free = log_likelihood(own)
    independent = 2 * (free - log_likelihood(np.full(2, of_both)))
    conditional = 2 * (free - log_likelihood(np.full(2, level)))
    return float(stats.chi2(1).sf(independent)), float(stats.chi2(2).sf(conditional))


def pinball(returns: Array, quantiles: Array, level: float) -> float:
    """Returns the mean pinball loss of quantiles (steps,), the data's unit."""
    away = returns - quantiles
    return float(np.mean(np.maximum(level * away, (level - 1) * away)))
