"""One small change of a molecule at a place drawn at random: the steps there are, and how often each is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from rdkit import Chem

from designloop.molecules.graphs.edits import ORDERS, Group, attach, cut, join, keep_mark, outcome, read_group, remove
from designloop.molecules.graphs.graph import BINDS, CARBON, NITROGEN, OXYGEN, Bond, Graph, read_graph
from designloop.molecules.graphs.parts import CutBond, Part, acyclic_parts
from designloop.molecules.graphs.tables import ATOMS, GROUPS, LINKS, RINGS, Table

T = TypeVar("T")

ATTEMPTS = 8
"""Steps tried for one child; after so many failures there is none."""

LARGEST_RING = 7
"""Insertions make no larger one."""

MOST_BONDS = {"C": 4, "N": 3, "O": 2, "S": 2, "F": 1, "Cl": 1, "Br": 1, "I": 1, "P": 3}


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """Where a step may be taken, and what is done there."""

    places: Sequence[T]
    edit: Callable[[Chem.RWMol, T], object]
    """Edits a copy of the graph's molecule at one of the places."""


Step = Callable[[Graph, np.random.Generator], Choice[Any]]
"""What is put in is drawn by the step; the place is drawn afterwards."""


def mutant(smiles: str, rng: np.random.Generator, keep: tuple[str, ...] = ()) -> str | None:
    """Canonical SMILES of a molecule after one step; None where there is none in a few attempts."""
    graph = read_graph(smiles, keep)
    if graph is None:
        return None
    for _ in range(ATTEMPTS):
        child = mutated_by(STEPS.draw(rng), graph, rng)
        if child is not None:
            return child
    return None


def mutated_by(step: Step, graph: Graph, rng: np.random.Generator) -> str | None:
    """Canonical SMILES of a molecule after a given step; None where it has no place or gives nothing new."""
    choice = step(graph, rng)
    if not choice.places:
        return None
    mol = Chem.RWMol(graph.mol)
    choice.edit(mol, choice.places[int(rng.integers(len(choice.places)))])
    child = outcome(mol, graph)
    return child if child != graph.smiles else None


# ---- a group comes, goes or becomes another


def append_group(graph: Graph, rng: np.random.Generator) -> Choice[int]:
    """A small group in the place of a hydrogen, or of two."""
    return _append(graph, read_group(GROUPS.draw(rng)))


def append_ring(graph: Graph, rng: np.random.Generator) -> Choice[int]:
    """A common ring in the place of a hydrogen."""
    return _append(graph, read_group(RINGS.draw(rng)))


def _append(graph: Graph, group: Group) -> Choice[int]:
    hydrogens = (2,) if group.order == 2 else (1, 2, 3, 4)  # =O at a CH3 would make an aldehyde
    places = [i for i in graph.free if graph.hydrogens[i] in hydrogens and group.kind in BINDS[graph.kinds[i]]]
    return Choice(places, lambda mol, atom: attach(mol, atom, group))


def delete_group(graph: Graph, rng: np.random.Generator) -> Choice[Part]:
    """A hydrogen in the place of a group of 2 to 10 atoms."""

    def edit(mol: Chem.RWMol, part: Part) -> None:
        cut(mol, part.ends[0].kept, part.ends[0].lost)
        remove(mol, graph.everything & ~part.side)

    return Choice([part for part in _without_group(graph, 2, 10) if _takes_hydrogen(graph, part.ends[0].kept)], edit)


def replace_group(graph: Graph, rng: np.random.Generator) -> Choice[Part]:
    """A small group in the place of an acyclic one of up to 6 atoms."""
    acyclic = [part for part in _without_group(graph, 1, 6) if not _loses_ring(graph, part)]
    return _replace(graph, read_group(GROUPS.draw(rng)), acyclic)


def replace_ring(graph: Graph, rng: np.random.Generator) -> Choice[Part]:
    """A common ring in the place of one at an end of the molecule, which may hold small substituents."""
    cyclic = [part for part in _without_group(graph, 3, 9) if _loses_ring(graph, part)]
    return _replace(graph, read_group(RINGS.draw(rng)), cyclic)


def _replace(graph: Graph, group: Group, parts: Sequence[Part]) -> Choice[Part]:
    def edit(mol: Chem.RWMol, part: Part) -> None:
        attach(mol, part.ends[0].kept, group, part.ends[0].lost)
        remove(mol, graph.everything & ~part.side)

    fitting = [part for part in parts if group.kind in BINDS[graph.kind(part.ends[0].kept, part.ends[0].lost)]]
    return Choice(fitting if group.order == 1 else (), edit)


