"""One small change of a molecule, at a place drawn at random: the steps there are, and how often each is taken.

The groups, rings and atoms that steps put in are common ones of medicinal chemistry, whatever is sought.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np
from rdkit import Chem

from designloop.molecules.molecular_graph import (
    ORDERS,
    End,
    Graph,
    Group,
    Part,
    attach,
    join,
    keep_handedness,
    may_bind,
    outcome,
    read_graph,
    read_group,
    remove,
)

T = TypeVar("T")

Step = Callable[[Graph, Chem.RWMol, np.random.Generator], bool]
"""Edits a copy of the graph's molecule at a place drawn at random; False where there is no such place."""

ATTEMPTS = 8
"""Steps tried for one child; after so many failures there is none."""

LARGEST_RING = 7
"""Insertions make no larger one."""

CARBON, NITROGEN, OXYGEN = 6, 7, 8


class Table(Generic[T]):
    """Things to draw by weight."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self.items = tuple(weights)
        self._cumulative = tuple(accumulate(weights.values()))

    def draw(self, rng: np.random.Generator) -> T:
        """One of them."""
        return self.items[bisect(self._cumulative, rng.random() * self._cumulative[-1], hi=len(self.items) - 1)]


# Groups are attached by their first atom, by a single bond where no "=" says otherwise.
GROUPS = Table(
    {
        "C": 6, "F": 4, "Cl": 3, "O": 3, "N": 3, "OC": 3, "C#N": 2, "C(F)(F)F": 2, "CC": 2, "=O": 2, "NC": 1.5,
        "N(C)C": 1.5, "C(=O)N": 1.5, "C(C)C": 1, "CO": 1, "CN": 1, "C(=O)O": 1, "C(C)=O": 1, "C(=O)NC": 1,
        "NC(C)=O": 1, "S(C)(=O)=O": 1, "S(N)(=O)=O": 0.5, "OCC": 1, "COC": 1, "C1CC1": 1, "Br": 0.5, "SC": 0.5,
        "OC(F)F": 0.5, "C(C)(C)C": 0.5, "C(C)(C)O": 0.5, "NS(C)(=O)=O": 0.5, "C#C": 0.3, "[N+](=O)[O-]": 0.1,
    }
)  # fmt: skip
RINGS = Table(
    {
        "c1ccccc1": 6, "c1ccccn1": 2, "c1cccnc1": 3, "c1ccncc1": 2, "c1ncccn1": 1, "c1cncnc1": 1, "c1cnccn1": 1,
        "c1cccs1": 1, "c1ccsc1": 0.5, "c1ccco1": 1, "c1cscn1": 0.5, "c1nccs1": 1, "c1cocn1": 0.5, "c1ccno1": 0.5,
        "c1cc[nH]n1": 1, "c1cn[nH]c1": 1, "c1c[nH]cn1": 1, "c1nc[nH]n1": 0.5, "c1nnco1": 0.5, "[nH]1cccn1": 1,
        "[nH]1ccnc1": 1, "[nH]1cncn1": 0.5, "[nH]1cccc1": 0.5, "C1CCCCC1": 1.5, "C1CCCC1": 1, "C1CCC1": 0.7,
        "C1CC1": 1.5, "N1CCOCC1": 2, "N1CCCCC1": 2, "N1CCNCC1": 1.5, "N1CCCC1": 2, "N1CCC1": 0.7, "C1CCNCC1": 1.5,
        "C1CCCNC1": 1, "C1CCNC1": 1, "C1CCOCC1": 1.5, "C1CCCO1": 0.7, "C1COC1": 0.7,
    }
)  # fmt: skip
ATOMS = Table({"C": 5, "N": 3, "O": 3, "S": 1, "F": 1.5, "Cl": 1, "Br": 0.3})
LINKS = Table({"C": 4, "N": 2, "O": 2, "C=O": 1.5, "S": 0.4})
VALENCE = {"C": 4, "N": 3, "O": 2, "S": 2, "F": 1, "Cl": 1, "Br": 1}
NUMBER = {symbol: Chem.GetPeriodicTable().GetAtomicNumber(symbol) for symbol in VALENCE}


def _one(rng: np.random.Generator, things: Sequence[T]) -> T | None:
    """One of some things; None of none."""
    return things[int(rng.random() * len(things))] if things else None


def mutant(smiles: str, rng: np.random.Generator, keep: tuple[str, ...] = ()) -> str | None:
    """Canonical SMILES of a molecule after one step; None where there is none in a few attempts."""
    graph = read_graph(smiles, keep)
    if graph is None:
        return None
    for _ in range(ATTEMPTS):
        child = mutated_by(STEPS.draw(rng), graph, rng, keep)
        if child is not None:
            return child
    return None


def mutated_by(step: Step, graph: Graph, rng: np.random.Generator, keep: tuple[str, ...] = ()) -> str | None:
    """Canonical SMILES of a molecule after a given step; None where it has no place, or gives no new molecule."""
    mol = Chem.RWMol(graph.mol)
    child = outcome(mol, keep) if step(graph, mol, rng) else None
    return child if child != graph.smiles else None


# ---- the steps


def append_group(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A small group in the place of a hydrogen, or of two."""
    return _append(graph, mol, rng, read_group(GROUPS.draw(rng)))


