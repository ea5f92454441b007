"""A simulated assay: how many points of a binding site a molecule reaches, by types of atoms and bonds between them.

No molecule is known to it. A site is twelve pairs of atom types, each with a distance in bonds; a pair counts for how
many pairs of the molecule's atoms come near it, up to 16. Like potency in life it grows with size and greasiness.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from rdkit import Chem

from designloop.oracles import oracle
from designloop.oracles.chemical import score_each

WEAKEST, STRONGEST = 4.0, 9.0
"""pIC50 of what reaches nothing, and of what reaches all."""

_TYPES = {
    "aromatic": "[a]",
    "hydrophobic": "[CX4;!$(C~[!#6;!#1])]",
    "halogen": "[F,Cl,Br]",
    "donor": "[#7,#8;!H0]",
    "acceptor": "[#8,n;H0;+0]",
}
_PAIRS = 12
_ENOUGH = 16.0
"""Pairs of atoms that fill a pair of the site."""

_SPREAD = 0.8
"""Bonds; of the bell-shaped closeness to a wanted distance."""


@cache
def site() -> tuple[tuple[str, str, int], ...]:
    """The pairs of types with their distances, drawn once and for all."""
    rng = np.random.default_rng(2020)
    kinds = list(_TYPES)
    return tuple(
        (kinds[int(rng.integers(3))], kinds[int(rng.integers(len(kinds)))], int(rng.integers(3, 11)))
        for _ in range(_PAIRS)
    )


@cache
def _patterns() -> dict[str, Chem.Mol]:
    return {name: Chem.MolFromSmarts(smarts) for name, smarts in _TYPES.items()}


@oracle(uses_rdkit=True, unit="pIC50", example={"transform": {"type": "linear", "low": 4, "high": 9}})
def potency(smiles: Sequence[str]) -> dict[str, float]:
    """Simulated pIC50, from 4 to 9."""
    return score_each(smiles, _potency)


def _potency(mol: Chem.Mol) -> float:
    distances = Chem.GetDistanceMatrix(mol)
    atoms = {name: [match[0] for match in mol.GetSubstructMatches(shape)] for name, shape in _patterns().items()}
    reached = [_closeness(distances[np.ix_(atoms[left], atoms[right])], wanted) for left, right, wanted in site()]
    return WEAKEST + (STRONGEST - WEAKEST) * float(np.mean(reached))


def _closeness(distances: np.ndarray, wanted: int) -> float:
    """From 0 to 1: how far the pairs of atoms that come near the wanted distance fill a pair of the site."""
    near = np.exp(-0.5 * np.square((distances - wanted) / _SPREAD))
    return min(float(near.sum()) / _ENOUGH, 1.0)
