"""Breeding by the upper bound: each free generation after the first is made of what ranks best so far.

Screening is the dearest step, so only what is about to breed or to be paid for is screened.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np

from designloop.molecules.chemistry import scaffold_or_self
from designloop.randomness import rng_of
from designloop.records import Candidate
from designloop.strategies.acquisition.base import Ranking
from designloop.strategies.archive.archive import Archive, Member, parents_by_rank
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import CampaignView
from designloop.strategies.learning.feasibility import Feasibility
from designloop.strategies.search.isomers import Isomers, worth_paying
from designloop.strategies.search.pool import Bred, Pool, Propose, Turn, evolve
from designloop.strategies.surrogates.base import Belief, View

_FEWEST = 16
"""As many molecules are bred for as if so many were wanted."""

_CONSIDERED = 4
"""Molecules that a batch is chosen from, for each one wanted."""


Allowed = Callable[[int], Sequence[Candidate]]
"""Row of a pool -> its candidate in standard form, where it may be admitted; else nothing."""


@dataclass(frozen=True, kw_only=True)
class BreedByBound:
    """The first generation is bred from the elites, the others from the free molecules of highest bound."""

    campaign: CampaignView
    transcriber: Transcriber
    view: View
    propose: Propose
    elites: Callable[[Archive], list[Member]]
    bound: Ranking
    draws: float = 2.5
    """Of a generation, for each molecule wanted."""
    generations: int = 4
    parents: int = 40
    """What each generation after the first is bred from."""
    per_scaffold: int = 3
    """Most parents that share a scaffold; a new scaffold has generations of its own to catch up in."""
    feasibility: Feasibility | None = None
    """Says which molecules may fail; None: nothing is thought of it."""
    isomers: Isomers | None = None
    """Says which isomers are not worth a call; None: each is a molecule like any other."""

    def __call__(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> Bred | None:
        """The pool, of which the candidates of highest bound are considered; None of fewer than two elites."""
        elites = self.elites(archive)
        if len(elites) < 2:
            return None
        pool, bounds = Pool(self.view), list[np.ndarray]()
        chances_of = None if self.feasibility is None else self.feasibility.chances()

        def rank(new: slice) -> np.ndarray:
            """Rows of the pool, the highest bound first."""
            if new.stop > new.start:
                chances = None if chances_of is None else chances_of(pool.names[new])
                bounds.append(self.bound.bounds(belief(pool.features(new)), chances))
            return self.bound.order(np.concatenate(bounds)) if bounds else np.zeros(0, dtype=int)

        @lru_cache(None)  # what ranks highest is asked about in every generation
        def allowed(row: int) -> Sequence[Candidate]:
            return self.campaign.allowed([pool.candidates[row]])

        def choose(new: slice, generation: int) -> Sequence[Member]:
            nonlocal elites
            if (ranked := rank(new)).size:
                elites = self._favourites(pool, ranked.tolist(), allowed)
            return elites

        n = int(self.draws * max(wanted, _FEWEST))
        rng = rng_of(turn.seed, turn.rounds_seen, "parents", turn.block)

        def draw(parents: Sequence[Member], generation: int) -> Sequence[Candidate]:
            return self.propose(parents_by_rank(rng, parents, n), n, turn, generation)

        evolve(pool, choose, draw, self.generations)
        paid, rows = set(archive.smiles), rank(slice(sum(map(len, bounds)), len(pool))).tolist()
        ranked = [row for row in rows if pool.names[row] not in paid]
        better = ranked[: math.ceil(len(ranked) / 2)]
        considered = list(islice(worth_paying(self.isomers, pool.names, ranked), _CONSIDERED * wanted))
        chances = None if chances_of is None else chances_of([pool.names[row] for row in considered])
        free = [candidate for name, candidate in zip(pool.names, pool.candidates, strict=True) if name not in paid]
        return Bred(pool, considered, better, free, chances)

    def _favourites(self, pool: Pool, ranked: Sequence[int], allowed: Allowed) -> list[Member]:
        """Those that the next generation is bred from, of rows of the pool, the best first."""
        best = islice(limit_per_scaffold(pool, ranked, self.per_scaffold, allowed), self.parents)
        members = (self.transcriber.member(candidate) for candidate in best)
        return [member for member in members if member is not None]


def limit_per_scaffold(pool: Pool, rows: Sequence[int], most: int, allowed: Allowed) -> Iterator[Candidate]:
    """Those that are allowed of some rows of a pool, at most so many of each scaffold."""
    count: Counter[str] = Counter()
    for row in rows:
        kind = scaffold_or_self(pool.candidates[row].smiles)
        if count[kind] < most:
            for candidate in allowed(row):
                count[kind] += 1
                yield candidate