def append_ring(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A common ring in the place of a hydrogen."""
    return _append(graph, mol, rng, read_group(RINGS.draw(rng)))


def _append(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator, group: Group) -> bool:
    at = _one(
        rng, [i for i in _free(graph) if graph.hydrogens[i] >= group.order and may_bind(graph.kinds[i], group.kind)]
    )
    if at is not None:
        attach(mol, at, group)
    return at is not None


def delete_atom(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """One atom fewer: an end of a chain or a member of one, whose neighbours are then bound to each other."""

    def removable(i: int) -> bool:
        a, *rest = graph.neighbours[i] or (i,)
        if not rest:
            return graph.free[a] and a != i
        b = rest[0]
        single = len(rest) == 1 and graph.valence[i] == 2 and not graph.aromatic[i]
        return single and b not in graph.neighbours[a] and may_bind(graph.kinds[a], graph.kinds[b])

    at = _one(rng, [i for i in _free(graph) if removable(i)])
    if at is None:
        return False
    near = graph.neighbours[at]
    if len(near) == 2:
        join(mol, End(near[0], at, 1), End(near[1], at, 1))
    remove(mol, 1 << at)
    return True


def delete_group(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A hydrogen in the place of a group of 2 to 10 atoms."""
    part = _one(rng, [part for part in _without_end(graph, 2, 10) if graph.free[part.ends[0].kept]])
    if part is not None:
        remove(mol, graph.everything & ~part.side)
    return part is not None


def replace_group(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A small group in the place of an acyclic one of up to 6 atoms."""
    acyclic = [part for part in _without_end(graph, 1, 6) if not _ring_lost(graph, part)]
    return _replace(graph, mol, rng, read_group(GROUPS.draw(rng)), acyclic)


def replace_ring(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A common ring in the place of one at an end of the molecule, small substituents included."""
    cyclic = [part for part in _without_end(graph, 3, 9) if _ring_lost(graph, part)]
    return _replace(graph, mol, rng, read_group(RINGS.draw(rng)), cyclic)


def _replace(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator, group: Group, parts: Sequence[Part]) -> bool:
    fitting = [part for part in parts if may_bind(graph.kinds[part.ends[0].kept], group.kind)]
    part = _one(rng, fitting) if group.order == 1 else None
    if part is None:
        return False
    attach(mol, part.ends[0].kept, group, part.ends[0].lost)
    remove(mol, graph.everything & ~part.side)
    return True


def change_element(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Another element in the place of an atom, the bonds as before."""
    symbol = ATOMS.draw(rng)
    new = NUMBER[symbol]
    kind = OXYGEN if symbol == "S" else new

    def changeable(i: int) -> bool:
        fits = graph.elements[i] != new and graph.valence[i] <= VALENCE[symbol]
        return fits and (graph.aromatic[i] or all(may_bind(kind, graph.kinds[j]) for j in graph.neighbours[i]))

    return _set_element(mol, _one(rng, [i for i in _free(graph) if changeable(i)]), new)


def swap_aromatic_nitrogen(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """An N in the place of a CH of an aromatic ring, or a CH in the place of such an N."""

    def swappable(i: int) -> bool:
        return graph.aromatic[i] and len(graph.neighbours[i]) == 2 and graph.valence[i] == 3

    at = _one(rng, [i for i in _free(graph) if swappable(i)])
    return _set_element(mol, at, CARBON if at is not None and graph.elements[at] == NITROGEN else NITROGEN)


def _set_element(mol: Chem.RWMol, at: int | None, element: int) -> bool:
    if at is not None:
        mol.GetAtomWithIdx(at).SetAtomicNum(element)
    return at is not None


def insert_atom(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """An atom, or a carbonyl, between two that were bound."""
    link = read_group(LINKS.draw(rng))
    bond = _one(
        rng,
        [
            bond
            for bond in graph.bonds
            if bond.order == 1
            and not bond.aromatic
            and bond.ring < LARGEST_RING
            and not (graph.kept >> bond.a & graph.kept >> bond.b & 1)
            and may_bind(link.kind, graph.kinds[bond.a])
            and may_bind(link.kind, graph.kinds[bond.b])
        ],
    )
    if bond is None:
        return False
    keep_handedness(mol, bond.b, bond.a)
    attach(mol, bond.a, link, bond.b)
    mol.AddBond(graph.size, bond.b, ORDERS[1])
    return True


def change_order(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A bond of carbon, nitrogen or oxygen gains or loses an order."""
    gains = rng.random() < 0.5
    change = 1 if gains else -1
    bond = _one(
        rng,
        [
            bond
            for bond in graph.bonds
            if not bond.aromatic
            and 1 <= bond.order + change <= (2 if bond.rings else 3)
            and all(
                graph.free[i] and graph.elements[i] in (CARBON, NITROGEN, OXYGEN) and (graph.hydrogens[i] or not gains)
                for i in bond[:2]
            )
        ],
    )
    if bond is not None:
        mol.GetBondBetweenAtoms(bond.a, bond.b).SetBondType(ORDERS[bond.order + change])
    return bond is not None


def close_ring(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A bond between two atoms that makes a ring of 5 or 6, bridged with no other."""
    open_atoms = [i for i in _free(graph) if graph.hydrogens[i] and graph.elements[i] in (CARBON, NITROGEN, OXYGEN)]
    start = _one(rng, open_atoms)
    if start is None:
        return False
    paths = [[start]]
    found = []
    for length in range(2, 7):
        paths = [[*path, i] for path in paths for i in graph.neighbours[path[-1]] if i not in path]
        if length >= 5:
            found += [path for path in paths if path[-1] in open_atoms]
    rings = [set(ring) for ring in graph.rings]
    places = [
        path
        for path in found
        if may_bind(graph.kinds[start], graph.kinds[path[-1]])
        and all(len(ring.intersection(path)) <= 2 for ring in rings)
    ]
    path = _one(rng, places)
    if path is not None:
        mol.AddBond(start, path[-1], ORDERS[1])
    return path is not None


def open_ring(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A single bond of one ring is broken."""
    places = [
        b
        for b in graph.bonds
        if b.order == 1 and b.rings == 1 and not b.aromatic and graph.free[b.a] and graph.free[b.b]
    ]
    bond = _one(rng, places)
    if bond is not None:
        mol.RemoveBond(bond.a, bond.b)
    return bond is not None


def move_substituent(graph: Graph, mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """A group goes to another place of its aromatic ring."""
    places = []
    for part in graph.parts:
        away, _, _ = end = part.ends[0]
        if graph.aromatic[end.lost] and graph.free[end.lost]:
            for ring in graph.rings:
                if end.lost in ring:
                    places += [
                        (end, i)
                        for i in ring
                        if graph.free[i] and graph.hydrogens[i] and may_bind(graph.kinds[i], graph.kinds[away])
                    ]
    place = _one(rng, places)
    if place is None:
        return False
    end, to = place
    keep_handedness(mol, end.kept, end.lost)
    mol.RemoveBond(end.kept, end.lost)
    mol.AddBond(end.kept, to, ORDERS[1])
    return True


STEPS: Table[Step] = Table(
    {
        append_group: 3, append_ring: 0.5, delete_atom: 2, delete_group: 1, replace_group: 2, replace_ring: 1.5,
        change_element: 2, swap_aromatic_nitrogen: 2, insert_atom: 1.5, change_order: 0.7, close_ring: 0.7,
        open_ring: 0.5, move_substituent: 1.5,
    }
)  # fmt: skip


# ---- places


def _free(graph: Graph) -> list[int]:
    return [i for i, free in enumerate(graph.free) if free]


def _without_end(graph: Graph, least: int, most: int) -> list[Part]:
    """Parts that are left when a group of so many atoms, none of them kept, is cut off by its bond."""
    return [
        part
        for part in graph.parts
        if least <= graph.size - part.size <= most and part.size > 1 and not graph.kept & ~part.side
    ]


def _ring_lost(graph: Graph, part: Part) -> bool:
    """Whether the other side of the cut holds a ring."""
    return any(not part.side >> ring[0] & 1 for ring in graph.rings)
