"""Who votes on a block, and on what: one score, or several goals with a trade-off for each voter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from designloop.randomness import rng_of, seed_of
from designloop.strategies.acquisition.base import Acquisition
from designloop.strategies.acquisition.goal_votes import FrontVotes, GoalVoter, Worth
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement, draw_directions
from designloop.strategies.acquisition.votes import WIDE, Elector, Kappas, Voter, Votes, draw_kappas, draw_voters
from designloop.strategies.search.pool import Turn
from designloop.strategies.surrogates.base import Belief
from designloop.strategies.surrogates.committee import CommitteeModel, Member
from designloop.strategies.surrogates.committees import CommitteesModel
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.scalarised import Chebyshev


class VotedBelief(Protocol):
    """A belief whose members vote."""

    @property
    def members(self) -> Sequence[Member]:
        """Who may be asked, by number."""

    def paid(self, member: int) -> np.ndarray:
        """(n,) what a member would have foreseen of the molecules that the belief was fitted on."""


class Election(Protocol):
    """The vote on one block."""

    @property
    def belief(self) -> VotedBelief:
        """Whose members vote."""

    @property
    def processes(self) -> Sequence[FixedGP]:
        """By whose means ZINC is screened."""

    @property
    def worths(self) -> Sequence[Worth]:
        """Of (m, processes) means above those of the processes' scales, (m,) values: each has its best of ZINC."""

    def voters(self, rng: np.random.Generator, n: int) -> tuple[Sequence[Elector], Acquisition, Belief | None]:
        """So many of those who vote, how they choose a batch, and the belief that this goes by; None: the same."""


Electorate = Callable[[Belief, int, Turn], Election]
"""(belief, molecules wanted, turn) -> the vote on a block."""


@dataclass(frozen=True)
class ScoreElection:
    """A vote on one score."""

    belief: CommitteeModel
    kappas: Kappas

    @property
    def processes(self) -> list[FixedGP]:
        """That of the fingerprint which ZINC has."""
        return [self.belief.process_of_bank]

    @property
    def worths(self) -> list[Worth]:
        """The score."""
        return [lambda means: means[:, 0]]

    def voters(self, rng: np.random.Generator, n: int) -> tuple[list[Voter], Acquisition, Belief]:
        """Their surrogates are drawn by shares; each chooses by its own bound."""
        voters = draw_voters(rng, self.belief.shares, n, self.kappas)
        voting = sorted({voter.member for voter in voters})  # the others need not say what they hold of these
        renumbered = [replace(voter, member=voting.index(voter.member)) for voter in voters]
        chosen = self.belief.only(voting)
        return voters, Votes(renumbered, chosen.names), chosen


@dataclass(frozen=True)
class ScoreElectorate:
    """Those who vote on one score."""

    kappas: Kappas = WIDE
    """Between which voters draw theirs."""

    def __call__(self, belief: Belief, wanted: int, turn: Turn) -> ScoreElection:
        """The vote on a block."""
        if not isinstance(belief, CommitteeModel):
            raise TypeError(_unfit(belief, "CommitteeModel, as a Committee gives, to vote on a score"))
        return ScoreElection(belief, self.kappas)


class TradeOffs(Protocol):
    """What the goals are worth to the voters of a block."""

    def draw(self, paid: np.ndarray, n: int, turn: Turn) -> Sequence[Worth]:
        """One trade-off for each of n voters, in view of (m, goals) desirabilities of what was paid for."""

    def choice(self, voters: Sequence[GoalVoter], names: Sequence[str]) -> Acquisition:
        """How they choose a batch of candidates.

        Args:
            names: of the surrogates, by number.
        """


@dataclass(frozen=True)
class KnownWorth:
    """The objective's own score, which all voters share."""

    aggregate: Worth

    def draw(self, paid: np.ndarray, n: int, turn: Turn) -> list[Worth]:
        """The same for all."""
        return [self.aggregate] * n

    def choice(self, voters: Sequence[GoalVoter], names: Sequence[str]) -> Acquisition:
        """Each by its own bound."""
        return Votes(voters, names)


@dataclass(frozen=True)
class RoundsChebyshev:
    """Chebyshev's scalarisation with random weights, which all voters of a round share."""

    def draw(self, paid: np.ndarray, n: int, turn: Turn) -> list[Worth]:
        """That of the round for all."""
        return [Chebyshev.drawn(paid, seed_of(turn.seed, turn.rounds_seen, "trade-off"))] * n

    def choice(self, voters: Sequence[GoalVoter], names: Sequence[str]) -> Acquisition:
        """Each by its own bound."""
        return Votes(voters, names)


@dataclass(frozen=True)
class Directions:
    """A direction of the front for each voter."""

    front: HypervolumeImprovement

    def draw(self, paid: np.ndarray, n: int, turn: Turn) -> list[Worth]:
        """Directions from the reference point, more of them where more is missing."""
        rng = rng_of(turn.seed, turn.rounds_seen, "directions", turn.block)
        return list(draw_directions(rng, n, paid, self.front.reference_of(paid)))

    def choice(self, voters: Sequence[GoalVoter], names: Sequence[str]) -> Acquisition:
        """By what each adds to the front."""
        return FrontVotes(voters, self.front, names)


@dataclass(frozen=True)
class GoalElection:
    """A vote on several goals."""

    belief: CommitteesModel
    trade_offs: TradeOffs
    drawn: Sequence[Worth]
    """Of each voter."""
    kappas: Kappas

    @property
    def processes(self) -> list[FixedGP]:
        """Of each goal that of the fingerprint which ZINC has."""
        return self.belief.processes

    @property
    def worths(self) -> list[Worth]:
        """Of each trade-off that a voter has."""
        zero = np.array([process.scale.mean for process in self.processes])

        def of_means(worth: Worth) -> Worth:
            return lambda means: worth(np.clip(means + zero, 0.0, 1.0))

        return [of_means(worth) for worth in {id(worth): worth for worth in self.drawn}.values()]

    def voters(self, rng: np.random.Generator, n: int) -> tuple[list[GoalVoter], Acquisition, None]:
        """Their surrogates of each goal are drawn by shares; they choose as the trade-offs have it."""
        rows = zip(self.belief.draw_members(rng, n), draw_kappas(rng, n, self.kappas), self.drawn, strict=True)
        voters = [GoalVoter(*row) for row in rows]
        return voters, self.trade_offs.choice(voters, self.belief.names), None


@dataclass(frozen=True)
class GoalElectorate:
    """Those who vote on several goals."""

    trade_offs: TradeOffs
    kappas: Kappas = WIDE
    """Between which voters draw theirs."""

    def __call__(self, belief: Belief, wanted: int, turn: Turn) -> GoalElection:
        """The vote on a block."""
        if not isinstance(belief, CommitteesModel):
            raise TypeError(_unfit(belief, "CommitteesModel, as Committees give, to vote on goals"))
        drawn = self.trade_offs.draw(belief.expected, wanted, turn)
        return GoalElection(belief, self.trade_offs, drawn, self.kappas)


def _unfit(belief: Belief, expected: str) -> str:
    """The sentence on a belief whose members cannot vote."""
    return f"found the belief {type(belief).__name__}, expected a {expected}"
