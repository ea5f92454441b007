"""Votes: each choice is made by one surrogate of several, by its own bound, at a doubt drawn anew.

A batch so holds what is surely good beside what may be, and what any surrogate favours that was right before. Each
choice is then taken by all as if its outcome were what they expect of it.
Source: Tripp & Hernández-Lobato 2024 (the range of κ where doubt is wide).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

import numpy as np

from designloop.strategies.acquisition.base import Admissible, Chances, anything, of_rows, worth
from designloop.strategies.surrogates.base import Fantasies, Posterior
from designloop.strategies.surrogates.committee import CommitteePosterior

Kappas = tuple[float, float]
"""Least and greatest standard deviations of doubt added to the mean; drawn between them, evenly in the logarithm."""

WIDE: Kappas = (0.01, 1.0)
"""Where the doubt is a whole unit by design, many times the errors that are made."""

FITTED: Kappas = (1.0, 3.0)
"""Where the doubt is fitted to scores: with less of it, a batch is all kin of what was lucky."""


MomentsOf = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""Number of a surrogate -> (m,) means and standard deviations that it gives to candidates."""


class Elector(Hashable, Protocol):
    """Chooses one molecule."""

    @property
    def members(self) -> Sequence[int]:
        """Numbers of the surrogates that it asks."""

    @property
    def kappa(self) -> float:
        """Standard deviations of their doubt that it adds to their means."""

    def bounds(self, moments: MomentsOf) -> np.ndarray:
        """(m,) what each candidate may be worth to it."""


@dataclass(frozen=True)
class Voter:
    """Chooses by the bound of one surrogate."""

    member: int
    """Number of its surrogate."""
    kappa: float

    @property
    def members(self) -> tuple[int, ...]:
        """Its surrogate alone."""
        return (self.member,)

    def bounds(self, moments: MomentsOf) -> np.ndarray:
        """(m,) upper confidence bounds."""
        mean, doubt = moments(self.member)
        return np.asarray(mean + self.kappa * doubt)


def draw_voters(
    rng: np.random.Generator, shares: Sequence[float] | np.ndarray, n: int, kappas: Kappas = WIDE
) -> list[Voter]:
    """So many voters: their surrogates by shares, their κ at random."""
    members = rng.choice(len(shares), n, p=np.asarray(shares))
    drawn = draw_kappas(rng, n, kappas)
    return [Voter(int(member), kappa) for member, kappa in zip(members, drawn, strict=True)]


def draw_kappas(rng: np.random.Generator, n: int, kappas: Kappas) -> list[float]:
    """So many standard deviations of doubt."""
    least, greatest = kappas
    drawn: list[float] = np.exp(rng.uniform(np.log(least), np.log(greatest), n)).tolist()
    return drawn


def words_of(voter: Elector, names: Sequence[str]) -> str:
    """Whose judgement a voter goes by, and at what doubt, in words.

    Args:
        names: of the surrogates, by number; none where they have none.
    """
    asked = ", ".join(names[member] for member in voter.members) if names else "a surrogate"
    return f"{asked} at {voter.kappa:.2g} sd of doubt"


class Outcomes:
    """What the surrogates that voters ask hold of candidates, after what was chosen came out as they expect of it."""

    def __init__(self, posterior: Posterior, voters: Sequence[Elector]) -> None:
        members = members_of(posterior)
        asked = (number for voter in voters for number in voter.members)
        self._fantasies = {number: Fantasies(members[number]) for number in dict.fromkeys(asked)}

    def of(self, rows: np.ndarray) -> MomentsOf:
        """What they hold of the candidates in these rows."""
        return lambda number: self._fantasies[number].moments(rows)

    def tell(self, row: int) -> None:
        """Takes in that a candidate was chosen."""
        for fantasy in self._fantasies.values():
            fantasy.tell(row)


def members_of(posterior: Posterior) -> Sequence[Posterior]:
    """The posteriors that vote: a committee's, or the one that there is."""
    return posterior.members if isinstance(posterior, CommitteePosterior) else [posterior]


def shares_of(posterior: Posterior) -> Sequence[float] | np.ndarray:
    """Of the choices, by member."""
    return posterior.shares if isinstance(posterior, CommitteePosterior) else (1.0,)


@dataclass(frozen=True)
class Votes:
    """The voters of a batch, who choose in turn."""

    voters: Sequence[Elector]
    names: Sequence[str] = ()
    """Of the surrogates, by number; none where they have none."""

    def reason(self, place: int) -> str:
        """The voter, who chose in turn."""
        return f"highest by {words_of(self.voters[place % len(self.voters)], self.names)}"

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows in the order in which the voters choose them; neither the number wanted nor the seed matters."""
        outcomes, left = Outcomes(posterior, self.voters), np.arange(len(posterior))
        for voter in cycle(self.voters):
            bounds = worth(voter.bounds(outcomes.of(left)), of_rows(chances, left))
            for row in left[np.argsort(-bounds, kind="stable")].tolist():
                left = left[left != row]
                if admissible(row):
                    yield row
                    outcomes.tell(row)
                    break
            if not left.size:
                return
