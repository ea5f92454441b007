"""A molecule as a graph that may be edited: what steps read of it, and the edits that they are made of.

Edits are made on a Kekulé copy, in which every bond has a whole order and hydrogens fill up by themselves; RDKit reads
the outcome afresh, so what is no molecule is found out, and stereo marks away from the edit stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rdkit import Chem

from designloop.molecules.chemistry import parse

ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}


class Bond(NamedTuple):
    """A bond of the Kekulé form."""

    a: int
    b: int
    order: int
    aromatic: bool
    ring: int
    """Size of the largest of the smallest rings that it belongs to; 0 outside rings."""
    rings: int
    """How many those are."""


class End(NamedTuple):
    """A bond that a cut goes through, seen from the part that stays."""

    kept: int
    lost: int
    order: int


class Part(NamedTuple):
    """One side of a cut."""

    ends: tuple[End, ...]
    side: int
    """Bit mask of its atoms."""
    arc: int = 0
    """How many atoms of the ring that was cut it holds; 0 where the cut was outside rings."""

    @property
    def size(self) -> int:
        """How many atoms it holds."""
        return self.side.bit_count()


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A molecule as edits read it: plain tuples by atom index beside RDKit's own object."""

    smiles: str
    mol: Chem.Mol
    """Kekulé form, hydrogens implicit; copied, never edited."""
    kinds: tuple[int, ...]
    """Atomic numbers, but oxygen's for divalent sulfur, which binds to what oxygen binds to."""
    elements: tuple[int, ...]
    hydrogens: tuple[int, ...]
    valence: tuple[int, ...]
    """Sum of bond orders, hydrogens left out."""
    aromatic: tuple[bool, ...]
    neighbours: tuple[tuple[int, ...], ...]
    bonds: tuple[Bond, ...]
    rings: tuple[tuple[int, ...], ...]
    """Atoms of each of the smallest rings, in order round it."""
    parts: tuple[Part, ...]
    """Both sides of every acyclic single bond."""
    free: tuple[bool, ...]
    """Whether an atom may be changed: it carries no charge and no radical, and matches nothing that is to be kept."""
    kept: int
    """Bit mask of the atoms that match what is to be kept."""

    @property
    def size(self) -> int:
        """How many heavy atoms there are."""
        return len(self.elements)

    @property
    def everything(self) -> int:
        """Bit mask of all atoms."""
        return (1 << self.size) - 1


@lru_cache(64)
def _patterns(keep: tuple[str, ...]) -> tuple[Chem.Mol, ...]:
    return tuple(map(Chem.MolFromSmarts, keep))


@lru_cache(4096)
def read_graph(smiles: str, keep: tuple[str, ...] = ()) -> Graph | None:
    """The molecule as edits read it; None where it is invalid or lacks one of the patterns to keep."""
    mol = parse(smiles)
    if mol is None:
        return None
    kept = 0
    for pattern in _patterns(keep):
        matches = mol.GetSubstructMatches(pattern)
        if not matches:
            return None
        kept |= _mask(i for match in matches for i in match)
    kekule = _kekule(mol)
    atoms, rings = list(mol.GetAtoms()), mol.GetRingInfo()
    elements = tuple(atom.GetAtomicNum() for atom in atoms)
    neighbours = tuple(tuple(other.GetIdx() for other in atom.GetNeighbors()) for atom in atoms)
    bonds = tuple(
        Bond(
            bond.GetBeginAtomIdx(),
            bond.GetEndAtomIdx(),
            round(bond.GetBondTypeAsDouble()),
            mol.GetBondWithIdx(index).GetIsAromatic(),
            max(rings.BondRingSizes(index), default=0),
            rings.NumBondRings(index),
        )
        for index, bond in enumerate(kekule.GetBonds())
    )
    valence = [0] * len(atoms)
    for bond in bonds:
        valence[bond.a] += bond.order
        valence[bond.b] += bond.order
    return Graph(
        smiles=smiles,
        mol=kekule,
        kinds=tuple(8 if element == 16 and valence[i] == 2 else element for i, element in enumerate(elements)),
        elements=elements,
        hydrogens=tuple(atom.GetTotalNumHs() for atom in atoms),
        valence=tuple(valence),
        aromatic=tuple(atom.GetIsAromatic() for atom in atoms),
        neighbours=neighbours,
        bonds=bonds,
        rings=tuple(rings.AtomRings()),
        parts=_acyclic_parts(neighbours, bonds),
        free=tuple(
            not (kept >> i & 1 or atom.GetFormalCharge() or atom.GetNumRadicalElectrons())
            for i, atom in enumerate(atoms)
        ),
        kept=kept,
    )


@lru_cache(4096)
def ring_parts(graph: Graph) -> tuple[Part, ...]:
    """Both sides of every pair of ring bonds that holds the molecule's halves together, each with its ends either way.

    A pair does so when no other ring bridges it: what hangs on one arc of the ring does not hang on the other.
    """
    order = {frozenset(bond[:2]): bond.order for bond in graph.bonds}
    parts = []
    for ring in graph.rings:
        n = len(ring)
        hanging = [_hanging(graph, i, ring) for i in ring]
        for start in range(n):
            side, others = 0, graph.everything
            for length in range(1, n):
                side |= hanging[(start + length - 1) % n]
                others = 0
                for k in range(length, n):
                    others |= hanging[(start + k) % n]
                if side & others:
                    continue
                first, last = ring[start], ring[(start + length - 1) % n]
                before, after = ring[start - 1], ring[(start + length) % n]
                ends = (
                    End(first, before, order[frozenset((first, before))]),
                    End(last, after, order[frozenset((last, after))]),
                )
                parts += [Part(ends, side, length), Part(ends[::-1], side, length)]
    return tuple(parts)


