"""Free candidates: where in a campaign they are drawn, the pool of a block, and how it grows by generations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from designloop.records import Candidate
from designloop.strategies.acquisition.base import Acquisition, Chances
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.surrogates.base import Belief, View


@dataclass(frozen=True)
class Turn:
    """Where in a campaign something is drawn: what a seed is made of, beside its purpose."""

    seed: int
    """Of the campaign."""
    rounds_seen: int
    block: int = 0
    """Number of the part of a round's stream: another one follows where the parts before gave too little."""


class Pool:
    """The free candidates of one block as a surrogate sees them, each once.

    Args:
        view: how the surrogate sees them.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.names: list[str] = []
        self.candidates: list[Candidate] = []
        self._known: set[str] = set()
        self._features: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.names)

    def add(self, drawn: Sequence[Candidate]) -> None:
        """Takes in those that are new, and that the surrogate can see."""
        first = len(self.names)
        for name, candidate in zip(self.view.names(drawn), drawn, strict=True):
            if name is not None and name not in self._known:
                self._known.add(name)
                self.names.append(name)
                self.candidates.append(candidate)
        if len(self.names) > first:
            self._features.append(self.view.features(self.names[first:]))

    def features(self, rows: Sequence[int] | np.ndarray | slice) -> np.ndarray:
        """(k, features) of some of them."""
        self._features = [np.concatenate(self._features)]
        return np.asarray(self._features[0][rows])


@dataclass(frozen=True)
class Bred:
    """A block that was bred: what a batch is chosen of."""

    pool: Pool
    considered: Sequence[int]
    """Rows that the acquisition sees."""
    better: Sequence[int]
    """Rows of the better half of the free molecules, by what they are expected to be or hoped to be."""
    free: Sequence[Candidate]
    """All that was not paid for. Where nothing may be admitted it goes out as it is: the loop counts why, and ends."""
    chances: Chances = None
    """Of those considered."""
    acquisition: Acquisition | None = None
    """That was bred for; None: the search's own."""
    belief: Belief | None = None
    """That this acquisition goes by; None: the one that was bred by."""


Breed = Callable[[Archive, Belief, int, Turn], Bred | None]
"""(archive, belief, molecules wanted, turn) -> a bred block; None where there is nothing to breed from."""

Draw = Callable[[Archive, int, Turn], Sequence[Candidate]]
"""(archive, molecules wanted, turn) -> candidates that nothing ranks."""

Propose = Callable[[Sequence[Member], int, Turn, int], Sequence[Candidate]]
"""(parents, number of draws, turn, generation) -> free candidates."""


class Source(Protocol):
    """Where free molecules come from that are not bred."""

    def propose(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> list[Candidate]:
        """Some, by what was paid for and by what is believed of others."""


def evolve(
    pool: Pool,
    choose: Callable[[slice, int], Sequence[Member]],
    draw: Callable[[Sequence[Member], int], Sequence[Candidate]],
    generations: int,
) -> None:
    """Adds some free generations to a pool.

    Args:
        choose: (rows that are new since the last choice, number of the generation) -> parents.
        draw: (parents, number of the generation) -> candidates.
    """
    first = 0
    for generation in range(generations):
        parents = choose(slice(first, len(pool)), generation)
        first = len(pool)
        pool.add(draw(parents, generation))
