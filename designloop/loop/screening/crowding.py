"""What was charged, as far as it leaves the next molecules no room: identities, scaffolds, neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from rdkit import DataStructs
from rdkit.DataStructs import ExplicitBitVect

from designloop.loop.screening.diversity import Diversity
from designloop.molecules.chemistry import fingerprints, framework, scaffold

SCAFFOLD, NEAR, BATCH = "per_scaffold", "min_distance", "batch_distance"
"""Reasons for which a molecule is refused: its scaffold is full; it is too near to one that was charged, or to one of
its own batch."""

_REMEMBERED = 100_000
"""Molecules whose fingerprints are remembered."""


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
        self._neighbours: dict[str, ExplicitBitVect] = {}
        self._nearest: dict[str, tuple[int, tuple[float, str]]] = {}
        """Molecule -> how many neighbours it was compared with so far, and what is nearest of these."""

    def add(self, smiles: str, identity: str) -> None:
        """Counts a molecule in standard form."""
        self.identities.add(identity)
        if self._limits.per_scaffold is not None:
            self.scaffolds[self._core(smiles)] += 1
        if self._limits.min_distance is not None or self._limits.batch is not None:
            self._neighbours[smiles] = fingerprint_of(smiles)

    def nearest(self, smiles: str) -> tuple[float, str]:
        """The similarity of the most similar molecule, and that one; 0 and nothing where there is none.

        A strategy asks of the same molecule again and again: it is compared only with what was added since.
        """
        compared, nearest = self._nearest.get(smiles, (0, (0.0, "")))
        if compared < len(self._neighbours):
            names = list(self._neighbours)[compared:]
            prints = list(self._neighbours.values())[compared:]
            similar = DataStructs.BulkTanimotoSimilarity(fingerprint_of(smiles), prints)
            nearest = max(nearest, _greatest(similar, names))
            if len(self._nearest) == _REMEMBERED:
                self._nearest.clear()
            self._nearest[smiles] = len(self._neighbours), nearest
        return nearest

    def crowds(self, smiles: str, batch: Charged, *, chosen: bool) -> tuple[str, str] | None:
        """(reason, why) where these, or a batch of which it would be one, leave a standard form no room.

        Args:
            chosen: whether a strategy chose it: only then do the molecules of its batch have to be apart.
        """
        if (most := self._limits.per_scaffold) is not None:
            core = self._core(smiles)
            if core and self.scaffolds[core] + batch.scaffolds[core] >= most:
                return SCAFFOLD, f"{most} molecules of {core} already"
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


def _greatest(values: Sequence[float], names: Sequence[str]) -> tuple[float, str]:
    """The greatest value with its name, of equal ones with the last name in the alphabet."""
    greatest = max(values)
    if values.count(greatest) == 1:
        return greatest, names[values.index(greatest)]
    return greatest, max(name for value, name in zip(values, names, strict=True) if value == greatest)


@lru_cache(_REMEMBERED)
def fingerprint_of(smiles: str) -> ExplicitBitVect:
    """The ECFP4 of a standard form."""
    return fingerprints([smiles])[0]
