"""A part of one molecule bound to a part of another.

Source: Jensen 2019, "A graph-based genetic algorithm and generative model/Monte Carlo tree search for the exploration
of chemical space", Chem. Sci. 10, 3567; here the second cut is drawn so that a child is about as large as its parents,
and cut rings match each other's bond orders, so that halves of aromatic rings make an aromatic ring.
"""

from __future__ import annotations

from math import exp

import numpy as np
from rdkit import Chem

from designloop.molecules.graphs.edits import join, outcome, remove
from designloop.molecules.graphs.graph import BINDS, Graph, read_graph
from designloop.molecules.graphs.parts import CutBond, Part, acyclic_parts, ring_parts
from designloop.molecules.graphs.tables import Table

ATTEMPTS = 8
"""Cuts tried for one child; after so many failures there is none."""

RING_SHARE = 0.3
"""Share of cuts that go through a ring."""

SPREAD = 3.0
"""Heavy atoms by which a child's size strays from the mean of its parents'."""


def offspring(first: str, second: str, rng: np.random.Generator, keep: tuple[str, ...] = ()) -> str | None:
    """Canonical SMILES of a part of the first bound to a part of the second; None where there is none.

    Both are cut at an acyclic single bond, or at two bonds of a ring so that the halves make a new ring. All that is
    kept comes from the first.
    """
    a, b = read_graph(first, keep), read_graph(second, keep)
    if a is None or b is None:
        return None
    for _ in range(ATTEMPTS):
        part_of_a = _ring_part(a, rng) if rng.random() < RING_SHARE else _acyclic_part(a, rng)
        part_of_b = None if part_of_a is None else _partner(a, part_of_a, b, rng)
        if part_of_a is None or part_of_b is None:
            continue
        child = outcome(join_parts(a, part_of_a, b, part_of_b), a)
        if child is not None and child not in (a.smiles, b.smiles):
            return child
    return None


def _acyclic_part(graph: Graph, rng: np.random.Generator) -> Part | None:
    """One side of an acyclic bond, with all that is kept; sides of few atoms, a mutation's work, are rarer."""
    parts = [part for part in acyclic_parts(graph) if not graph.kept & ~part.side]
    return Table(parts, [min(part.size, graph.size - part.size, 6) for part in parts]).draw(rng) if parts else None


def _ring_part(graph: Graph, rng: np.random.Generator) -> Part | None:
    """One side of a ring cut at two bonds, with all that is kept."""
    parts = [part for part in ring_parts(graph) if not graph.kept & ~part.side]
    return parts[int(rng.integers(len(parts)))] if parts else None


def _partner(a: Graph, part_of_a: Part, b: Graph, rng: np.random.Generator) -> Part | None:
    """A part of ``b``, cut in the same manner, that binds to the part of ``a`` and makes up a parent's size."""
    parts = _ring_partners(part_of_a, b) if part_of_a.arc else acyclic_parts(b)
    fitting = [
        part
        for part in parts
        if not b.kept & part.side and all(bind(a, x, b, y) for x, y in zip(part_of_a.ends, part.ends, strict=True))
    ]
    missing = (a.size + b.size) / 2 + rng.normal(0, SPREAD) - part_of_a.size
    return Table(fitting, [exp(-abs(part.size - missing) / 2) for part in fitting]).draw(rng) if fitting else None


def _ring_partners(half: Part, graph: Graph) -> list[Part]:
    """Parts of another molecule's rings that close a ring of 5 to 7 atoms with this one, each either way round."""
    largest = 6 if half.aromatic else 7
    parts = [
        part for part in ring_parts(graph) if 5 <= half.arc + part.arc <= largest and half.aromatic == part.aromatic
    ]
    return parts + [part._replace(ends=part.ends[::-1]) for part in parts]


def bind(a: Graph, x: CutBond, b: Graph, y: CutBond) -> bool:
    """Whether the ends of two parts may be bound."""
    return x.order == y.order and b.kind(y.kept, y.lost) in BINDS[a.kind(x.kept, x.lost)]


def join_parts(a: Graph, first: Part, b: Graph, second: Part) -> Chem.RWMol:
    """Both parts in one molecule, end bound to end."""
    mol, shift = Chem.RWMol(a.mol), a.size
    mol.InsertMol(b.mol)
    for x, y in zip(first.ends, second.ends, strict=True):
        join(mol, x, CutBond(y.kept + shift, y.lost + shift, y.order))
    remove(mol, a.everything & ~first.side | (b.everything & ~second.side) << shift)
    return mol
