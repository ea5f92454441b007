"""Scores that are all but 0, as a process is told them: by their ranks.

Where a score is a product, most molecules have next to nothing of it, and the best that is known may be 1e-40 beside
1e-80. To a process that doubts a molecule by a whole unit all of these are 0, so that it would walk away from the one
path that leads up. Until a score can be seen, what is left of it is its order.
"""

from __future__ import annotations

import numpy as np

FAINT = 0.1
"""Score below which the best one is faint: beside the doubt of a unit it hardly draws a choice."""


def in_proportion(gain: float, best: float) -> float:
    """What the best has to gain beside a score that can be seen; of a faint one as much in proportion."""
    return gain * min(1.0, max(best, 0.0) / FAINT)


def told_apart(scores: np.ndarray) -> np.ndarray:
    """(n,) scores as they are, or, where the best is faint, ranks among the distinct ones, from 0 to ``FAINT``.

    Args:
        scores: (n,) from 0 to 1.
    """
    if not 0 < scores.max() < FAINT:
        return scores
    levels, ranks = np.unique(scores, return_inverse=True)
    return scores if len(levels) == 1 else np.asarray(FAINT * ranks / (len(levels) - 1))


def translated(values: np.ndarray, known: np.ndarray, meant: np.ndarray) -> np.ndarray:
    """(m,) where values stand by pairs of what is known and what is meant; themselves where both are the same array.

    Args:
        values: (m,) in terms of ``known``; beyond its ends they are taken for these.
        known: (n,) such as scores.
        meant: (n,) that rise with it, such as what a process was told of these.
    """
    if known is meant:
        return values
    order = np.argsort(known)
    return np.asarray(np.interp(values, known[order], meant[order]))
