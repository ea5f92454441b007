"""Which of many patterns a molecule may hold, told from its atoms and their neighbours: of the others none is matched.

A molecule that holds a pattern has, for each of the pattern's stars (see ``pattern_demands``), an atom whose
surroundings fit it. Which stars fit what surroundings is worked out once. So a molecule is matched with some three of
660 patterns, in a tenth of the time that all would take: what is screened out does not match, and of the rest RDKit's
own matching decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rdkit.Chem import Mol

from designloop.molecules.outline import KINDS, ORDERS, Outline
from designloop.molecules.pattern_demands import AtomTest, Demand, Fact, Star, demand_of

_MOST_REMEMBERED = 50_000
"""Surroundings of which a screen knows what fits them; all are forgotten when there are more, which changes nothing."""

_ALWAYS = 1
"""The bit that every molecule has."""


@dataclass(frozen=True, slots=True)
class _NumberedStar:
    bit: int
    """A mask of one bit, by which what fits is told."""
    arms: tuple[int, ...]
    """Numbers of its arms."""
    mask: int
    """Of its arms."""


@dataclass(frozen=True, slots=True)
class _NumberedDemand:
    """A demand in bits: of facts and stars."""

    mask: int
    several: tuple[tuple[int, int], ...]
    """(bit of a star, how many atoms it has to fit) where that is more than one."""
    choices: tuple[tuple[int, ...], ...]
    """Masks, of each choice one of which has to be there."""

    def is_met(self, lacking: int, fitting: Sequence[int]) -> bool:
        """Whether it is met by what does not lack, and by what fits each atom."""
        return (
            not self.mask & lacking
            and all(any(not mask & lacking for mask in choice) for choice in self.choices)
            and all(sum(mask & bit != 0 for mask in fitting) >= count for bit, count in self.several)
        )


class PatternScreen:
    """Some patterns, of which a molecule is asked only those that it can hold.

    Args:
        patterns: None for one of which nothing is known, and which is asked always.
    """

    def __init__(self, patterns: Sequence[Mol | None]) -> None:
        self._facts: dict[Fact, int] = {}
        self._stars: dict[Star, _NumberedStar] = {}
        self._arms: dict[tuple[int, AtomTest], int] = {}
        self._demands = [self._number(Demand() if pattern is None else demand_of(pattern)) for pattern in patterns]
        self._by_centre: dict[AtomTest, list[_NumberedStar]] = defaultdict(list)
        for star, numbered in self._stars.items():
            self._by_centre[star.centre].append(numbered)
        self._bytes = self._next_bit().bit_length() // 8 + 1
        self._rarest = _rarest_bits([demand.mask for demand in self._demands])
        self._fitting: dict[int, int] = {}
        """Surroundings -> mask of the stars that fit them."""
        self._around = lru_cache(None)(self._stars_around)
        self._along = lru_cache(None)(self._arms_along)
        self._true_of = lru_cache(1_000)(self._facts_of)

    def possible(self, outline: Outline | None) -> Sequence[int]:
        """Numbers of the patterns that a molecule may hold, ascending; all where it has no outline."""
        if outline is None:
            return range(len(self._demands))
        known = self._fitting
        fitting = [known.get(surroundings, -1) for surroundings in outline.surroundings]
        if -1 in fitting:
            fitting = [self._fits(outline, atom) for atom in range(len(fitting))]
        held = _ALWAYS | self._true_of(outline.ring_sizes)
        for mask in fitting:
            held |= mask
        has = np.unpackbits(np.frombuffer(held.to_bytes(self._bytes, "little"), np.uint8), bitorder="little")
        rows, lacking = np.flatnonzero(has[self._rarest].all(0)).tolist(), ~held
        return [row for row in rows if self._demands[row].is_met(lacking, fitting)]

    # ---- demands in bits

    def _number(self, demand: Demand) -> _NumberedDemand:
        several = tuple((self._star(star).bit, count) for star, count in demand.stars.items() if count > 1)
        choices = [tuple(map(self._mask, choice)) for choice in demand.choices]
        return _NumberedDemand(self._mask(demand), several, tuple(choice for choice in choices if 0 not in choice))

    def _mask(self, demand: Demand) -> int:
        return _union([*(self._star(star).bit for star in demand.stars), *map(self._fact, demand.facts)])

    def _next_bit(self) -> int:
        return _ALWAYS << (1 + len(self._facts) + len(self._stars))

    def _fact(self, fact: Fact) -> int:
        return self._facts.setdefault(fact, self._next_bit())

    def _star(self, star: Star) -> _NumberedStar:
        if star not in self._stars:
            arms = tuple(self._arms.setdefault(arm, len(self._arms)) for arm in star.arms)
            self._stars[star] = _NumberedStar(self._next_bit(), arms, _union([1 << arm for arm in arms]))
        return self._stars[star]

    # ---- what fits

    def _facts_of(self, ring_sizes: tuple[int, ...]) -> int:
        """A mask of the facts that are true of a molecule with such rings."""
        return _union([bit for fact, bit in self._facts.items() if fact.holds(ring_sizes)])

    def _fits(self, outline: Outline, atom: int) -> int:
        """A mask of the stars that fit an atom's surroundings."""
        surroundings = outline.surroundings[atom]
        if surroundings not in self._fitting:
            if len(self._fitting) == _MOST_REMEMBERED:
                self._fitting.clear()
            arms = [self._along(order, kind) for order, kind in outline.neighbours(atom)]
            none = ~_union(arms)
            stars = [star for star in self._around(outline.kinds[atom]) if not star.mask & none]
            self._fitting[surroundings] = _union([star.bit for star in stars if _can_assign(star.arms, arms)])
        return self._fitting[surroundings]

    def _stars_around(self, kind: int) -> list[_NumberedStar]:
        """The stars whose centre an atom of a kind may be."""
        atom = KINDS[kind].atom
        return [star for test, stars in self._by_centre.items() if test.may_hold(atom) for star in stars]

    def _arms_along(self, order: int, kind: int) -> int:
        """A mask of the arms that a bond to an atom of a kind may be."""
        atom, place = KINDS[kind].atom, 1 << ORDERS.index(order)
        return _union(
            [1 << arm for (orders, test), arm in self._arms.items() if orders & place and test.may_hold(atom)]
        )


def _union(masks: Sequence[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _can_assign(arms: Sequence[int], neighbours: Sequence[int], used: int = 0) -> bool:
    """Whether each arm can have a neighbour of its own, of masks of the arms that each neighbour may be."""
    if not arms:
        return True
    return any(
        not used >> place & 1 and mask >> arms[0] & 1 and _can_assign(arms[1:], neighbours, used | 1 << place)
        for place, mask in enumerate(neighbours)
    )


def _rarest_bits(masks: Sequence[int]) -> np.ndarray:
    """(2, n) places of the bits of each mask that are in the fewest others: most molecules lack one of the two."""
    places = [[place for place in range(mask.bit_length()) if mask >> place & 1] for mask in masks]
    count = Counter(place for of_mask in places for place in of_mask)
    rarest = [[*sorted(of_mask, key=lambda place: (count[place], place)), 0, 0][:2] for of_mask in places]
    return np.array(rarest, dtype=np.intp).reshape(-1, 2).T
