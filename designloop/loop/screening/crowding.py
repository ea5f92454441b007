"""What was charged, as far as it leaves the next molecules no room: identities, scaffolds, neighbours."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
from rdkit import DataStructs
from rdkit.DataStructs import ExplicitBitVect

from designloop.loop.screening.diversity import Diversity
from designloop.molecules.chemistry import fingerprints, framework, scaffold
from designloop.molecules.fingerprints import BITS
from designloop.words import counted

SCAFFOLD, NEAR, BATCH = "per_scaffold", "min_distance", "batch_distance"
"""Reasons for which a molecule is refused: its scaffold is full; it is too near to one that was charged, or to one of
its own batch."""

_REMEMBERED = 100_000
"""Molecules whose fingerprints are remembered."""

_WORD = 64
"""Bits of a word."""


class Charged:
    """Molecules that count against newness, against the fill of their scaffolds, and as neighbours.

    Args:
        limits: only what they ask for is kept.
    """

    def __init__(self, limits: Diversity) -> None:
        self._limits = limits
        self._core = framework if limits.scaffold == "framework" else scaffold
        self.identities: set[str] = set()
        """Asked for membership only, never iterated: the order of a set of strings changes from process to process."""
        self.scaffolds: Counter[str] = Counter()
        self._neighbours: set[str] = set()
        """Asked for membership only, too."""
        self._names: list[str] = []
        """The neighbours, in the order in which they came."""
        self._bits = _Bits()
        """Their fingerprints."""
        self._nearest: dict[str, tuple[int, tuple[float, str]]] = {}
        """Molecule -> how many neighbours it was compared with so far, and what is nearest of these."""

    def add(self, smiles: str, identity: str) -> None:
        """Counts a molecule in standard form."""
        self.identities.add(identity)
        if self._limits.per_scaffold is not None:
            self.scaffolds[self._core(smiles)] += 1
        has_distance = self._limits.min_distance is not None or self._limits.batch is not None
        if has_distance and smiles not in self._neighbours:
            self._neighbours.add(smiles)
            self._names.append(smiles)
            self._bits.add(_packed(smiles))

    def nearest(self, smiles: str) -> tuple[float, str]:
        """The similarity of the most similar molecule, and that one; 0 and nothing where there is none.

        A strategy asks of the same molecule again and again: it is compared only with what was added since.
        """
        compared, nearest = self._nearest.get(smiles, (0, (0.0, "")))
        if compared < len(self._names):
            similar = self._bits.similarities(_packed(smiles), compared)
            greatest = similar.max()
            alike = max(self._names[compared + row] for row in np.flatnonzero(similar == greatest).tolist())
            nearest = max(nearest, (float(greatest), alike))
            if len(self._nearest) == _REMEMBERED:
                self._nearest.clear()
            self._nearest[smiles] = len(self._names), nearest
        return nearest

    def crowds(self, smiles: str, batch: Charged, *, chosen: bool) -> tuple[str, str] | None:
        """(reason, why) where these, or a batch of which it would be one, leave a standard form no room.

        Args:
            chosen: whether a strategy chose it: only then do the molecules of its batch have to be apart.
        """
        if (most := self._limits.per_scaffold) is not None:
            core = self._core(smiles)
            if core and self.scaffolds[core] + batch.scaffolds[core] >= most:
                return SCAFFOLD, f"{counted(most, 'molecule')} of {core} already"
        if (least := self._limits.min_distance) is not None:
            similarity, neighbour = max(self.nearest(smiles), batch.nearest(smiles))
            if 1 - similarity < least:
                return NEAR, f"distance {1 - similarity:.2f} to {neighbour}, allowed is at least {least:g}"
        if chosen and (least := self._limits.batch) is not None:
            similarity, neighbour = batch.nearest(smiles)
            if 1 - similarity < least:
                return (
                    BATCH,
                    f"distance {1 - similarity:.2f} to {neighbour} beside it, allowed is at least {least:g}",
                )
        return None


class _Bits:
    """Fingerprints, a column of words each, so that one is compared with all of them in a few numpy calls."""

    def __init__(self) -> None:
        self._words = np.zeros((BITS // _WORD, 16), np.uint64)
        self._counts = np.zeros(16, np.int64)
        """Bits of each."""
        self._used = 0

    def add(self, words: np.ndarray) -> None:
        """Takes in one fingerprint, (words,)."""
        if self._used == len(self._counts):
            self._words = np.concatenate([self._words, np.zeros_like(self._words)], axis=1)
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._words[:, self._used], self._counts[self._used] = words, np.bitwise_count(words).sum()
        self._used += 1

    def similarities(self, words: np.ndarray, first: int = 0) -> np.ndarray:
        """(n,) Tanimoto similarity of a fingerprint to each of these, from the one of a number on."""
        common = np.bitwise_count(self._words[:, first : self._used] & words[:, None])
        shared = common.sum(0, dtype=np.uint16).astype(np.int64)
        either = self._counts[first : self._used] + int(np.bitwise_count(words).sum()) - shared
        return np.asarray(shared / np.maximum(either, 1))


def _packed(smiles: str) -> np.ndarray:
    """(words,) the fingerprint of a standard form."""
    return np.frombuffer(DataStructs.BitVectToBinaryText(fingerprint_of(smiles)), np.uint64)


@lru_cache(_REMEMBERED)
def fingerprint_of(smiles: str) -> ExplicitBitVect:
    """The ECFP4 of a standard form."""
    return fingerprints([smiles])[0]
