"""Functional groups of a molecule, and which of them are bonded to each other, as text.

A group is a heteroatom, or atoms that multiple bonds (or opposite charges) hold together: C=O, S(=O)(=O), C=C, C#N,
N(=O)(~O); and a saturated carbon where it binds two other groups or more, as in acetals, malonates and disulfones.
Carbons of arenes and other saturated carbons are none. It is Ertl's definition (2017, J. Cheminform. 9, 36) but that
groups which touch stay apart, so that what binds what can be counted.

A pair is written as its two groups, each from the atom that binds the other, with what else binds to its atoms in
braces: ``C{S=}-S(=O)(=O)`` is a sulfonyl on a carbon that binds another sulfur with double bonds. In braces elements
are coarse (X is a halogen, = any multiple bond), and how many there are of one does not count; hydrogens and charges
count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rdkit import Chem

from designloop.molecules.outline import AROMATIC, DOUBLE, KINDS, TRIPLE, Kind, Outline

_HALOGENS = frozenset({9, 17, 35, 53})

_MARKS = {DOUBLE: "=", TRIPLE: "#"}


def group_pairs(mol: Chem.Mol, outline: Outline | None = None) -> list[str]:
    """Key of each pair of bonded groups, and of each group that is bonded to none; sorted, each once.

    Args:
        outline: of the molecule, where it has been made already.
    """
    outline = outline or Outline.of(mol)
    groups = _Groups(*(_read(mol) if outline is None else _read_outline(outline)))
    keys, bonded = set(), set()
    for atom, others in enumerate(groups.outer):
        for other in others:
            if atom < other:
                keys.add("-".join(sorted((groups.half(atom, other), groups.half(other, atom)))))
                bonded |= {atom, other}
    keys |= {min(map(groups.half, group)) for group in groups.whole() if bonded.isdisjoint(group)}
    return sorted(keys)


class _Atom(NamedTuple):
    element: int
    symbol: str
    """Of the element, in small letters where the atom is aromatic."""
    charge: int
    aromatic: bool


_Bond = tuple[int, int, str]
"""Two atoms, and how they are bonded: nothing for a single bond, = and # for others, ~ for another one still. Aromatic
bonds are left out."""


def _read(mol: Chem.Mol) -> tuple[list[_Atom], list[_Bond]]:
    """The atoms and bonds of any molecule."""
    atoms = []
    for atom in mol.GetAtoms():
        symbol, aromatic = atom.GetSymbol(), atom.GetIsAromatic()
        shown = symbol.lower() if aromatic else symbol
        atoms.append(_Atom(atom.GetAtomicNum(), shown, atom.GetFormalCharge(), aromatic))
    marks = {Chem.BondType.SINGLE: "", Chem.BondType.DOUBLE: "=", Chem.BondType.TRIPLE: "#"}
    bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), marks.get(bond.GetBondType(), "~"))
        for bond in mol.GetBonds()
        if not bond.GetIsAromatic()
    ]
    return atoms, bonds


def _read_outline(outline: Outline) -> tuple[list[Kind], list[_Bond]]:
    """The same of an outline, in a third of the time."""
    bonds = [(a, b, _MARKS.get(order, "")) for a, b, order in outline.bonds() if order != AROMATIC]
    return [KINDS[kind] for kind in outline.kinds], bonds


class _Groups:
    """The atoms of a molecule's groups: what holds a group together, and what binds it to others."""

    def __init__(self, atoms: Sequence[_Atom] | Sequence[Kind], bonds: Sequence[_Bond]) -> None:
        count = len(atoms)
        self.symbols = [atom.symbol for atom in atoms]
        self.inner: list[list[tuple[int, str]]] = [[] for _ in range(count)]
        """Atom -> (atom of the same group that it is bonded to, how)."""
        single: list[list[int]] = [[] for _ in range(count)]
        numbers, aromatic = [atom.element for atom in atoms], [atom.aromatic for atom in atoms]
        charges = [atom.charge for atom in atoms]
        for begin, end, mark in bonds:
            if not mark and charges[begin] * charges[end] >= 0:
                single[begin].append(end)
                single[end].append(begin)
                continue
            self.inner[begin].append((end, mark or "~"))
            self.inner[end].append((begin, mark or "~"))
        member = [number != 6 or bool(inner) for number, inner in zip(numbers, self.inner, strict=True)]
        meeting = [
            atom
            for atom in range(count)
            if not member[atom] and not aromatic[atom] and sum(member[other] for other in single[atom]) > 1
        ]
        for atom in meeting:
            member[atom] = True
        # A heteroatom of an arene alone is no group to judge, that is what ring systems are for; it may bind to one.
        self.alone = [aromatic[atom] and not self.inner[atom] for atom in range(count)]
        self.member = member
        self.outer = [
            [other for other in single[atom] if member[other]] if member[atom] else [] for atom in range(count)
        ]
        """Atom -> atoms of other groups that it is bonded to."""
        self._coarse = [
            ("X" if number in _HALOGENS else symbol) + ("=" if inner else "")
            for number, symbol, inner in zip(numbers, self.symbols, self.inner, strict=True)
        ]

    def half(self, atom: int, partner: int = -1, path: tuple[int, ...] = ()) -> str:
        """A group as seen from one of its atoms, without the partner among what it binds.

        Args:
            path: atoms of the group by which this one was reached, where it is seen from another one.
        """
        bound = sorted({self._coarse[other] for other in self.outer[atom] if other != partner})
        path = (*path, atom)
        within = sorted(
            f"({mark}{self.half(other, partner, path)})" for other, mark in self.inner[atom] if other not in path
        )
        return self.symbols[atom] + (f"{{{','.join(bound)}}}" if bound else "") + "".join(within)

    def whole(self) -> list[list[int]]:
        """The atoms of each group."""
        groups: list[list[int]] = []
        seen: set[int] = set()
        for first, member in enumerate(self.member):
            if not member or first in seen or self.alone[first]:
                continue
            group = [first]
            seen.add(first)
            for atom in group:  # grows while it is walked through
                group += [other for other, _ in self.inner[atom] if other not in seen]
                seen.update(group)
            groups.append(group)
        return groups
