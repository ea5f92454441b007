"""R groups: which positions of a core carry which substituents, stereo marks aside.

Positions are atoms of the SMARTS, numbered from 0 in the order in which they are written. Where a molecule holds the
core in several ways (a phenyl ring turned over), the one whose positions come first is taken, so that these are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rdkit import Chem

from designloop.molecules.chemistry import parse

_POSITION = re.compile(r"\[(\d+)\*\]|\*")


@dataclass(frozen=True, slots=True)
class RGroups:
    """What a molecule carries around a core."""

    pattern: str
    """Its substituents as SMILES, each with ``[5*]`` where position 5 is (``*``: position 0); empty for the bare core.

    A ring that is fused to the core is one substituent of two positions. A bond between two atoms of the core that the
    core has not stands as ``5-7``.
    """
    positions: tuple[int, ...]
    """Which positions carry anything, sorted."""
    substituents: frozenset[str]
    """The substituents as SMILES, wherever they are."""


def r_groups(smiles: str, core: Chem.Mol) -> RGroups | None:
    """Decomposes a molecule around a core; None where it does not hold it, or is none.

    Args:
        core: of SMARTS.
    """
    mol = parse(smiles)
    if mol is None:
        return None
    flat = Chem.Mol(mol)
    Chem.RemoveStereochemistry(flat)
    # Not uniquified: all ways of laying the core over the same atoms.
    matches = flat.GetSubstructMatches(core, uniquify=False, maxMatches=10_000)
    if not matches:
        return None
    patterns = {_pattern(flat, core, match) for match in matches}
    positions, pattern = min((tuple(sorted(set(_positions(pattern)))), pattern) for pattern in patterns)
    bare = _POSITION.sub("*", pattern)
    substituents = frozenset(_canonical(part) for part in bare.split(".") if "*" in part)
    return RGroups(pattern, positions, substituents)


def _canonical(part: str) -> str:
    """A substituent's SMILES; one that is aromatic only together with the core is written as it stands."""
    mol = Chem.MolFromSmiles(part) or Chem.MolFromSmiles(part, sanitize=False)
    return str(Chem.MolToSmiles(mol))


def _pattern(mol: Chem.Mol, core: Chem.Mol, match: tuple[int, ...]) -> str:
    """The substituents of one way in which a molecule holds the core."""
    sides = Chem.ReplaceCore(mol, core, match, labelByIndex=True)
    written = [] if sides is None else Chem.MolToSmiles(sides).split(".")
    return ".".join(filter(None, [*written, *_bridges(mol, core, match)]))


def _bridges(mol: Chem.Mol, core: Chem.Mol, match: tuple[int, ...]) -> Iterator[str]:
    """Bonds of the molecule between two positions that the core does not bind; cutting the core off loses them."""
    position_of = {atom: position for position, atom in enumerate(match)}
    for bond in mol.GetBonds():
        ends = [position_of.get(atom.GetIdx()) for atom in (bond.GetBeginAtom(), bond.GetEndAtom())]
        first, second = sorted(end for end in ends if end is not None) if None not in ends else (None, None)
        if first is not None and second is not None and core.GetBondBetweenAtoms(first, second) is None:
            yield f"{first}-{second}"


def _positions(pattern: str) -> Iterator[int]:
    for part in pattern.split("."):
        if "*" in part:
            yield from (int(number or 0) for number in _POSITION.findall(part))
        elif part:
            yield from map(int, part.split("-"))
