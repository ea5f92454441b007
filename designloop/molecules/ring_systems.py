"""Ring systems of a molecule, each with its exocyclic double bonds, as text that does not depend on what it carries.

Rings that share a bond are one system; a spiro atom parts two. Rings of more than eight atoms are left out: macrocycles
are judged by their size, and the small rings in them as if the large one were not there. A key is the SMILES of ring
atoms and exocyclic double bonds without hydrogens and charges, so that tautomers such as 1H- and 2H-indazole are one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

from rdkit import Chem

from designloop.molecules.outline import DOUBLE, Outline

T = TypeVar("T")

LARGEST = 8
"""Atoms of the largest ring that counts."""


@dataclass(frozen=True, slots=True)
class RingSystem:
    """Rings that hang together by shared bonds."""

    mol: Chem.Mol
    rings: tuple[frozenset[int], ...]
    """Bonds of each ring."""
    symbols: Sequence[str]
    """Of each atom of ``mol``."""

    @property
    def key(self) -> str:
        """Of the whole system."""
        return self._key(frozenset().union(*self.rings))

    def pairs(self) -> Iterator[tuple[str, bool]]:
        """Key of every two rings that share bonds, and whether they are bridged: share more than one."""
        for first, second in combinations(self.rings, 2):
            if shared := first & second:
                yield self._key(first | second), len(shared) > 1

    def single_rings(self) -> Iterator[str]:
        """Key of each ring alone; double bonds to its neighbours in the system count as exocyclic."""
        return map(self._key, self.rings)

    def _key(self, bonds: frozenset[int]) -> str:
        mol, symbols = self.mol, list(self.symbols)
        ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in map(mol.GetBondWithIdx, bonds)]
        ring = {atom for pair in ends for atom in pair}
        atoms, used = set(ring), set(bonds)
        for index in ring:
            for bond in mol.GetAtomWithIdx(index).GetBonds():
                if bond.GetBondType() == Chem.BondType.DOUBLE and (other := bond.GetOtherAtomIdx(index)) not in ring:
                    used.add(bond.GetIdx())
                    atoms.add(other)
                    symbols[other] = _symbol(mol.GetAtomWithIdx(other), aromatic=False)  # whatever ring that is in
        key: str = Chem.MolFragmentToSmiles(mol, list(atoms), list(used), symbols, isomericSmiles=False)
        return key


def ring_systems(mol: Chem.Mol) -> list[RingSystem]:
    """The ring systems of a molecule, in the order of its rings."""
    rings = [frozenset(ring) for ring in mol.GetRingInfo().BondRings() if len(ring) <= LARGEST]
    if not rings:
        return []
    symbols = [_symbol(atom, atom.GetIsAromatic()) for atom in mol.GetAtoms()]
    return [RingSystem(mol, system, symbols) for system in _systems(rings)]


Description = tuple[Hashable, ...]
"""All that a ring system's keys depend on, atoms numbered in the order of the molecule's."""


def descriptions(outline: Outline) -> list[Description] | None:
    """Describes each of ``ring_systems``, in the same order; None of a molecule with larger rings.

    Two systems of one description have the same keys, and to describe one takes a tenth of the time that a key does.
    """
    if outline.ring_sizes and outline.ring_sizes[-1] > LARGEST:
        return None
    rings = [frozenset(_pairs(ring)) for ring in outline.rings]
    in_rings: frozenset[tuple[int, int]] = frozenset().union(*rings)
    order_of, exocyclic = {}, []
    for a, b, order in outline.bonds():
        if (a, b) in in_rings:
            order_of[a, b] = order
        elif order == DOUBLE:
            exocyclic += [(a, b), (b, a)]
    return [_describe(system, order_of, exocyclic, outline.kinds) for system in _systems(rings)]


def _describe(
    system: Sequence[frozenset[tuple[int, int]]],
    order_of: Mapping[tuple[int, int], int],
    exocyclic: Sequence[tuple[int, int]],
    kinds: Sequence[int],
) -> Description:
    atoms = sorted({atom for ring in system for pair in ring for atom in pair})
    place = {atom: number for number, atom in enumerate(atoms)}
    rings = tuple(tuple(sorted((place[a], place[b], order_of[a, b]) for a, b in ring)) for ring in system)
    outside = tuple((place[a], place.get(b, -1), kinds[b]) for a, b in exocyclic if a in place)
    return tuple(kinds[atom] for atom in atoms), rings, outside


def _pairs(ring: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The bonds of a ring, the lower atom first."""
    return ((a, b) if a < b else (b, a) for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))


def _symbol(atom: Chem.Atom, aromatic: bool) -> str:
    symbol: str = atom.GetSymbol().lower() if aromatic else atom.GetSymbol()
    return symbol if len(symbol) == 1 else f"[{symbol}]"


def _systems(rings: Sequence[frozenset[T]]) -> list[tuple[frozenset[T], ...]]:
    """Rings, each a set of bonds, that hang together by shared ones."""
    systems: list[list[frozenset[T]]] = []
    for ring in rings:
        touched = [system for system in systems if any(ring & member for member in system)]
        systems = [system for system in systems if system not in touched]
        systems.append([*(member for system in touched for member in system), ring])
    return [tuple(system) for system in systems]
