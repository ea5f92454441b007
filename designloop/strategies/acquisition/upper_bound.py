"""The highest upper confidence bound, one molecule at a time (GP-BUCB), by lazy greedy selection.

Sources: Desautels et al. 2014 (the batch); Minoux 1978 (lazy greedy).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from designloop.strategies.acquisition.base import Admissible, Chances, anything, of_rows, worth
from designloop.strategies.surrogates.base import Fantasies, Posterior

_BATCH = 32
"""Bounds that are looked at again at once."""


@dataclass(frozen=True)
class UpperBound:
    """Each choice is taken as if its outcome were what is expected of it, which spreads a batch."""

    kappa: float
    """Standard deviations added to the mean."""

    def reason(self, place: int) -> str:
        """The bound, which chooses all."""
        return f"highest by the surrogate at {self.kappa:.2g} sd of doubt"

    def bounds(self, posterior: Posterior, chances: Chances = None) -> np.ndarray:
        """(m,) upper confidence bounds, before anything is chosen."""
        mean, doubt = posterior.moments()
        return worth(np.asarray(mean + self.kappa * doubt), chances)

    def order(self, bounds: np.ndarray) -> np.ndarray:
        """(m,) rows, the highest bound first."""
        return np.argsort(-bounds, kind="stable")

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows from the highest bound on; neither the number wanted nor the seed matters."""
        fantasies, n = Fantasies(posterior), len(posterior)
        bounds, left, fresh = np.full(n, np.inf), np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
        chosen = 0
        while left.any():
            row = int(np.argmax(np.where(left, bounds, -np.inf)))
            if not fresh[row]:
                # What is known about a molecule only grows, so a bound that was not looked at again is none too low: of
                # a Gaussian that holds exactly. Where values are clipped and put together less doubt may raise a mean
                # a little, and two that are as good as each other may then change places.
                stale = np.flatnonzero(left & ~fresh)
                rows = stale if chosen == 0 else stale[np.argsort(-bounds[stale], kind="stable")[:_BATCH]]
                mean, doubt = fantasies.moments(rows)
                bounds[rows], fresh[rows] = worth(mean + self.kappa * doubt, of_rows(chances, rows)), True
                continue
            left[row] = False
            if admissible(row):
                yield row
                fantasies.tell(row)
                chosen += 1
                fresh[:] = False
