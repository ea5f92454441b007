"""Which rows are the best molecules: one a stereo-free parent, and near-duplicates collapsed where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit.DataStructs import ExplicitBitVect

from designloop.molecules.chemistry import fingerprints, scaffold, tanimoto, without_stereo

NEAR_DUPLICATE = 0.7
"""ECFP4 Tanimoto similarity above which one of two molecules says nothing new."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A molecule among the best."""

    row: int
    """Its row."""
    hides: int
    """Rows with lower scores left out because of it, of those looked at: its stereoisomers and near-duplicates."""


def best(smiles: Sequence[str], scores: Sequence[float | None], n: int, diverse: bool = False) -> list[Pick]:
    """The rows with the highest scores, best first; equal scores in the order of the rows.

    Args:
        smiles: standard forms.
        scores: None where there is none; such a row is never among the best.
        n: how many at most.
        diverse: also leave out what has the same scaffold as, or is more similar than 0.7 to, a better one.
    """
    ranked = sorted((-score, row) for row, score in enumerate(scores) if score is not None)
    picked: list[int] = []
    hides: list[int] = []
    parents: dict[str, int] = {}
    prints: list[ExplicitBitVect] = []
    scaffolds: dict[str, int] = {}
    for _, row in ranked:
        parent = without_stereo(smiles[row])
        twin = parents.get(parent)
        if twin is None and diverse:
            (own,) = fingerprints([parent])
            core = scaffold(parent)
            twin = scaffolds.get(core) if core else None
            if twin is None and prints:
                similarity = tanimoto([own], prints)[0]
                twin = int(similarity.argmax()) if similarity.max() > NEAR_DUPLICATE else None
        if twin is not None:
            parents.setdefault(parent, twin)
            hides[twin] += 1
            continue
        if len(picked) == n:
            break
        parents[parent] = len(picked)
        if diverse:
            prints.append(own)
            scaffolds.setdefault(core, len(picked))
        picked.append(row)
        hides.append(0)
    return [Pick(row, hidden) for row, hidden in zip(picked, hides, strict=True)]
