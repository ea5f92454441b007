"""What a campaign has paid for, as far as a strategy learns from it: bounded, and in the model's own writing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from designloop.molecules.chemistry import scaffold
from designloop.molecules.errors import MoleculeError
from designloop.records import Candidate, Scored
from designloop.strategies.proposers import Elite
from designloop.strategies.surrogate import features

if TYPE_CHECKING:
    from designloop.molecules.codec import Codec

MOST_SEEN = 1000
"""Scored molecules that are remembered, and that a surrogate is fitted on: the best half and the latest."""


class Memory:
    """Molecules with their scores, in the order of their calls.

    Args:
        codec: of the model; what its alphabet cannot express is not remembered.
        properties: whose values are remembered beside the score; ``score`` may be one of them.
        seen: what an earlier memory held.
    """

    def __init__(self, codec: Codec, properties: Sequence[str], seen: Iterable[Elite] = ()) -> None:
        self.codec = codec
        self.properties = tuple(properties)
        self.seen: list[Elite] = list(seen)
        self._features: dict[str, np.ndarray] = {}

    @classmethod
    def from_json(cls, codec: Codec, properties: Sequence[str], rows: Iterable[Sequence[Any]]) -> Memory:
        """The memory that ``to_json`` told of."""
        seen = (Elite(smiles, selfies, score, tuple(values)) for smiles, selfies, score, values in rows)
        return cls(codec, properties, seen)

    def to_json(self) -> list[list[Any]]:
        """[SMILES, SELFIES, score, values] of each."""
        return [[one.smiles, one.selfies, one.score, list(one.values)] for one in self.seen]

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def scores(self) -> np.ndarray:
        """One score a molecule, (len(self),)."""
        return np.array([one.score for one in self.seen])

    @property
    def values(self) -> np.ndarray:
        """One row a molecule, (len(self), properties)."""
        return np.array([one.values for one in self.seen])

    def take_in(self, scored: Iterable[Scored]) -> None:
        """Adds those that have a score; forgets the oldest of the lesser half where they become too many."""
        for row in scored:
            if row.score is not None and (one := self.elite(row.candidate, row.score)) is not None:
                values = {name: done.value for name, done in row.evaluation.results.items() if done.value is not None}
                values["score"] = row.score
                self.seen.append(replace(one, values=tuple(values[name] for name in self.properties)))
        seen = self.seen
        if len(seen) > MOST_SEEN:
            best = sorted(range(len(seen)), key=lambda i: -seen[i].score)[: MOST_SEEN // 2]
            self.seen = [seen[i] for i in sorted({*best, *range(len(seen) - MOST_SEEN // 2, len(seen))})]
        self._features = {e.smiles: self._features[e.smiles] for e in self.seen if e.smiles in self._features}

    def elite(self, candidate: Candidate, score: float) -> Elite | None:
        """A candidate in the model's own canonical writing; None where the alphabet cannot express it."""
        try:
            own = self.codec.to_smiles(candidate.selfies) if candidate.selfies else candidate.smiles
            return Elite(candidate.smiles, self.codec.to_selfies(own or candidate.smiles), score)
        except MoleculeError:
            return None

    def best(self, n: int, per_scaffold: int) -> list[Elite]:
        """The ``n`` of highest score, best first, the earlier first among equals; few of one scaffold."""
        held: Counter[str] = Counter()
        chosen: list[Elite] = []
        for one in sorted(self.seen, key=lambda e: -e.score):
            kind = scaffold(one.smiles)
            if held[kind] < per_scaffold:
                held[kind] += 1
                chosen.append(one)
                if len(chosen) == n:
                    break
        return chosen

    def features(self, smiles: Sequence[str]) -> np.ndarray:
        """(n, bits) rows for the surrogate, of any molecules; kept until the next ``take_in``, and then if seen."""
        new = [one for one in smiles if one not in self._features]
        if new:
            self._features.update(zip(new, features(new).astype(bool), strict=True))
        return np.stack([self._features[one] for one in smiles]).astype(np.float32)
