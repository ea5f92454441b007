"""A molecule as edits read it: lists by atom index, what may be touched, and which bonds an edit may make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from rdkit import Chem

from designloop.molecules.chemistry import parse

CARBON, NITROGEN, OXYGEN, SULFUR = 6, 7, 8, 16

BINDS = {
    "R": "RCAUVYNOSFXP",  # aromatic carbon, and elements that are not listed
    "C": "RCAUVYNOSFP",  # saturated carbon
    "A": "RCAUV",  # saturated carbon with a heteroatom: a second one would make an acetal, an aminal or their like
    "U": "RCANO",  # carbon doubly bound to a heteroatom, such as a carbonyl's
    "V": "RCA",  # carbon doubly bound to carbon: with a heteroatom it would be an enol, an enamine or their like
    "Y": "RC",  # carbon of a triple bond
    "N": "RCUS",
    "O": "RCU",  # and divalent sulfur
    "S": "RCN",  # sulfur of a higher valence
    "F": "RC",
    "X": "R",  # the heavier halogens, which leave a saturated carbon too easily
    "P": "RC",  # phosphorus
    "I": "",  # anions, as in a nitro group
}
"""Kind of atom -> kinds that an edit may bind it to: no more than rules of thumb for what lasts, and is no alert."""

GRAPHS = 400
"""Molecules whose graphs are remembered: some generations of parents. About 90 KB each, parts included."""

_KINDS = {1: "X", 7: "N", 8: "O", 9: "F", 15: "P", 17: "X", 35: "X", 53: "X"}


class Bond(NamedTuple):
    """A bond of the Kekulé form."""

    a: int
    b: int
    order: int
    aromatic: bool
    rings: tuple[int, ...]
    """Sizes of the smallest rings that it belongs to."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A molecule as edits read it, never changed. Compared and hashed by identity."""

    smiles: str
    mol: Chem.Mol
    """Kekulé form, hydrogens implicit; copied, never edited."""
    elements: Sequence[int]
    hydrogens: Sequence[int]
    valence: Sequence[int]
    """Sum of bond orders, hydrogens left out."""
    aromatic: Sequence[bool]
    kinds: str
    """A letter of ``BINDS`` for each atom."""
    heteros: Sequence[int]
    """How many neighbours are not carbon."""
    neighbours: Sequence[Sequence[int]]
    bonds: Sequence[Bond]
    rings: Sequence[tuple[int, ...]]
    """Atoms of each of the smallest rings, in order round it."""
    free: Sequence[int]
    """Atoms that may be changed: no charge, no radical, and no match of what is to be kept."""
    kept: int
    """Bit mask of the atoms that match what is to be kept."""
    matches: Sequence[tuple[Chem.Mol, int]]
    """What is to be kept, and how often it is there."""

    @property
    def size(self) -> int:
        """How many heavy atoms there are."""
        return len(self.elements)

    @property
    def everything(self) -> int:
        """Bit mask of all atoms."""
        return (1 << self.size) - 1

    def kind(self, atom: int, without: int) -> str:
        """The atom's kind once its bond to a neighbour is cut."""
        only_one = self.kinds[atom] == "A" and self.heteros[atom] == 1 and self.elements[without] != CARBON
        return "C" if only_one else self.kinds[atom]