def move_substituent(graph: Graph, rng: np.random.Generator) -> Choice[tuple[CutBond, int]]:
    """A group at another place of its aromatic ring."""

    def edit(mol: Chem.RWMol, place: tuple[CutBond, int]) -> None:
        end, to = place
        cut(mol, end.kept, end.lost)
        mol.AddBond(end.kept, to, ORDERS[1])

    ends = [part.ends[0] for part in acyclic_parts(graph)]
    places = [
        (end, i)
        for end in ends
        if graph.aromatic[end.lost] and end.lost in graph.free
        for ring in graph.rings
        if end.lost in ring
        for i in ring
        if i in graph.free and graph.hydrogens[i] and graph.kinds[end.kept] in BINDS[graph.kinds[i]]
    ]
    return Choice(places, edit)


# ---- an atom comes, goes or becomes another


def insert_atom(graph: Graph, rng: np.random.Generator) -> Choice[Bond]:
    """An atom, or a carbonyl, between two atoms that were bound."""
    link = read_group(LINKS.draw(rng))

    def fits(bond: Bond) -> bool:
        return (
            bond.order == 1
            and not bond.aromatic
            and max(bond.rings, default=0) < LARGEST_RING
            and not (graph.kept >> bond.a & graph.kept >> bond.b & 1)
            and link.kind in BINDS[graph.kind(bond.a, bond.b)]
            and link.kind in BINDS[graph.kind(bond.b, bond.a)]
        )

    def edit(mol: Chem.RWMol, bond: Bond) -> None:
        keep_mark(mol, bond.b, bond.a)
        attach(mol, bond.a, link, bond.b)
        mol.AddBond(graph.size, bond.b, ORDERS[1])

    return Choice([bond for bond in graph.bonds if fits(bond)], edit)


def delete_atom(graph: Graph, rng: np.random.Generator) -> Choice[int]:
    """One atom fewer: the end of a chain, or a member of a chain or ring, whose neighbours are bound to each other."""

    def removable(i: int) -> bool:
        near = graph.neighbours[i]
        if len(near) == 1:
            return near[0] in graph.free and (graph.valence[i] == 2 or _takes_hydrogen(graph, near[0]))
        if len(near) != 2 or graph.valence[i] != 2 or graph.aromatic[i]:
            return False
        a, b = near
        return b not in graph.neighbours[a] and graph.kind(a, i) in BINDS[graph.kind(b, i)]

    def edit(mol: Chem.RWMol, atom: int) -> None:
        near = graph.neighbours[atom]
        if len(near) == 2:
            join(mol, CutBond(near[0], atom, 1), CutBond(near[1], atom, 1))
        else:
            cut(mol, near[0], atom)
        remove(mol, 1 << atom)

    return Choice([i for i in graph.free if removable(i)], edit)


def change_element(graph: Graph, rng: np.random.Generator) -> Choice[int]:
    """Another element in the place of an atom, its bonds as before."""
    symbol = ATOMS.draw(rng)
    new = read_group(symbol)

    def changeable(i: int) -> bool:
        if graph.elements[i] == new.element or graph.valence[i] > MOST_BONDS[symbol]:
            return False
        if graph.aromatic[i]:
            return new.element != CARBON
        if new.element != CARBON:
            return all(new.kind in BINDS[graph.kind(j, i)] for j in graph.neighbours[i])
        # A carbon in the place of an amide's oxygen would make an enamine, in that of a sulfone's an ylide.
        single = graph.valence[i] == len(graph.neighbours[i])
        return single or all(graph.elements[j] == CARBON and graph.heteros[j] == 1 for j in graph.neighbours[i])

    places = [i for i in graph.free if changeable(i)]
    return Choice(places, lambda mol, atom: mol.GetAtomWithIdx(atom).SetAtomicNum(new.element))


def swap_aromatic_nitrogen(graph: Graph, rng: np.random.Generator) -> Choice[int]:
    """An N in the place of an aromatic CH, or a CH in the place of such an N."""

    def edit(mol: Chem.RWMol, atom: int) -> None:
        mol.GetAtomWithIdx(atom).SetAtomicNum(CARBON if graph.elements[atom] == NITROGEN else NITROGEN)

    rim = [i for i in graph.free if graph.aromatic[i] and len(graph.neighbours[i]) == 2]
    return Choice([i for i in rim if graph.valence[i] == 3], edit)


# ---- a bond comes, goes or becomes another


