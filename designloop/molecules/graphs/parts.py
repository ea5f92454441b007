"""What a molecule falls into when one acyclic bond of it, or two bonds of one ring, are cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from designloop.molecules.graphs.graph import GRAPHS, Graph, mask


class CutBond(NamedTuple):
    """A bond that is cut, seen from the part that stays."""

    kept: int
    lost: int
    order: int


class Part(NamedTuple):
    """One side of a cut."""

    ends: tuple[CutBond, ...]
    """The bonds that are cut: one, or two of a ring."""
    side: int
    """Bit mask of its atoms."""
    arc: int = 0
    """How many atoms of the ring that is cut it holds; 0 where the cut is outside rings."""
    aromatic: bool = False
    """Whether that ring is aromatic."""

    @property
    def size(self) -> int:
        """How many atoms it holds."""
        return self.side.bit_count()


@lru_cache(GRAPHS)
def acyclic_parts(graph: Graph) -> tuple[Part, ...]:
    """Both sides of every acyclic single bond that does not hold an anion.

    One walk finds them all: such a bond is one of any spanning tree, and its lower side is what lies below it there.
    """
    walk, above = [0], {0: -1}
    for i in walk:  # grows as it is walked
        for j in graph.neighbours[i]:
            if j not in above:
                above[j] = i
                walk.append(j)
    below = [1 << i for i in range(graph.size)]
    for i in reversed(walk[1:]):
        below[above[i]] |= below[i]
    parts = []
    for bond in graph.bonds:
        anion = "I" in (graph.kinds[bond.a], graph.kinds[bond.b])
        if bond.order == 1 and not bond.rings and not anion and bond.a in above:
            top, bottom = (bond.a, bond.b) if above[bond.b] == bond.a else (bond.b, bond.a)
            parts.append(Part((CutBond(bottom, top, 1),), below[bottom]))
            parts.append(Part((CutBond(top, bottom, 1),), below[0] & ~below[bottom]))
    return tuple(parts)


@lru_cache(GRAPHS)
def ring_parts(graph: Graph) -> tuple[Part, ...]:
    """Both sides of every pair of a ring's bonds that parts the molecule in two.

    A pair does so where no other ring bridges it: what hangs on one arc does not hang on the other.
    """
    order = {bond[:2]: bond.order for bond in graph.bonds}
    order |= {(b, a): value for (a, b), value in order.items()}
    parts = []
    for ring in graph.rings:
        n = len(ring)
        aromatic = all(graph.aromatic[i] for i in ring)
        hanging = [_hanging(graph, i, ring) for i in ring] * 2
        for start in range(n):
            others = [0]
            for k in range(n - 1, 0, -1):
                others.append(others[-1] | hanging[start + k])
            side = 0
            for length in range(1, n):
                side |= hanging[start + length - 1]
                if side & others[n - length]:
                    continue
                last = start + length - 1
                cuts = ((ring[start], ring[start - 1]), (ring[last % n], ring[(last + 1) % n]))
                first, second = (CutBond(kept, lost, order[kept, lost]) for kept, lost in cuts)
                parts.append(Part((first, second), side, length, aromatic))
    return tuple(parts)


def _hanging(graph: Graph, atom: int, ring: Sequence[int]) -> int:
    """Bit mask of a ring's atom and of all that is reached from it without passing another atom of the ring."""
    visited, walk = mask(ring), [atom]
    for i in walk:  # grows as it is walked
        for j in graph.neighbours[i]:
            if not visited >> j & 1:
                visited |= 1 << j
                walk.append(j)
    return mask(walk)
