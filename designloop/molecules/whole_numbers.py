"""Numbers of a whole molecule: its elements, charge, rings by kind, bonds that turn, and the like.

What follows from each atom by itself is read off a table of kinds of atom, which RDKit's invariants tell apart at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rdkit.Chem import Atom, Mol, rdMolDescriptors

from designloop.molecules.crippen import crippen_logp
from designloop.molecules.fingerprints import ACCEPTOR, atom_features

ELEMENTS = (1, 6, 7, 8, 9, 15, 16, 17, 35, 53)
"""Atomic numbers that are counted, hydrogens first."""

_TURNS = rdMolDescriptors.NumRotatableBondsOptions.NonStrict
"""A quarter of the price of RDKit's strict definition, which looks for amides and crowded bonds as well."""


def numbers_of(mol: Mol, features: Sequence[int] | None = None) -> np.ndarray:
    """(d,) float32 numbers of a whole molecule.

    Args:
        features: of its atoms, as ``atom_features`` gives them, where they are known.
    """
    known = atom_features(mol) if features is None else features
    sizes = [len(ring) for ring in mol.GetRingInfo().AtomRings()]
    fives, sixes = sizes.count(5), sizes.count(6)
    return np.array(
        [
            *_composition(mol).tolist(),
            fives,
            sixes,
            len(sizes) - fives - sixes,
            rdMolDescriptors.CalcNumAromaticRings(mol),
            rdMolDescriptors.CalcNumRotatableBonds(mol, _TURNS),
            rdMolDescriptors.CalcTPSA(mol) / 10,
            rdMolDescriptors.CalcNumHBD(mol),
            sum(1 for bits in known if bits & ACCEPTOR),
            10 * rdMolDescriptors.CalcFractionCSP3(mol),
            rdMolDescriptors.CalcNumBridgeheadAtoms(mol),
            rdMolDescriptors.CalcNumSpiroAtoms(mol),
            crippen_logp(mol),
        ],
        np.float32,
    )


_row_of: dict[int, int] = {}
"""RDKit's invariant of an atom -> its row of the table."""
_table = np.zeros((64, len(ELEMENTS) + 2), np.intp)
"""(kinds, numbers) of one atom of each kind: each element's, then other elements', then the charge."""


def _composition(mol: Mol) -> np.ndarray:
    """(numbers,) sums over the atoms."""
    invariants = rdMolDescriptors.GetConnectivityInvariants(mol, False)
    try:
        rows = [_row_of[invariant] for invariant in invariants]
    except KeyError:
        for invariant, atom in zip(invariants, mol.GetAtoms(), strict=True):
            if invariant not in _row_of:
                _add_kind(invariant, atom)
        rows = [_row_of[invariant] for invariant in invariants]
    return np.asarray(_table[rows].sum(0)) if rows else _table[:0].sum(0)


def _add_kind(invariant: int, atom: Atom) -> None:
    global _table
    row = _row_of[invariant] = len(_row_of)
    if row == len(_table):
        _table = np.concatenate([_table, np.zeros_like(_table)])
    element = atom.GetAtomicNum()
    if element != 1:
        _table[row, ELEMENTS.index(element) if element in ELEMENTS else len(ELEMENTS)] = 1
    # The invariant counts a hydrogen with its neighbour, whether it is an atom of the graph or not; so must the table.
    _table[row, 0] = atom.GetTotalNumHs(includeNeighbors=True) + (element == 1 and not atom.GetDegree())
    _table[row, -1] = atom.GetFormalCharge()
