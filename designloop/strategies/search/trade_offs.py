"""One score a round for a search that foresees one score, where several goals are traded off: drawn anew each round.

Whoever asks or learns in a round sees every molecule that was paid for with its value under the round's trade-off, so
that a front is sought one direction after another. What is stored has the campaign's own scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from designloop.randomness import seed_of
from designloop.records import Scored
from designloop.strategies.archive.archive import Archive, Member, by_score
from designloop.strategies.base import KnownObjective
from designloop.strategies.surrogates.scalarised import Chebyshev


@dataclass(frozen=True)
class RoundsTradeOff:
    """The trade-off of one round."""

    objective: KnownObjective
    value: Chebyshev

    def archive(self, archive: Archive) -> Archive:
        """The same molecules, by their values."""
        return replace(archive, members=tuple(self.members(archive.members)), standing=by_score)

    def members(self, members: Sequence[Member]) -> list[Member]:
        """The same molecules, by their values."""
        if not members:
            return []
        values = self.value(self.objective.desirabilities(np.array([member.values for member in members])))
        return [replace(member, score=value) for member, value in zip(members, values.tolist(), strict=True)]

    def rows(self, rows: Sequence[Scored]) -> list[Scored]:
        """The same rows, by their values; those without a score stay without."""
        return [row if row.score is None else replace(row, score=self._of(row)) for row in rows]

    def _of(self, row: Scored) -> float:
        return float(self.value(np.array([row.desirability[name] for name in self.objective.names], dtype=float)))


@dataclass(frozen=True)
class RandomTradeOffs:
    """A trade-off for each round of a campaign."""

    objective: KnownObjective
    seed: int
    """Of the campaign."""

    def of_round(self, archive: Archive, rounds_seen: int) -> RoundsTradeOff:
        """That of the round after so many, in the units of what was paid for."""
        goals = len(self.objective.names)
        paid = self.objective.desirabilities(archive.values) if len(archive) else np.zeros((1, goals))
        drawn = Chebyshev.drawn(paid, seed_of(self.seed, rounds_seen, "trade-off"))
        return RoundsTradeOff(self.objective, drawn)
