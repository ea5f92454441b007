"""A generation of Graph GA as ``mol_ga`` breeds it, from the same distribution at less than half the price.

The package makes all products of two cut parents, checks each, and draws one of those that are sound. Here they are
made in a random order until one is, which draws the same; and what depends on a parent alone, its cuts above all, is
kept from one generation to the next. Mutations are the package's own.
Source: Jensen 2019, "A graph-based genetic algorithm and generative model/Monte Carlo tree search"; Tripp &
Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import product

from rdkit import Chem, rdBase
from rdkit.Chem import AllChem

MUTATED, MUTATED_CHILDREN = 0.1, 0.01
"""Share of parents that are mutated instead of crossed, and of crossed children that are mutated as well."""

_TRIES = 10
_KEPT = 20_000

_SINGLE = "[*]-;!@[*]"
_ACROSS, _BESIDE = "[R]@[R]@[R]@[R]", "[R]@[R;!D2]@[R]"
"""Four ring atoms, of which the outer bonds are cut, and three around one that has more than two neighbours."""

JOIN = "[*:1]-[1*].[1*]-[*:2]>>[*:1]-[*:2]"
OPEN = tuple(f"[*:1]~[1*].[1*]~[*:2]>>[*:1]{bond}[*:2]" for bond in "-=")
CLOSE = tuple(f"([*:1]~[1*].[1*]~[*:2])>>[*:1]{bond}[*:2]" for bond in "-=")

Parts = tuple[Chem.Mol, ...]


def children(parents: Sequence[str], n: int, rng: random.Random) -> set[str]:
    """Breeds up to ``n`` children, as ``graph_ga_blended_generation`` does: those that fail or repeat are missing."""
    mutated: list[str] = []
    crossed: list[str] = []
    for parent in parents:
        (mutated if rng.random() < MUTATED else crossed).append(parent)
    mutated = mutated[: int(n * MUTATED + 1)]
    mates = list(crossed)
    rng.shuffle(mates)
    with rdBase.BlockLogs():
        bred = [_written(_mutant(Chem.MolFromSmiles(parent), rng)) for parent in mutated]
        pairs = list(zip(crossed, mates, strict=True))[: n - len(bred)]
        bred += [_child(first, second, rng) for first, second in pairs]
    return {child for child in bred if child is not None}


def _child(first: str, second: str, rng: random.Random) -> str | None:
    """A child of two parents; now and then it is mutated."""
    try:
        child = crossover(first, second, rng)
    except RuntimeError:  # a precondition of RDKit's, which the package passes over as well
        return None
    if child is not None and rng.random() < MUTATED_CHILDREN:
        child = _mutant(child, rng)
    return _written(child)


def _mutant(molecule: Chem.Mol, rng: random.Random) -> Chem.Mol | None:
    from mol_ga.graph_ga.mutate import mutate

    mutant: Chem.Mol | None = mutate(molecule, rng)
    return mutant


def _written(molecule: Chem.Mol | None) -> str | None:
    """The canonical SMILES, if it is a molecule."""
    if molecule is None or not is_sound(molecule):
        return None
    text: str = Chem.MolToSmiles(molecule)
    return text


def crossover(first: str, second: str, rng: random.Random) -> Chem.Mol | None:
    """A molecule of a part of each parent that is neither of them, joined by one bond or by two of a ring."""
    known = {canonical_of(first), canonical_of(second)}
    for _ in range(_TRIES):
        child = (_crossed_chains if rng.random() <= 0.5 else _crossed_rings)(first, second, rng)
        if child is not None and Chem.MolToSmiles(child) not in known:
            return child
    return None


def _crossed_chains(first: str, second: str, rng: random.Random) -> Chem.Mol | None:
    for _ in range(_TRIES):
        parts = [cut_chain(parent, rng) for parent in (first, second)]
        if parts[0] is None or parts[1] is None:
            return None
        ways = list(product(parts[0], parts[1]))
        rng.shuffle(ways)
        child = _first_sound((_first(JOIN, way) for way in ways), is_sound)
        if child is not None:
            return child
    return None


def _crossed_rings(first: str, second: str, rng: random.Random) -> Chem.Mol | None:
    if not any(_matches(parent, "[R]") for parent in (first, second)):
        return None
    for _ in range(_TRIES):
        parts = [cut_ring(parent, rng) for parent in (first, second)]
        if parts[0] is None or parts[1] is None:
            return None
        ways = list(product(OPEN, CLOSE, parts[0], parts[1]))
        rng.shuffle(ways)
        child = _first_sound(map(_closed, ways), has_sound_rings)
        if child is not None:
            return child
    return None


def _closed(way: tuple[str, str, Chem.Mol, Chem.Mol]) -> Chem.Mol | None:
    """Two parts joined by a bond, and by another one that closes a ring."""
    opened = _first(way[0], way[2:])
    # Both products of the second reaction are one molecule: its two bonds are named the one way or the other.
    return _first(way[1], (opened,)) if opened is not None and is_sound(opened) else None


def _first(smarts: str, reactants: Sequence[Chem.Mol]) -> Chem.Mol | None:
    products = reaction(smarts).RunReactants(tuple(reactants), 1)
    return products[0][0] if products else None


def _first_sound(made: Iterable[Chem.Mol | None], is_sound: Callable[[Chem.Mol], bool]) -> Chem.Mol | None:
    return next((molecule for molecule in made if molecule is not None and is_sound(molecule)), None)


def cut_chain(parent: str, rng: random.Random) -> Parts | None:
    """The parts of a parent on both sides of a single bond that is in no ring."""
    bonds = _matches(parent, _SINGLE)
    return _parts(parent, (rng.choice(bonds),)) if bonds else None


def cut_ring(parent: str, rng: random.Random) -> Parts | None:
    """The two parts of a parent after two bonds of a ring were cut."""
    for _ in range(_TRIES):
        across = rng.random() < 0.5
        paths = _matches(parent, _ACROSS if across else _BESIDE)
        if not paths:
            return None
        path = rng.choice(paths)
        parts = _parts(parent, (path[:2], path[-2:]))
        if parts is None or len(parts) == 2:
            return parts
    return None


@lru_cache(_KEPT)
def _parts(parent: str, bonds: tuple[tuple[int, ...], ...]) -> Parts | None:
    """The fragments that cutting some bonds leaves; None where one is no molecule."""
    molecule = kekulised(parent)
    numbers = [molecule.GetBondBetweenAtoms(*ends).GetIdx() for ends in bonds]
    cut = Chem.FragmentOnBonds(molecule, numbers, addDummies=True, dummyLabels=[(1, 1)] * len(numbers))
    try:
        return tuple(Chem.GetMolFrags(cut, asMols=True, sanitizeFrags=True))
    except ValueError:
        return None


@lru_cache(_KEPT)
def _matches(parent: str, smarts: str) -> tuple[tuple[int, ...], ...]:
    matches: tuple[tuple[int, ...], ...] = kekulised(parent).GetSubstructMatches(query(smarts))
    return matches


@lru_cache(_KEPT)
def kekulised(parent: str) -> Chem.Mol:
    molecule = Chem.MolFromSmiles(parent)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    return molecule


@lru_cache(_KEPT)
def canonical_of(parent: str) -> str:
    text: str = Chem.MolToSmiles(Chem.MolFromSmiles(parent))
    return text


@cache
def query(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


@cache
def reaction(smarts: str) -> AllChem.ChemicalReaction:
    return AllChem.ReactionFromSmarts(smarts)


def is_sound(molecule: Chem.Mol) -> bool:
    """Whether it is a molecule of more than one atom."""
    try:
        Chem.SanitizeMol(molecule)
    except ValueError:
        return False
    return bool(molecule.GetNumAtoms() > 1)


def has_sound_rings(molecule: Chem.Mol) -> bool:
    """Whether it is such a molecule without allenes in rings, rings of seven, and double bonds in small rings."""
    if not is_sound(molecule):
        return False
    rings = molecule.GetRingInfo().AtomRings()
    if not rings:
        return True
    forbidden = any(molecule.HasSubstructMatch(query(smarts)) for smarts in ("[R]=[R]=[R]", "[r3,r4]=[r3,r4]"))
    return max(map(len, rings)) <= 6 and not forbidden
