"""Breeding by vote, with what was sought in latent space in the pool from the start: the best by vote is paid for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from designloop.strategies.archive.archive import Archive
from designloop.strategies.search.latent_search import LatentSearch
from designloop.strategies.search.pool import Bred, Turn
from designloop.strategies.search.voting import BreedByVote
from designloop.strategies.surrogates.base import Belief

MOST_JOINT = 3000
"""Candidates that an acquisition which needs their joint law sees."""


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
        bred = self.by_vote(archive, belief, wanted, turn, written)
        if bred is None or self.votes:
            return bred
        return replace(bred, considered=bred.considered[:MOST_JOINT], acquisition=None)
