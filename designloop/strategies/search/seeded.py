"""Breeding by vote, with what was sought in latent space in the pool from the start: the best by vote is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from designloop.records import Candidate
from designloop.strategies.archive.archive import Archive
from designloop.strategies.search.core import Core
from designloop.strategies.search.latent_search import LatentSearch
from designloop.strategies.search.pool import Bred, Source, Turn
from designloop.strategies.search.voting import BreedByVote
from designloop.strategies.surrogates.base import Belief

MOST_JOINT = 3000
"""Candidates that an acquisition which needs their joint law sees."""


@dataclass(frozen=True)
class _Beside:
    """What a source gives, and what was written besides."""

    source: Source | None
    core: Core
    written: Sequence[Candidate]

    def propose(self, archive: Archive, rng: np.random.Generator) -> list[Candidate]:
        given = self.source.propose(archive, rng) if self.source is not None else []
        return [*self.core.holding(given), *self.written]


@dataclass(frozen=True)
class SeededByLatents:
    """Free generations that begin with what was paid for, with the screen, and with latent space."""

    by_vote: BreedByVote
    latent: LatentSearch
    votes: bool = True
    """Whether those who bred choose the batch, too; False: the search's own acquisition does."""

    def __call__(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> Bred | None:
        """The pool, of which each voter's favourites are considered; None of fewer than two molecules."""
        written = self.latent.propose(archive, belief, wanted, turn)
        beside = _Beside(self.by_vote.screen, self.latent.core, written)
        bred = replace(self.by_vote, screen=beside)(archive, belief, wanted, turn)
        if bred is None or self.votes:
            return bred
        return replace(bred, considered=bred.considered[:MOST_JOINT], acquisition=None)
