"""What an acquisition is: the choice of a batch, on the posterior of any surrogate.

Some candidates may give no value at all. What a molecule may come to, or may add, is then worth its chance to give one:
``worth`` says how much, and every acquisition that looks weighs what it goes by with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from designloop.strategies.surrogates.base import Posterior

Admissible = Callable[[int], bool]
"""Whether the candidate in a row may be paid for; asked only when its turn has come, for screening is dear."""

Chances = np.ndarray | None
"""(m,) of the candidates, to give a value at all; None: all surely do."""


class Acquisition(Protocol):
    """Chooses what to pay for."""

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows of candidates in the order in which to pay for them: a batch of ``wanted``, then the rest.

        What is not admissible is passed over and changes nothing.
        """

    def reason(self, place: int) -> str:
        """By what it chose the row at a place of that order, from 0 on: a few words for who pays for it."""


class Ranking(Protocol):
    """Chooses what to breed from."""

    def bounds(self, posterior: Posterior, chances: Chances = None) -> np.ndarray:
        """(m, …) what each candidate may come to."""

    def order(self, bounds: np.ndarray) -> np.ndarray:
        """(m,) rows, best first, of the bounds of candidates from whatever posteriors."""


def anything(row: int) -> bool:
    """Admits every candidate."""
    return True


def worth(values: np.ndarray, chances: Chances) -> np.ndarray:
    """(…, m) what molecules may come to or add, times the chances that they give a value at all.

    A value below 0, which a poor molecule may have, stays what it is: a chance must not make it better.
    """
    return values if chances is None else np.where(values > 0, values * chances, values)


def of_rows(chances: Chances, rows: np.ndarray) -> Chances:
    """(k,) those of some candidates."""
    return None if chances is None else chances[rows]
