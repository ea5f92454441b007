"""Crippen's logP in a third of RDKit's time, by remembering what each kind of atom contributes.

RDKit finds the type of each atom, hydrogens included, by matching 110 patterns with the whole molecule. None of them
looks further than at an atom's neighbours, but for those of oxygens and of hydrogens on oxygen, which look one bond
further (Wildman & Crippen 1999, table 1; RDKit's ``Data/Crippen.txt``). So an atom's contribution follows from a key:
of itself and of its neighbours, for oxygen also of theirs. RDKit is asked when a key is new; ZINC's molecules have
some 1,000.

A key is 64 random bits summed over what it is made of: that two of 100,000 are the same by accident has a chance of
about 3 · 10⁻¹⁰.
"""

from __future__ import annotations

import math

import numpy as np
from rdkit import Chem
from rdkit.Chem import Mol, rdMolDescriptors

_ORGANIC = frozenset({6, 7, 8, 9, 15, 16, 17, 35, 53})
"""Elements that are typed by key; a molecule with another one, an explicit hydrogen too, is left to RDKit."""

_DATIVE = Chem.MolFromSmarts("*->*")
"""A bond that patterns tell from a single one, and bond orders do not."""

_MOST_KEYS = 200_000
"""Contributions remembered, about 30 MB; all are forgotten when there are more, which changes no value."""

_MOST_KINDS = 2_000
"""Kinds of atom by themselves: element, degree, hydrogens, charge, isotope."""

_bits = np.random.default_rng(19991868).integers
_OWN = _bits(2**64, size=2 * _MOST_KINDS, dtype=np.uint64)
_NEIGHBOUR = _bits(2**64, size=(9, 2 * _MOST_KINDS), dtype=np.uint64)
_BEYOND = _bits(2**64, size=9, dtype=np.uint64) | np.uint64(1)
_NEIGHBOUR[0] = _BEYOND[0] = 0  # no bond
"""Random bits of an atom's kind, of a neighbour's by twice the order of the bond to it, and of that order alone."""


class _Kinds:
    """Kinds of atom, numbered as they are met, by RDKit's invariant of an atom."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self._alike: dict[tuple[int, int], int] = {}
        self.alike = np.zeros(_MOST_KINDS, dtype=np.intp)
        """Kind -> the first kind of the same element and charge, which is all that is seen of a neighbour."""
        self.organic = np.zeros(_MOST_KINDS, dtype=bool)
        self.oxygen = np.zeros(_MOST_KINDS, dtype=bool)

    def of(self, mol: Mol) -> np.ndarray | None:
        """(atoms,) kinds; None when there are more than can be numbered."""
        invariants = rdMolDescriptors.GetConnectivityInvariants(mol, False)
        try:
            return np.array([self.numbers[invariant] for invariant in invariants], dtype=np.intp)
        except KeyError:
            return self.of(mol) if self._number(mol, invariants) else None

    def _number(self, mol: Mol, invariants: list[int]) -> bool:
        for invariant, atom in zip(invariants, mol.GetAtoms(), strict=True):
            if invariant in self.numbers:
                continue
            kind = len(self.numbers)
            if kind == _MOST_KINDS:
                return False
            element = atom.GetAtomicNum()
            self.alike[kind] = self._alike.setdefault((element, atom.GetFormalCharge()), kind)
            self.organic[kind], self.oxygen[kind] = element in _ORGANIC, element == 8
            self.numbers[invariant] = kind
        return True


_kinds = _Kinds()
_contributions: dict[int, float] = {}


def crippen_logp(mol: Mol) -> float:
    """log10 of the octanol-water partition coefficient: RDKit's ``MolLogP``, to the last digits of a double.

    Source: Wildman & Crippen 1999, J. Chem. Inf. Comput. Sci. 39, 868.
    """
    keys = _keys(mol)
    if keys is None:
        return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])
    try:
        return math.fsum([_contributions[key] for key in keys])
    except KeyError:
        if len(_contributions) > _MOST_KEYS:
            _contributions.clear()
        _contributions.update(zip(keys, _typed(mol), strict=True))
        return math.fsum([_contributions[key] for key in keys])


def _keys(mol: Mol) -> list[int] | None:
    """(atoms,) keys; None for a molecule that is left to RDKit."""
    kinds = _kinds.of(mol)
    if kinds is None or not _kinds.organic[kinds].all() or mol.HasSubstructMatch(_DATIVE):
        return None
    orders = (Chem.GetAdjacencyMatrix(mol, useBO=True) * 2).astype(np.intp)
    aromatic = (orders == 3).any(1)
    keys = _OWN[2 * kinds + aromatic] + _NEIGHBOUR[orders, 2 * _kinds.alike[kinds] + aromatic].sum(1)
    oxygens = _kinds.oxygen[kinds].nonzero()[0]
    beyond = (_BEYOND[orders[oxygens]] * keys).sum(1)
    keys[oxygens] += beyond
    return list(keys.tolist())


def _typed(mol: Mol) -> list[float]:
    """(atoms,) contribution of each atom with its hydrogens, by RDKit."""
    whole = Chem.AddHs(mol)
    each = [contribution for contribution, _ in rdMolDescriptors._CalcCrippenContribs(whole)]
    heavy = mol.GetNumAtoms()
    sums = each[:heavy]
    for hydrogen in range(heavy, whole.GetNumAtoms()):
        sums[whole.GetAtomWithIdx(hydrogen).GetNeighbors()[0].GetIdx()] += each[hydrogen]
    return sums
