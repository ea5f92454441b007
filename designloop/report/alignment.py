"""Drawings of one sheet turned alike: what a molecule shares with the first of them lies as it lies there.

What is shared is a ring with what hangs on it, whatever atoms of its kind the ring is made of: the eye finds the
pyridine in the place of the benzene. No maximum common substructure is sought, which would need a clock to end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor

REACH = 3
"""Bonds from a ring within which atoms belong to what is shared, at most."""

FEWEST = 5
"""Atoms that are shared at least: a smaller ring says nothing of how to turn a molecule."""


Part = tuple[Chem.Mol, list[int]]
"""A query, and the atom of the pattern that each of its atoms is."""


def place(molecules: Sequence[Chem.Mol]) -> None:
    """Gives each molecule coordinates of a drawing, those of the first being the others' pattern."""
    parts: list[Part] = []
    with rdBase.BlockLogs():
        for number, mol in enumerate(molecules):
            rdDepictor.Compute2DCoords(mol)
            if number == 0:
                parts = parts_of(mol)
            elif shared := shared_atoms(parts, mol):
                rdDepictor.GenerateDepictionMatching2DStructure(mol, molecules[0], shared)


def parts_of(pattern: Chem.Mol) -> list[Part]:
    """Each ring of the pattern with what is within a reach of it, for every reach; the largest first."""
    parts = [part for ring in pattern.GetRingInfo().AtomRings() for part in _around(pattern, ring)]
    return sorted((part for part in parts if len(part[1]) >= FEWEST), key=lambda part: -len(part[1]))


def shared_atoms(parts: Sequence[Part], mol: Chem.Mol) -> list[tuple[int, int]]:
    """(atom of the pattern, atom of the molecule) of the first part that it has; empty where it has none."""
    for query, atoms in parts:
        if match := mol.GetSubstructMatch(query):
            return list(zip(atoms, match, strict=True))
    return []


def _around(mol: Chem.Mol, ring: Sequence[int]) -> Iterator[Part]:
    """A ring of any atoms of its kind, alone and with the very atoms within each reach of it."""
    symbols = [f"[#{atom.GetAtomicNum()}]" for atom in mol.GetAtoms()]
    for index in ring:
        symbols[index] = "a" if mol.GetAtomWithIdx(index).GetIsAromatic() else "A"
    atoms = set(ring)
    for _ in range(REACH + 1):
        text = Chem.MolFragmentToSmiles(mol, sorted(atoms), atomSymbols=symbols, isomericSmiles=False)
        order = mol.GetProp("_smilesAtomOutputOrder").strip("[],").split(",")
        yield Chem.MolFromSmarts(text), [int(index) for index in order]
        atoms |= {beside.GetIdx() for index in atoms for beside in mol.GetAtomWithIdx(index).GetNeighbors()}