def raise_order(graph: Graph, rng: np.random.Generator) -> Choice[Bond]:
    """One order more of a bond of two carbons, or of an alcohol's."""

    def raisable(bond: Bond) -> bool:
        a, b, order = bond[:3]
        if bond.aromatic or min(bond.rings, default=5) < 5 or not (graph.hydrogens[a] and graph.hydrogens[b]):
            return False
        if order == 1 and any(graph.kinds[i] in "UVY" for i in (a, b)):
            return False  # a second double bond of one atom
        if graph.elements[a] == graph.elements[b] == CARBON:
            return order < (2 if bond.rings else 3) and _no_other_hetero(graph, a, b)
        return order == 1 and {graph.elements[a], graph.elements[b]} == {CARBON, OXYGEN}

    return _change_order(graph, raisable, 1)


def lower_order(graph: Graph, rng: np.random.Generator) -> Choice[Bond]:
    """One order less of a double bond of carbon, or of a triple one of two carbons."""

    def lowerable(bond: Bond) -> bool:
        a, b, order = bond[:3]
        carbons = (graph.elements[a] == CARBON) + (graph.elements[b] == CARBON)
        return not bond.aromatic and 1 < order <= carbons + 1 and _no_other_hetero(graph, a, b)

    return _change_order(graph, lowerable, -1)


def _change_order(graph: Graph, fits: Callable[[Bond], bool], change: int) -> Choice[Bond]:
    def edit(mol: Chem.RWMol, bond: Bond) -> None:
        mol.GetBondBetweenAtoms(bond.a, bond.b).SetBondType(ORDERS[bond.order + change])

    free = [bond for bond in graph.bonds if bond.a in graph.free and bond.b in graph.free]
    return Choice([bond for bond in free if fits(bond)], edit)


def _no_other_hetero(graph: Graph, a: int, b: int) -> bool:
    """Whether no carbon of a bond has a heteroatom beside it, with which it might become an enol or a hemiacetal."""
    return all(
        graph.elements[i] != CARBON or graph.heteros[i] == (graph.elements[j] != CARBON) for i, j in ((a, b), (b, a))
    )


def close_ring(graph: Graph, rng: np.random.Generator) -> Choice[tuple[int, int]]:
    """A bond that makes a ring of 5 or 6, which shares at most one bond with any other."""
    ends = [i for i in graph.free if graph.hydrogens[i] and graph.elements[i] in (CARBON, NITROGEN, OXYGEN)]
    start = ends[int(rng.integers(len(ends)))] if ends else -1
    rings = [set(ring) for ring in graph.rings]
    paths, places = [[start]] if ends else [], []
    for length in range(2, 7):
        longer = [[*path, i] for path in paths for i in graph.neighbours[path[-1]] if i not in path]
        paths = [path for path in longer if all(len(ring.intersection(path)) <= 2 for ring in rings)]
        if length >= 5:
            places += [(start, path[-1]) for path in paths if path[-1] in ends]
    carbon = [pair for pair in places if CARBON in (graph.elements[pair[0]], graph.elements[pair[1]])]
    return Choice(carbon, lambda mol, pair: mol.AddBond(*pair, ORDERS[1]))


def open_ring(graph: Graph, rng: np.random.Generator) -> Choice[Bond]:
    """Hydrogens in the place of a single bond of one ring."""

    def breakable(bond: Bond) -> bool:
        single = bond.order == len(bond.rings) == 1 and not bond.aromatic
        return single and _takes_hydrogen(graph, bond.a) and _takes_hydrogen(graph, bond.b)

    def edit(mol: Chem.RWMol, bond: Bond) -> None:
        keep_mark(mol, bond.b, bond.a)
        cut(mol, bond.a, bond.b)

    return Choice([bond for bond in graph.bonds if breakable(bond)], edit)


STEPS: Table[Step] = Table.of(
    {
        append_group: 3, append_ring: 0.5, delete_group: 1, replace_group: 2, replace_ring: 1.5, move_substituent: 1.5,
        insert_atom: 1.5, delete_atom: 2, change_element: 2, swap_aromatic_nitrogen: 2, raise_order: 0.5,
        lower_order: 0.3, close_ring: 0.7, open_ring: 0.5,
    }
)  # fmt: skip


# ---- places


def _takes_hydrogen(graph: Graph, atom: int) -> bool:
    """Whether an atom may lose a neighbour for a hydrogen: no aldehyde, and no S-H of higher valence, comes of it."""
    return atom in graph.free and graph.kinds[atom] not in "US"


def _without_group(graph: Graph, least: int, most: int) -> list[Part]:
    """Parts that are left when a group of so many atoms, none of them kept, is cut off."""
    return [
        part
        for part in acyclic_parts(graph)
        if least <= graph.size - part.size <= most and part.size > 1 and not graph.kept & ~part.side
    ]


def _loses_ring(graph: Graph, part: Part) -> bool:
    """Whether the other side of the cut holds a ring."""
    return any(not part.side >> ring[0] & 1 for ring in graph.rings)
