"""Gobbi and Poppinger's fingerprint: which pairs and triples of pharmacophoric features a molecule has, how far apart.

The features and the bits are those of RDKit's ``Gen2DFingerprint(mol, Gobbi_Pharm2D.factory)`` under other numbers,
so that all similarities are the same; arrays in the place of its loops take less than a tenth of its time.

Source: Gobbi & Poppinger 1998, Biotechnol. Bioeng. 61, 47.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem.Pharm2D import Gobbi_Pharm2D

_NEAREST, _FAR, _APART = 2, 8, 100
"""Bonds between features: fewer than the first make no bit, all from the second on are alike; no path makes no bit."""

_BINS = _FAR - _NEAREST + 1
_FAMILIES = 8


@cache
def _patterns() -> list[Chem.Mol]:
    """The definitions of the features, each of a single atom, in the order of their families."""
    definitions = Gobbi_Pharm2D.factory.featFactory.GetFeatureDefs()  # {"family.type": SMARTS}
    return [Chem.MolFromSmarts(smarts) for _, smarts in sorted(definitions.items())]


def pharmacophores(mol: Chem.Mol) -> DataStructs.SparseBitVect:
    """A bit for each pair and for each triple of features at distances of 2, 3 … 7, or more bonds."""
    points = [(family, atom) for family, query in enumerate(_patterns()) for (atom,) in _matches(mol, query)]
    bits = DataStructs.SparseBitVect((_FAMILIES * _BINS) ** 3 + (_FAMILIES**2 * _BINS))
    if len(points) > 1:
        families, atoms = np.array(points).T
        distances = Chem.GetDistanceMatrix(mol)[np.ix_(atoms, atoms)]
        bits.SetBitsFromList(_numbers(families, distances).tolist())
    return bits


def _matches(mol: Chem.Mol, query: Chem.Mol) -> list[tuple[int]]:
    return sorted(mol.GetSubstructMatches(query, maxMatches=mol.GetNumAtoms()))


def _numbers(families: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The distinct numbers of the bits of points, which are in the order of their families."""
    near = (distances >= _NEAREST) & (distances < _APART)
    bins = np.minimum(distances, _FAR).astype(np.int64) - _NEAREST
    order = np.arange(len(families))
    i, j = np.nonzero(near & (order[:, None] < order))
    pairs = (families[i] * _FAMILIES + families[j]) * _BINS + bins[i, j]
    # A third point, behind the second in the order, for each pair
    pair, k = np.nonzero(near[i] & near[j] & (j[:, None] < order))
    i, j = i[pair], j[pair]
    first, second, third = bins[i, j], bins[i, k], bins[j, k]
    # Of points of one family the order means nothing: the greater of two distances comes first.
    front, back = families[i] == families[j], families[j] == families[k]
    second, third = _descending(second, third, front)
    first, second = _descending(first, second, back)
    second, third = _descending(second, third, front & back)
    kinds = (families[i] * _FAMILIES + families[j]) * _FAMILIES + families[k]
    triples = ((kinds * _BINS + first) * _BINS + second) * _BINS + third
    return np.unique(np.concatenate([triples, pairs + (_FAMILIES * _BINS) ** 3]))


def _descending(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both, exchanged where they are to descend and do not."""
    exchange = where & (one < other)
    return np.where(exchange, other, one), np.where(exchange, one, other)
