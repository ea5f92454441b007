"""What a learner is: a part that changes when scores come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from designloop.records import Scored, State
from designloop.strategies.archive.archive import Archive
from designloop.strategies.surrogates.base import Belief


@dataclass(frozen=True)
class ToldRound:
    """A round as learners see it."""

    number: int
    """Rounds seen, this one included."""
    scored: Sequence[Scored]
    """Those of its rows that have a score."""
    news: Sequence[Scored]
    """Those of them that were not known with those very values, and that the model can write."""
    before: Archive
    archive: Archive
    """With this round's molecules."""
    belief: Belief | None
    """By which candidates were ranked; None where there was none yet."""
    failed: Sequence[Scored] = ()
    """Those of its rows that were tried and gave no value."""

    def firsts(self, rows: Sequence[Scored]) -> list[Scored]:
        """Those of some of its rows whose molecule has its first score: none that was known, and no correction."""
        known = set(self.before.smiles)
        return [row for row in rows if row.smiles not in known and not row.scored_before]


class Learner(Protocol):
    """Learns from a round."""

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Takes a round in; gives its metrics."""


class ModelLearner(Learner, Protocol):
    """Learns weights of the model."""

    @property
    def model_round(self) -> int:
        """Number of the round whose learning the model has; 0 is the pretrained model."""

    def forget(self) -> None:
        """Sets the model back to the pretrained one; nothing is left of what it learned from."""


@runtime_checkable
class Restarting(Protocol):
    """A part that goes by what the search knows now, also where that is another archive than it was told of."""

    def restarted(self, archive: Archive) -> None:
        """Takes in the archive that the search goes on with."""


@runtime_checkable
class Stateful(Protocol):
    """A part that a restart has to bring back: it is made from what it gave here."""

    def state(self) -> State:
        """All that it has learned, as copies."""
