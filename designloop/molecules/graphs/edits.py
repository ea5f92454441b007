"""The edits that genetic steps are made of, on a Kekulé copy in which hydrogens fill up by themselves.

What comes of them is sanitised in the end, so that what is no molecule is found out; stereo marks away from the edit
stay.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rdkit import Chem
from rdkit.Chem import rdqueries

from designloop.molecules.graphs.graph import Graph, read_graph
from designloop.molecules.graphs.parts import CutBond

ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}

_MARKED = rdqueries.HasChiralTagQueryAtom()


class Group(NamedTuple):
    """What can be bound to a molecule by its first atom."""

    mol: Chem.Mol
    """Kekulé form, hydrogens implicit."""
    order: int
    """Order of the bond that attaches it."""
    kind: str
    """Kind of its first atom, as in ``BINDS``."""
    element: int
    """Atomic number of its first atom."""


@lru_cache(256)
def read_group(text: str) -> Group:
    """A group from its SMILES; one that a double bond attaches has ``=`` before it."""
    smiles = text.lstrip("=")
    graph = read_graph(smiles, ())
    assert graph is not None, text
    return Group(graph.mol, 1 + len(text) - len(smiles), graph.kinds[0], graph.elements[0])


def attach(mol: Chem.RWMol, atom: int, group: Group, lost: int | None = None) -> None:
    """Bind a group to the atom ``atom``, in the place of its neighbour ``lost`` or of hydrogens."""
    first = mol.GetNumAtoms()
    mol.InsertMol(group.mol)
    if lost is not None:
        cut(mol, atom, lost)
    mol.AddBond(atom, first, ORDERS[group.order])


def join(mol: Chem.RWMol, first: CutBond, second: CutBond) -> None:
    """Cut both bonds, and bind the atoms that stay to each other with the first bond's order."""
    cut(mol, first.kept, first.lost)
    cut(mol, second.kept, second.lost)
    mol.AddBond(first.kept, second.kept, ORDERS[first.order])


def cut(mol: Chem.RWMol, kept: int, lost: int) -> None:
    """Cut a bond so that the next one added to ``kept``, or a hydrogen if there is none, takes its place."""
    keep_mark(mol, kept, lost)
    mol.RemoveBond(kept, lost)


def keep_mark(mol: Chem.RWMol, kept: int, lost: int) -> None:
    """Turn a stereocentre's mark as it has to be read once its bond to ``lost`` has become its last.

    RDKit reads a mark by the order of the bonds, to which new ones, and hydrogens that are no atoms, come last.
    """
    atom = mol.GetAtomWithIdx(kept)
    if atom.GetChiralTag() != Chem.ChiralType.CHI_UNSPECIFIED:
        others = [bond.GetOtherAtomIdx(kept) for bond in atom.GetBonds()]
        if (len(others) - 1 - others.index(lost)) % 2:
            atom.InvertChirality()


def remove(mol: Chem.RWMol, atoms: int) -> None:
    """Take the atoms of a bit mask away."""
    mol.BeginBatchEdit()
    for i in range(atoms.bit_length()):
        if atoms >> i & 1:
            mol.RemoveAtom(i)
    mol.CommitBatchEdit()


def outcome(mol: Chem.RWMol, parent: Graph) -> str | None:
    """Canonical SMILES of an edited molecule; None where it is none, fell apart, or lost what was to be kept."""
    if Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    for atom in mol.GetAtomsMatchingQuery(_MARKED):
        # RDKit writes the mark of a centre that comes first in a SMILES wrongly where its hydrogen is not explicit.
        if atom.GetTotalNumHs() == 1:
            atom.SetNumExplicitHs(1)
            atom.SetNoImplicit(True)
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    if any(len(mol.GetSubstructMatches(pattern)) < count for pattern, count in parent.matches):
        return None
    smiles: str = Chem.MolToSmiles(mol)
    return smiles if smiles and "." not in smiles else None
