"""What a substructure pattern demands of a molecule that holds it, as far as atoms, their neighbours and rings tell.

Each atom of a pattern demands surroundings, a *star*: an atom, and neighbours by such bonds. The pattern demands facts
of the whole molecule besides: so many rings, one so small. Whatever else it says, sizes of rings but their being there
and recursive environments but what these demand themselves, is left out, so that no demand is greater than RDKit's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from rdkit import Chem
from rdkit.Chem import Mol

from designloop.molecules.outline import AROMATIC, DOUBLE, ORDERS, SINGLE, TRIPLE

MOST_RINGS = 6
"""So many rings that are demanded are counted, not more."""

_TOLD = re.compile(r"#\d+|Cl|Br|Si|Se|se|As|as|[BCNOPSFI]|[bcnops]|\*|A|a|H\d+|X\d+|D\d+|R|R0|[+-]\d*", flags=re.ASCII)
"""What follows from an atom's own kind: element, hydrogens, bonds, charge, whether it is in a ring."""

_RING_SIZE = re.compile(r"r(\d+)")


class Fact(NamedTuple):
    """What a molecule's rings are like."""

    what: Literal["size", "at_most", "count"]
    """There is one of this size; one of at most this size; there are so many."""
    number: int

    def holds(self, sizes: Sequence[int]) -> bool:
        """Whether it is true of rings of these sizes."""
        if self.what == "count":
            return len(sizes) >= self.number
        return self.number in sizes if self.what == "size" else min(sizes, default=self.number + 1) <= self.number


class AtomTest(NamedTuple):
    """What a pattern says of one atom."""

    smarts: str
    in_ring: bool
    """Whether the pattern has it in a ring, or on a bond that is in one."""

    def may_hold(self, atom: Chem.Atom) -> bool:
        """Whether it can be true of an atom, as far as the atom itself tells."""
        return (atom.IsInRing() or not self.in_ring) and _expression(self.smarts).bounds(atom)[1]


class Star(NamedTuple):
    """An atom of a pattern with its neighbours."""

    centre: AtomTest
    arms: tuple[tuple[int, AtomTest], ...]
    """A bit mask of ``ORDERS``, and what is at the bond's other end, of each neighbour."""


@dataclass(frozen=True)
class Demand:
    """What a pattern demands."""

    stars: Counter[Star] = field(default_factory=Counter)
    """How many atoms have to be the centre of such surroundings."""
    facts: frozenset[Fact] = frozenset()
    choices: tuple[tuple[Demand, ...], ...] = ()
    """Of each at least one has to be met."""


_NOTHING = Demand()


# ---- what is said of an atom


class _Expression:
    """A part of what is said of an atom."""

    def bounds(self, atom: Chem.Atom) -> tuple[bool, bool]:
        """Whether it surely is, and whether it may be, true of an atom, by what the atom itself is."""
        return False, True

    def alternatives(self) -> list[Demand]:
        """What an atom of which it is true demands of its molecule: one of these."""
        return [_NOTHING]


@dataclass(frozen=True)
class _Told(_Expression):
    """What follows from the atom's kind."""

    query: Chem.Atom

    def bounds(self, atom: Chem.Atom) -> tuple[bool, bool]:
        holds = bool(self.query.Match(atom))
        return holds, holds


@dataclass(frozen=True)
class _RingSize(_Expression):
    """In a ring whose smallest is of some size."""

    size: int

    def bounds(self, atom: Chem.Atom) -> tuple[bool, bool]:
        return False, bool(atom.IsInRing())

    def alternatives(self) -> list[Demand]:
        return [Demand(facts=frozenset({Fact("size", self.size)}))]


@dataclass(frozen=True)
class _Environment(_Expression):
    """The first atom of a pattern of its own."""

    pattern: Mol

    def bounds(self, atom: Chem.Atom) -> tuple[bool, bool]:
        return False, _expression(self.pattern.GetAtomWithIdx(0).GetSmarts()).bounds(atom)[1]

    def alternatives(self) -> list[Demand]:
        demand = demand_of(self.pattern)
        if not demand.choices:
            return [demand]
        return [_both(demand, chosen) for chosen in min(demand.choices, key=len)]


@dataclass(frozen=True)
class _Not(_Expression):
    part: _Expression

    def bounds(self, atom: Chem.Atom) -> tuple[bool, bool]:
        surely, maybe = self.part.bounds(atom)
        return not maybe, not surely


@dataclass(frozen=True)
class _All(_Expression):
    parts: tuple[_Expression, ...]

    def bounds(self, atom: Chem.Atom) -> tuple[bool, bool]:
        surely, maybe = zip(*(part.bounds(atom) for part in self.parts), strict=True)
        return all(surely), all(maybe)

    def alternatives(self) -> list[Demand]:
        together, several = _NOTHING, list[list[Demand]]()
        for part in self.parts:
            alternatives = part.alternatives()
            if len(alternatives) == 1:
                together = _both(together, alternatives[0])
            else:
                several.append(alternatives)
        return [_both(together, one) for one in min(several, key=len, default=[_NOTHING])]


@dataclass(frozen=True)
class _Any(_Expression):
    parts: tuple[_Expression, ...]

    def bounds(self, atom: Chem.Atom) -> tuple[bool, bool]:
        surely, maybe = zip(*(part.bounds(atom) for part in self.parts), strict=True)
        return any(surely), any(maybe)

    def alternatives(self) -> list[Demand]:
        alternatives = [demand for part in self.parts for demand in part.alternatives()]
        return [_NOTHING] if any(demand is _NOTHING for demand in alternatives) else alternatives


_UNKNOWN = _Expression()


