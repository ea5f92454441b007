"""Thompson sampling: joint draws of all candidates' values, each of which chooses its favourite in turn.

Source: Eriksson et al. 2019 (Thompson sampling of a finite set).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from designloop.strategies.acquisition.base import Admissible, Chances, anything, worth
from designloop.strategies.surrogates.base import Posterior


@dataclass(frozen=True)
class Thompson:
    """As many draws as molecules are wanted."""

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows in the order in which the draws choose them.

        What is drawn of a candidate is worth its chance: were success drawn as well, each candidate for itself, some of
        many kin that will all fail would succeed in every draw.
        """
        return in_turns(worth(posterior.samples(wanted, seed), chances), admissible)

    def reason(self, place: int) -> str:
        """A draw, as of all."""
        return "highest in a draw of what the surrogate holds for possible"


def in_turns(preferences: np.ndarray, admissible: Admissible = anything) -> Iterator[int]:
    """Columns in the order in which voters, taking turns, choose their favourite of what is left and admissible.

    Args:
        preferences: (voters, n), the greater the better.
    """
    left, turn = preferences.copy(), 0
    for _ in range(left.shape[1]):
        favourite = int(left[turn % len(left)].argmax())
        left[:, favourite] = -np.inf
        if admissible(favourite):
            turn += 1
            yield favourite
