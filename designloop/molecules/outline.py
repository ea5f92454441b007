"""A molecule in plain numbers: what its atoms are, the orders of their bonds, its rings.

RDKit's Python layer answers a question about each atom and bond by a call of its own. What many questions need is asked
for here once, in a few calls for the whole molecule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from rdkit import Chem
from rdkit.Chem import Mol, rdMolDescriptors

from designloop.molecules.parsing import require

SINGLE, AROMATIC, DOUBLE, TRIPLE = 2, 3, 4, 6
"""Twice the order of a bond."""

ORDERS = (SINGLE, AROMATIC, DOUBLE, TRIPLE)

_ODD = Chem.MolFromSmarts("[$(*!-;!=;!#;!:*),$(A:*),$(a#a)]")
"""A bond of another order; one that is written as aromatic between atoms that are not; one of an aryne, which RDKit has
both as triple and as aromatic."""

_MOST_KINDS = 4_000
"""ZINC's molecules have some hundred."""

_random_bits = np.random.default_rng(20260129).integers
_OWN = _random_bits(2**64, size=_MOST_KINDS, dtype=np.uint64)
_BESIDE = _random_bits(2**64, size=(max(ORDERS) + 1, _MOST_KINDS), dtype=np.uint64)
_BESIDE[0] = 0  # no bond


@dataclass(frozen=True, slots=True)
class Kind:
    """An atom by itself: element, bonds, hydrogens, charge, isotope, in a ring or not, aromatic or not."""

    atom: Chem.Atom
    """One of the kind, of a molecule that nobody edits."""
    element: int
    symbol: str
    """Of the element, in small letters where the atom is aromatic."""
    charge: int
    aromatic: bool


class _Kinds:
    """Kinds of atom, numbered as they are met."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, bool], int] = {}
        self.known: list[Kind] = []

    def of(self, mol: Mol, aromatic: Sequence[bool]) -> list[int] | None:
        """One of each atom; None of a molecule with hydrogens that are atoms, or with wildcards."""
        told = list(zip(rdMolDescriptors.GetConnectivityInvariants(mol, True), aromatic, strict=True))
        try:
            return [self._numbers[own] for own in told]
        except KeyError:
            if any(atom.GetAtomicNum() < 2 for atom in mol.GetAtoms()):
                return None
        for own, atom in zip(told, Chem.Mol(mol).GetAtoms(), strict=True):
            if own not in self._numbers:
                if len(self.known) == _MOST_KINDS:
                    return None
                symbol, is_aromatic = atom.GetSymbol(), atom.GetIsAromatic()
                shown = symbol.lower() if is_aromatic else symbol
                self._numbers[own] = len(self.known)
                self.known.append(Kind(atom, atom.GetAtomicNum(), shown, atom.GetFormalCharge(), is_aromatic))
        return [self._numbers[own] for own in told]


_kinds = _Kinds()

KINDS: Sequence[Kind] = _kinds.known
"""The kinds that were met so far, by their numbers."""


@dataclass(frozen=True, eq=False)
class Outline:
    """A molecule in plain numbers."""

    kinds: list[int]
    """(atoms,) number of each atom's kind."""
    orders: np.ndarray
    """(atoms, atoms) twice the order of their bond; 0 where there is none."""
    rings: tuple[tuple[int, ...], ...]
    """Atoms of each of the smallest rings, in order round it."""

    @classmethod
    def of(cls, mol: Mol) -> Outline | None:
        """That of a molecule; None where it would not tell all.

        That is of a molecule with a hydrogen that is an atom, a wildcard, or an odd bond: none that is single, double,
        triple or aromatic, and nothing else.
        """
        if mol.HasSubstructMatch(_ODD):
            return None
        orders = (Chem.GetAdjacencyMatrix(mol, useBO=True) * 2).astype(np.intp)
        kinds = _kinds.of(mol, (orders == AROMATIC).any(1).tolist())
        return None if kinds is None else cls(kinds, orders, tuple(mol.GetRingInfo().AtomRings()))

    @cached_property
    def surroundings(self) -> list[int]:
        """(atoms,) a number of what an atom and its neighbours are, and of the orders of the bonds between them.

        It is 64 random bits summed over these: that two of 50,000 surroundings have the same by accident has a chance
        of 7 · 10⁻¹¹.
        """
        own = np.array(self.kinds, dtype=np.intp)
        numbers: list[int] = (_OWN[own] + _BESIDE[self.orders, own].sum(1)).tolist()
        return numbers

    @property
    def elements(self) -> frozenset[int]:
        """Atomic numbers of the elements that are there."""
        return frozenset(KINDS[kind].element for kind in set(self.kinds))

    @cached_property
    def ring_sizes(self) -> tuple[int, ...]:
        """Ascending."""
        return tuple(sorted(map(len, self.rings)))

    def neighbours(self, atom: int) -> list[tuple[int, int]]:
        """(twice the order of the bond, number of the kind) of each neighbour of an atom."""
        row = self.orders[atom]
        return [(int(row[other]), self.kinds[other]) for other in np.flatnonzero(row).tolist()]

    def bonds(self) -> list[tuple[int, int, int]]:
        """(atom, atom, twice the order) of each bond, the lower atom first."""
        first, second = np.nonzero(np.triu(self.orders))
        columns = first.tolist(), second.tolist(), self.orders[first, second].tolist()
        return list(zip(*columns, strict=True))


@lru_cache(256)
def outline_of(smiles: str) -> Outline | None:
    """``Outline.of`` a molecule by its SMILES, remembered while several ask for it.

    Raises:
        MoleculeError: the SMILES is invalid.
    """
    return Outline.of(require(smiles))