def _hanging(graph: Graph, atom: int, ring: Sequence[int]) -> int:
    """Bit mask of a ring's atom and all that is reached from it without passing another atom of the ring."""
    seen, walk = _mask(ring), [atom]
    found = 0
    for i in walk:  # grows as it is walked
        found |= 1 << i
        for j in graph.neighbours[i]:
            if not seen >> j & 1:
                seen |= 1 << j
                walk.append(j)
    return found


class Group(NamedTuple):
    """What can be bound to a molecule by its first atom."""

    mol: Chem.Mol
    """Kekulé form, hydrogens implicit."""
    order: int
    """Order of the bond that attaches it."""
    kind: int
    """Kind of its first atom, as in ``Graph.kinds``."""


@lru_cache(256)
def read_group(text: str) -> Group:
    """A group from its SMILES; one that is attached by a double bond has ``=`` before it."""
    smiles = text.lstrip("=")
    graph = read_graph(smiles)
    assert graph is not None, text
    return Group(graph.mol, 1 + len(text) - len(smiles), graph.kinds[0])


def may_bind(a: int, b: int) -> bool:
    """Whether atoms of two kinds make a bond that lasts: one of them is carbon, or they make a sulfonamide."""
    return 6 in (a, b) or {a, b} == {7, 16}


def _kekule(mol: Chem.Mol) -> Chem.Mol:
    """A Kekulé copy whose hydrogens are implicit wherever the same number of them would be filled up."""
    mol = Chem.Mol(mol)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    for atom in mol.GetAtoms():
        if atom.GetNoImplicit() or atom.GetNumExplicitHs():
            explicit, total, fixed = atom.GetNumExplicitHs(), atom.GetTotalNumHs(), atom.GetNoImplicit()
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(False)
            atom.UpdatePropertyCache(strict=False)
            if atom.GetTotalNumHs() != total:
                atom.SetNumExplicitHs(explicit)
                atom.SetNoImplicit(fixed)
                atom.UpdatePropertyCache(strict=False)
    return mol


def _mask(atoms: Iterable[int]) -> int:
    mask = 0
    for i in atoms:
        mask |= 1 << i
    return mask


def _acyclic_parts(neighbours: Sequence[Sequence[int]], bonds: Sequence[Bond]) -> tuple[Part, ...]:
    """Both sides of every acyclic single bond, from one walk: such a bond parts a spanning tree of the graph."""
    order, above = [0], {0: -1}
    for i in order:  # grows as it is walked
        for j in neighbours[i]:
            if j not in above:
                above[j] = i
                order.append(j)
    below = [1 << i for i in range(len(neighbours))]
    for i in reversed(order[1:]):
        below[above[i]] |= below[i]
    everything = below[0]
    parts = []
    for bond in bonds:
        if bond.order == 1 and bond.rings == 0 and bond.b in above:
            top, bottom = (bond.a, bond.b) if above[bond.b] == bond.a else (bond.b, bond.a)
            parts.append(Part((End(bottom, top, 1),), below[bottom]))
            parts.append(Part((End(top, bottom, 1),), everything & ~below[bottom]))
    return tuple(parts)


# ---- edits


def join(mol: Chem.RWMol, first: End, second: End) -> None:
    """Cut both bonds and bind the parts that stay to each other, with the first bond's order."""
    for end in (first, second):
        keep_handedness(mol, end.kept, end.lost)
        mol.RemoveBond(end.kept, end.lost)
    mol.AddBond(first.kept, second.kept, ORDERS[first.order])


def attach(mol: Chem.RWMol, at: int, group: Group, lost: int | None = None) -> None:
    """Bind a group by its first atom to the atom ``at``, in the place of its neighbour ``lost`` or of a hydrogen."""
    first = mol.GetNumAtoms()
    mol.InsertMol(group.mol)
    if lost is not None:
        keep_handedness(mol, at, lost)
        mol.RemoveBond(at, lost)
    mol.AddBond(at, first, ORDERS[group.order])


def remove(mol: Chem.RWMol, mask: int) -> None:
    """Take atoms away."""
    mol.BeginBatchEdit()
    for i in range(mask.bit_length()):
        if mask >> i & 1:
            mol.RemoveAtom(i)
    mol.CommitBatchEdit()


def keep_handedness(mol: Chem.RWMol, at: int, lost: int) -> None:
    """Call before a stereocentre's bond to ``lost`` is removed and a bond in its place is added.

    RDKit reads a centre's mark by the order of its bonds, of which the new one will be the last.
    """
    atom = mol.GetAtomWithIdx(at)
    if atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED:
        others = [bond.GetOtherAtomIdx(at) for bond in atom.GetBonds()]
        if (len(others) - 1 - others.index(lost)) % 2:
            atom.InvertChirality()


def outcome(mol: Chem.RWMol, keep: tuple[str, ...] = ()) -> str | None:
    """Canonical SMILES of an edited molecule; None where it is none, falls apart or lacks a pattern to keep."""
    mol.UpdatePropertyCache(strict=False)
    text = Chem.MolToSmiles(mol, canonical=False)
    if "." in text or not text:
        return None
    child = Chem.MolFromSmiles(text)
    if child is None or not all(child.HasSubstructMatch(pattern) for pattern in _patterns(keep)):
        return None
    smiles: str = Chem.MolToSmiles(child)
    return smiles
