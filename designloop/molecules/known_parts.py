"""How many known molecules hold a ring system, or a pair of bonded groups.

The table, ``data/known_parts.tsv.xz``, is made by ``python -m designloop.molecules.count_parts`` of ZINC's training
rows (what is held out stays out) and of the approved drugs.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from rdkit import Chem

from designloop.molecules.errors import MoleculeError
from designloop.molecules.group_pairs import group_pairs
from designloop.molecules.outline import Outline
from designloop.molecules.ring_systems import Description, RingSystem, descriptions, ring_systems

TABLE = Path(__file__).parent / "data" / "known_parts.tsv.xz"

Kind = Literal["ring_system", "ring_pair", "ring", "group_pair"]
"""A whole ring system; two rings of one that share bonds; one ring of it; a pair of groups, or a group alone."""

Part = tuple[Kind, str]
"""A part's kind and its key."""


@dataclass(frozen=True, slots=True)
class Known:
    """How many molecules hold each part that any does."""

    zinc: Mapping[Part, int]
    drugs: Mapping[Part, int]

    def holders(self, part: Part) -> int:
        """Molecules of both that hold it."""
        return self.zinc.get(part, 0) + self.drugs.get(part, 0)


@cache
def known_parts() -> Known:
    """The shipped table.

    Raises:
        MoleculeError: it is damaged.
    """
    try:
        lines = lzma.decompress(TABLE.read_bytes()).decode("utf-8").splitlines()
        rows = [(kind, key, int(zinc), int(drugs)) for kind, key, zinc, drugs in (line.split("\t") for line in lines)]
    except (lzma.LZMAError, OSError, ValueError) as error:
        raise MoleculeError(f"{TABLE} cannot be read ({error}); reinstall the package") from error
    kinds = {kind: kind for kind in get_args(Kind)}
    zinc = {(kinds[kind], key): count for kind, key, count, _ in rows if count}
    return Known(zinc, {(kinds[kind], key): count for kind, key, _, count in rows if count})


def parts(mol: Chem.Mol, remembered: dict[str, frozenset[Part]] | None = None) -> frozenset[Part]:
    """All parts of a molecule, of every kind.

    Args:
        remembered: parts of ring systems by their keys, read and written, for many molecules.
    """
    held: set[Part] = {("group_pair", key) for key in group_pairs(mol)}
    for system in ring_systems(mol):
        key = system.key
        within = None if remembered is None else remembered.get(key)
        if within is None:
            pairs: set[Part] = {("ring_pair", pair) for pair, _ in system.pairs()}
            rings: set[Part] = {("ring", ring) for ring in system.single_rings()}
            whole: Part = ("ring_system", key)
            within = frozenset({whole, *pairs, *rings})
            if remembered is not None:
                remembered[key] = within
        held |= within
    return frozenset(held)


def first_unknown_ring_system(
    mol: Chem.Mol, fewest: int = 1, known: Known | None = None, outline: Outline | None = None
) -> str | None:
    """Key of the first ring system that fewer molecules hold, and that is not made of what as many hold; None without.

    A system that is new as a whole passes where each two of its rings that share bonds are known (three rings or more),
    or each of its rings is, if they are fused along one bond only: chemists anneal known rings to each other, and every
    tenth approved drug has a system of its own. A bridged pair of rings has to be known as it is.

    Args:
        known: the shipped table, unless another one is given.
        outline: of the molecule, where it has been made already.
    """
    outline = outline or Outline.of(mol)
    described = None if outline is None or known is not None else descriptions(outline)
    if described is None:
        unknown = (_unknown(system, fewest, known or known_parts()) for system in ring_systems(mol))
    else:
        unknown = (_remembered(mol, number, system, fewest) for number, system in enumerate(described))
    return next((key for key in unknown if key is not None), None)


_MOST_REMEMBERED = 20_000
"""Ring systems of which it is remembered whether they are known; all are forgotten when there are more."""

_unknown_by_description: dict[tuple[int, Description], str | None] = {}


def _remembered(mol: Chem.Mol, number: int, described: Description, fewest: int) -> str | None:
    """``_unknown`` of the ring system of a number, by the shipped table."""
    place = fewest, described
    if place not in _unknown_by_description:
        if len(_unknown_by_description) == _MOST_REMEMBERED:
            _unknown_by_description.clear()
        _unknown_by_description[place] = _unknown(ring_systems(mol)[number], fewest, known_parts())
    return _unknown_by_description[place]


def _unknown(system: RingSystem, fewest: int, known: Known) -> str | None:
    key = system.key
    if known.holders(("ring_system", key)) >= fewest:
        return None
    pairs = [(known.holders(("ring_pair", pair)) >= fewest, bridged) for pair, bridged in system.pairs()]
    if len(system.rings) > 2 and all(is_known for is_known, _ in pairs):
        return None
    if pairs and all(is_known or not bridged for is_known, bridged in pairs):
        rings = (known.holders(("ring", ring)) >= fewest for ring in system.single_rings())
        return None if all(rings) else key
    return key


def unknown_group_pairs(
    mol: Chem.Mol, fewest: int = 1, known: Known | None = None, outline: Outline | None = None
) -> Iterator[str]:
    """Keys of the pairs of bonded groups (or groups alone) that fewer molecules hold. Arguments as for ring systems."""
    table = known or known_parts()
    return (key for key in group_pairs(mol, outline) if table.holders(("group_pair", key)) < fewest)


def first_unknown_group_pair(
    mol: Chem.Mol, fewest: int = 1, known: Known | None = None, outline: Outline | None = None
) -> str | None:
    """The first of ``unknown_group_pairs``; None where there is none. Arguments as for ring systems."""
    return next(unknown_group_pairs(mol, fewest, known, outline), None)
