"""A batch that trades the strategy's own order for distance: chosen from the first so many that it may be made of.

    value(batch) = mean of (1 - place / number of places) + penalty * mean distance of its pairs

The best of a fixed family of batches is taken, each grown greedily under a trade-off of its own (maximal marginal
relevance). The family does not depend on the penalty, so a greater one never gives a batch of smaller mean distance.
Source: Carbonell & Goldstein 1998, "The use of MMR, diversity-based reranking for reordering documents".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Admit = Callable[[int], bool]
"""Takes a row into a batch, or says that there is no room for it beside those taken before."""

WINDOW = 3
"""Candidates that a batch is chosen from, for each one wanted."""

_TRADE_OFFS = (0.0, *(2.0**power for power in range(-4, 6)))
"""Of the batches of the family; the first follows the order alone."""


def spread_batch(
    distances: np.ndarray, wanted: int, penalty: float, begin: Callable[[], Admit], first: Sequence[int] = ()
) -> list[int]:
    """The rows of a batch, in the order in which they were chosen; without a penalty the first that there is room for.

    Args:
        distances: (n, n) of candidates in the strategy's own order.
        wanted: how many at most; the largest batches of the family are compared.
        penalty: what mean distance weighs.
        begin: gives the admission to an empty batch.
        first: rows that every batch begins with, so far as they are admitted.
    """
    preference = 1 - np.arange(len(distances)) / max(len(distances), 1)
    trade_offs = _TRADE_OFFS if penalty else _TRADE_OFFS[:1]
    family = [_grow(distances, preference, wanted, trade_off, begin(), first) for trade_off in trade_offs]
    size = max(map(len, family))
    largest = [batch for batch in family if len(batch) == size]
    values = [preference[batch].sum() / max(size, 1) + penalty * mean_distance(distances, batch) for batch in largest]
    return largest[int(np.argmax(values))]


def mean_distance(distances: np.ndarray, batch: Sequence[int]) -> float:
    """Of the pairs of a batch; 0 of fewer than two."""
    if len(batch) < 2:
        return 0.0
    return float(distances[np.ix_(batch, batch)].sum() / (len(batch) * (len(batch) - 1)))


def _grow(
    distances: np.ndarray, preference: np.ndarray, wanted: int, trade_off: float, admit: Admit, first: Sequence[int]
) -> list[int]:
    """A batch, those that are first, then one after another by preference and by mean distance to those before it."""
    chosen: list[int] = []
    left, far, before = np.ones(len(distances), dtype=bool), np.zeros(len(distances)), list(first)[::-1]
    while left.any() and len(chosen) < wanted:
        value = preference + trade_off * far / max(len(chosen), 1)
        row = before.pop() if before else int(np.argmax(np.where(left, value, -np.inf)))
        left[row] = False
        if admit(row):
            chosen.append(row)
            far += distances[row]
    return chosen
