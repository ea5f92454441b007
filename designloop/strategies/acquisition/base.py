"""What an acquisition is: the choice of a batch, on the posterior of any surrogate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from designloop.strategies.surrogates.base import Posterior

Admissible = Callable[[int], bool]
"""Whether the candidate in a row may be paid for; asked only when its turn has come, for screening is dear."""


class Acquisition(Protocol):
    """Chooses what to pay for."""

    def select(self, posterior: Posterior, wanted: int, seed: int, admissible: Admissible) -> Iterator[int]:
        """Rows of candidates in the order in which to pay for them: a batch of ``wanted``, then the rest.

        What is not admissible is passed over and changes nothing.
        """

    def reason(self, place: int) -> str:
        """By what it chose the row at a place of that order, from 0 on: a few words for who pays for it."""


class Ranking(Protocol):
    """Chooses what to breed from."""

    def bounds(self, posterior: Posterior) -> np.ndarray:
        """(m, …) what each candidate may come to."""

    def order(self, bounds: np.ndarray) -> np.ndarray:
        """(m,) rows, best first, of the bounds of candidates from whatever posteriors."""


def anything(row: int) -> bool:
    """Admits every candidate."""
    return True
