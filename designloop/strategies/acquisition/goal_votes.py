"""Votes where there are several goals: every voter has its own surrogate of each goal, its own doubt and trade-off.

By these it ranks what is bred from, so that breeding keeps many directions alive. A batch is then chosen by what each
voter's upper bounds add to the hypervolume of the front, to which each choice belongs as it is expected to come out:
no two fill the same gap.
Sources: Knowles 2006 and Daulton et al. 2020 (a trade-off for each choice); Zhang & Golovin 2020 (the directions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from designloop.strategies.acquisition.base import Admissible, Chances, anything, of_rows, worth
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement, reaches
from designloop.strategies.acquisition.votes import MomentsOf, Outcomes, words_of
from designloop.strategies.surrogates.base import Posterior

_BEYOND = 1e-6
"""What a bound counts by which a desirability would exceed its highest value."""

Worth = Callable[[np.ndarray], np.ndarray]
"""(m, goals) desirabilities -> (m,) what they are worth under a trade-off."""


@dataclass(frozen=True, eq=False)
class GoalVoter:
    """Chooses by upper bounds of all goals."""

    members: tuple[int, ...]
    """Number of its surrogate of each goal."""
    kappa: float
    worth: Worth
    """Its trade-off."""

    def goal_bounds(self, moments: MomentsOf) -> np.ndarray:
        """(m, goals) upper confidence bounds of the desirabilities, from 0 to next to nothing above 1."""
        known = (moments(member) for member in self.members)
        bounds = np.stack([mean + self.kappa * doubt for mean, doubt in known], -1)
        # Many reach 1 where the doubt is wide; which of them goes furthest is still told.
        return np.asarray(np.clip(bounds, 0.0, 1.0) + _BEYOND * np.maximum(bounds - 1.0, 0.0))

    def expected(self, moments: MomentsOf) -> np.ndarray:
        """(m, goals) desirabilities that it expects."""
        return np.asarray(np.clip(np.stack([moments(member)[0] for member in self.members], -1), 0.0, 1.0))

    def bounds(self, moments: MomentsOf) -> np.ndarray:
        """(m,) what the bounds are worth to it."""
        return self.worth(self.goal_bounds(moments))


@dataclass(frozen=True)
class FrontVotes:
    """The voters of a batch, who choose in turn what may add most to the front."""

    voters: Sequence[GoalVoter]
    front: HypervolumeImprovement
    """Whose reference point it is."""
    names: Sequence[str] = ()
    """Of the surrogates, by number; none where they have none."""

    def reason(self, place: int) -> str:
        """The voter, who chose in turn."""
        return f"for the front, by {words_of(self.voters[place % len(self.voters)], self.names)}"

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows in the order in which the voters choose them; a voter that expects no gain goes by its trade-off."""
        paid, outcomes = posterior.known_goals.paid, Outcomes(posterior, self.voters)
        reference, left = self.front.reference_of(paid), np.arange(len(posterior))
        best = reaches(paid, reference).max(0, initial=0.0)
        for voter in cycle(self.voters):
            bounds = voter.goal_bounds(outcomes.of(left))
            of_left = of_rows(chances, left)
            gains = worth(np.maximum(reaches(bounds, reference) - best, 0.0).mean(1), of_left)
            for row in left[np.lexsort((-worth(voter.worth(bounds), of_left), -gains))].tolist():
                left = left[left != row]
                if admissible(row):
                    yield row
                    best = np.maximum(best, reaches(voter.expected(outcomes.of(np.array([row])))[0], reference))
                    outcomes.tell(row)
                    break
            if not left.size:
                return