@lru_cache(GRAPHS)
def read_graph(smiles: str, keep: tuple[str, ...]) -> Graph | None:
    """The molecule as edits read it; None where it is invalid or lacks one of the SMARTS to keep."""
    mol = parse(smiles)
    if mol is None:
        return None
    kept_matches = [(pattern, mol.GetSubstructMatches(pattern)) for pattern in _patterns(keep)]
    if not all(matches for _, matches in kept_matches):
        return None
    kept = mask(i for _, matches in kept_matches for match in matches for i in match)
    form, atoms = _kekule(mol)
    elements = [atom.GetAtomicNum() for atom in atoms]
    bonds = _bonds(mol, form)
    neighbours: list[list[int]] = [[] for _ in atoms]
    valence, heteros, multiple = [0] * len(atoms), [0] * len(atoms), [""] * len(atoms)
    aromatic = [False] * len(atoms)
    for bond in bonds:
        for i, j in ((bond.a, bond.b), (bond.b, bond.a)):
            neighbours[i].append(j)
            valence[i] += bond.order
            heteros[i] += elements[j] != CARBON
            aromatic[i] |= bond.aromatic
            if bond.order > 1:
                multiple[i] += "Y" if bond.order == 3 else "V" if elements[j] == CARBON else "U"
    charges = [atom.GetFormalCharge() for atom in atoms]
    return Graph(
        smiles=smiles,
        mol=form,
        elements=elements,
        hydrogens=[atom.GetTotalNumHs() for atom in atoms],
        valence=valence,
        aromatic=aromatic,
        kinds="".join(map(_kind, elements, charges, aromatic, multiple, heteros, valence)),
        heteros=heteros,
        neighbours=neighbours,
        bonds=bonds,
        rings=mol.GetRingInfo().AtomRings(),
        free=[i for i, atom in enumerate(atoms) if not (charges[i] or kept >> i & 1 or atom.GetNumRadicalElectrons())],
        kept=kept,
        matches=[(pattern, len(matches)) for pattern, matches in kept_matches],
    )


def _kekule(mol: Chem.Mol) -> tuple[Chem.Mol, list[Chem.Atom]]:
    """A Kekulé copy whose hydrogens are implicit wherever the same number of them would be filled up, and its atoms."""
    form = Chem.Mol(mol)
    Chem.Kekulize(form, clearAromaticFlags=True)
    atoms = list(form.GetAtoms())
    for atom in atoms:
        if atom.GetNoImplicit():
            explicit, total = atom.GetNumExplicitHs(), atom.GetTotalNumHs()
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(False)
            atom.UpdatePropertyCache(strict=False)
            if atom.GetTotalNumHs() != total:
                atom.SetNumExplicitHs(explicit)
                atom.SetNoImplicit(True)
                atom.UpdatePropertyCache(strict=False)
    return form, atoms


def _bonds(mol: Chem.Mol, form: Chem.Mol) -> list[Bond]:
    """The bonds of the Kekulé form, from whole matrices: to RDKit's Python layer each bond is a call of its own."""
    whole = np.triu(Chem.GetAdjacencyMatrix(form, useBO=True, prefix="kekule"))
    drawn = Chem.GetAdjacencyMatrix(mol, useBO=True, prefix="aromatic")
    first, second = np.nonzero(whole)
    orders, aromatic = whole[first, second].astype(int), drawn[first, second] == 1.5
    sizes: dict[tuple[int, int], tuple[int, ...]] = {}
    for ring in mol.GetRingInfo().AtomRings():
        for i, j in zip(ring, ring[1:] + ring[:1], strict=True):
            pair = (min(i, j), max(i, j))
            sizes[pair] = (*sizes.get(pair, ()), len(ring))
    columns = zip(first.tolist(), second.tolist(), orders.tolist(), aromatic.tolist(), strict=True)
    return [Bond(a, b, order, flag, sizes.get((a, b), ())) for a, b, order, flag in columns]


def _kind(element: int, charge: int, aromatic: bool, multiple: str, heteros: int, valence: int) -> str:
    """The atom's letter in ``BINDS``."""
    if charge < 0:
        return "I"
    if element == SULFUR:
        return "S" if valence > 2 else "O"
    if element != CARBON or aromatic:
        return _KINDS.get(element, "R")
    return min(multiple, default="A" if heteros else "C")


@lru_cache(64)
def _patterns(keep: tuple[str, ...]) -> tuple[Chem.Mol, ...]:
    return tuple(map(Chem.MolFromSmarts, keep))


def mask(atoms: Iterable[int]) -> int:
    """Bit mask of some atoms."""
    bits = 0
    for i in atoms:
        bits |= 1 << i
    return bits
