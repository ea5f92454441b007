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

from rdkit import Chem

_HALOGENS = frozenset({9, 17, 35, 53})


def group_pairs(mol: Chem.Mol) -> list[str]:
    """Key of each pair of bonded groups, and of each group that is bonded to none; sorted, each once."""
    groups = _Groups(mol)
    keys, bonded = set(), set()
    for atom, others in enumerate(groups.outer):
        for other in others:
            if atom < other:
                keys.add("-".join(sorted((groups.half(atom, other), groups.half(other, atom)))))
                bonded |= {atom, other}
    keys |= {min(map(groups.half, group)) for group in groups.whole() if bonded.isdisjoint(group)}
    return sorted(keys)


class _Groups:
    """The atoms of a molecule's groups: what holds a group together, and what binds it to others."""

    def __init__(self, mol: Chem.Mol) -> None:
        count = mol.GetNumAtoms()
        self.symbols: list[str] = []
        self.inner: list[list[tuple[int, str]]] = [[] for _ in range(count)]
        """Atom -> (atom of the same group that it is bonded to, how)."""
        single: list[list[int]] = [[] for _ in range(count)]
        numbers, charges, aromatic = [], [], []
        for atom in mol.GetAtoms():
            numbers.append(atom.GetAtomicNum())
            charges.append(atom.GetFormalCharge())
            aromatic.append(atom.GetIsAromatic())
            self.symbols.append(atom.GetSymbol().lower() if aromatic[-1] else atom.GetSymbol())
        for bond in mol.GetBonds():
            if bond.GetIsAromatic():
                continue
            begin, end, order = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondType()
            if order == Chem.BondType.SINGLE and charges[begin] * charges[end] >= 0:
                single[begin].append(end)
                single[end].append(begin)
                continue
            mark = {Chem.BondType.DOUBLE: "=", Chem.BondType.TRIPLE: "#"}.get(order, "~")
            self.inner[begin].append((end, mark))
            self.inner[end].append((begin, mark))
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

    def half(self, atom: int, partner: int = -1, came_from: int = -1) -> str:
        """A group as seen from one of its atoms, without the partner among what it binds."""
        bound = sorted({self._coarse[other] for other in self.outer[atom] if other != partner})
        within = sorted(
            f"({mark}{self.half(other, partner, atom)})" for other, mark in self.inner[atom] if other != came_from
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