@lru_cache(None)
def _expression(smarts: str) -> _Expression:
    """What an atom's SMARTS says: ``;`` binds least, then ``,``, then ``&``, then ``!``."""
    body = re.sub(r":\d+$", "", smarts[1:-1]) if smarts.startswith("[") else smarts

    def conjunction(text: str) -> _Expression:
        return _All(tuple(map(_primitive, _parted(text, "&"))))

    return _All(tuple(_Any(tuple(map(conjunction, _parted(part, ",")))) for part in _parted(body, ";")))


@lru_cache(None)
def _alternatives(smarts: str) -> list[Demand]:
    """What an atom that fits a SMARTS demands of its molecule: one of these."""
    return _expression(smarts).alternatives()


def _primitive(text: str) -> _Expression:
    if text.startswith("!"):
        return _Not(_primitive(text[1:]))
    if text.startswith("$("):
        pattern = Chem.MolFromSmarts(text[2:-1])
        return _UNKNOWN if pattern is None else _Environment(pattern)
    if size := _RING_SIZE.fullmatch(text):
        return _RingSize(int(size[1]))
    return _Told(Chem.MolFromSmarts(f"[{text}]").GetAtomWithIdx(0)) if _TOLD.fullmatch(text) else _UNKNOWN


def _parted(text: str, sign: str) -> Iterator[str]:
    """The parts of a text between signs that stand in no brackets."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == sign and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _both(first: Demand, second: Demand) -> Demand:
    if first is _NOTHING or second is _NOTHING:
        return first if second is _NOTHING else second
    return Demand(first.stars | second.stars, first.facts | second.facts, (*first.choices, *second.choices))


# ---- what a pattern demands


def demand_of(pattern: Mol) -> Demand:
    """What a pattern demands of a molecule that holds it."""
    query = Chem.Mol(pattern)
    Chem.FastFindRings(query)
    tests = [_test(atom) for atom in query.GetAtoms()]
    stars = Counter(Star(test, _arms(atom, tests)) for atom, test in zip(query.GetAtoms(), tests, strict=True))
    own, choices = Demand(stars, frozenset(_ring_facts(query))), []
    for atom in query.GetAtoms():
        alternatives = _alternatives(tests[atom.GetIdx()].smarts)
        if len(alternatives) == 1:
            own = _both(own, alternatives[0])
        else:
            choices.append(tuple(alternatives))
    return replace(own, choices=(*own.choices, *choices))


def _arms(atom: Chem.Atom, tests: Sequence[AtomTest]) -> tuple[tuple[int, AtomTest], ...]:
    """The arms of the star around an atom of a pattern, of the tests of all its atoms."""
    bonds = [(_bonds(bond.GetSmarts()), bond.GetOtherAtomIdx(atom.GetIdx())) for bond in atom.GetBonds()]
    return tuple(sorted((of_bond.orders, tests[other]) for of_bond, other in bonds))


def _ring_facts(query: Mol) -> Iterator[Fact]:
    """A pattern's rings are rings of a molecule that holds it, though perhaps not smallest ones."""
    count = query.GetNumBonds() - query.GetNumAtoms() + len(Chem.GetMolFrags(query))
    for number in range(1, min(count, MOST_RINGS) + 1):
        yield Fact("count", number)
    if sizes := [len(ring) for ring in query.GetRingInfo().AtomRings()]:
        yield Fact("at_most", min(sizes))


def _test(atom: Chem.Atom) -> AtomTest:
    """What a pattern says of an atom of its own."""
    return AtomTest(_smarts(atom), atom.IsInRing() or any(_bonds(bond.GetSmarts()).in_ring for bond in atom.GetBonds()))


def _smarts(atom: Chem.Atom) -> str:
    """An atom's SMARTS; that of any atom where RDKit does not write what it has read."""
    text: str = atom.GetSmarts()
    return text if _is_written(text, atom.DescribeQuery()) else "*"


@lru_cache(None)
def _is_written(smarts: str, described: str) -> bool:
    """Whether RDKit reads in an atom's SMARTS what it says in words of the atom."""
    again = Chem.MolFromSmarts(smarts if smarts.startswith("[") else f"[{smarts}]")
    return again is not None and _in_words(again.GetAtomWithIdx(0).DescribeQuery()) == _in_words(described)


def _in_words(described: str) -> str:
    """RDKit's words for what is asked of an atom, without those on the state of its environments."""
    return re.sub(r"(RecursiveStructure val).*", r"\1", described).replace("AtomInRing 1", "AtomInNRings -1")


_EXAMPLES = {
    SINGLE: ("CC", "C1CC1"),
    AROMATIC: ("c1ccccc1",),
    DOUBLE: ("C=C", "C1=CC1"),
    TRIPLE: ("C#C", "C1#CCCCCCC1"),
}
"""Order of a bond -> molecules that begin with such bonds: outside rings, where there are any, and in one."""


@lru_cache(None)
def _examples(order: int) -> tuple[Chem.Bond, ...]:
    return tuple(Chem.MolFromSmiles(smiles).GetBondWithIdx(0) for smiles in _EXAMPLES[order])


class _Bonds(NamedTuple):
    """Which bonds of a molecule a pattern's bond may be."""

    orders: int
    """A bit mask of ``ORDERS``."""
    in_ring: bool
    """Whether none outside rings."""


@lru_cache(None)
def _bonds(smarts: str) -> _Bonds:
    query = Chem.MolFromSmarts(f"*{smarts}*").GetBondWithIdx(0)
    fitting = [[example for example in _examples(order) if query.Match(example)] for order in ORDERS]
    orders = sum(1 << place for place, examples in enumerate(fitting) if examples)
    return _Bonds(orders, all(example.IsInRing() for examples in fitting for example in examples))
