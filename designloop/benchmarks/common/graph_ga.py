"""The children that ``mol_ga`` breeds, at a third of the price or less.

The package makes every product of two cut parents, checks each, and draws one of those that are sound. What it draws
depends on how many are sound and on the one that is drawn, so that less has to be made:

- A single bond between two cut ends stands where a single bond to a dummy stood: no valence changes, and every product
  is sound.
- Closing a ring is written twice, once from either end: both are sound, or neither is.
- A ring of more than six atoms is refused; how many it will have, the parts tell beforehand.

What depends on a parent alone, its cuts and which of its mutants are sound, is kept from one generation to the next.
So the same random numbers give the same children (:data:`CHECKED_FIRST`). Where others will do, a product is drawn
before it is checked, until one is sound: each sound one is as likely as before, and most are never made
(:data:`DRAWN_FIRST`).

Source: Jensen 2019, "A graph-based genetic algorithm and generative model/Monte Carlo tree search"; Tripp &
Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

from rdkit import Chem, rdBase
from rdkit.Chem import AllChem

MUTATED, MUTATED_CHILDREN = 0.1, 0.01
"""Share of parents that are mutated instead of crossed, and of crossed children that are mutated as well."""

LARGEST_RING = 6

_CUTS = 2
"""Bonds of a ring that are cut."""

_TRIES = 10
_KEPT = 2_000
"""Results of each kind that are kept, the latest: with 20,000, a long search slowed down as it went on."""

_SINGLE = "[*]-;!@[*]"
_ACROSS, _BESIDE = "[R]@[R]@[R]@[R]", "[R]@[R;!D2]@[R]"
"""Four ring atoms, of which the outer bonds are cut, and three around one that has more than two neighbours."""

JOIN = "[*:1]-[1*].[1*]-[*:2]>>[*:1]-[*:2]"
OPEN = tuple(f"[*:1]~[1*].[1*]~[*:2]>>[*:1]{bond}[*:2]" for bond in "-=")
CLOSE = tuple(f"([*:1]~[1*].[1*]~[*:2])>>[*:1]{bond}[*:2]" for bond in "-=")

Parts = tuple[Chem.Mol, ...]


@dataclass(frozen=True)
class Way:
    """How one of the sound products is drawn, each as likely as another; None where there is none."""

    mutant: Callable[[str, str, random.Random], Chem.Mol | None]
    """(parent, reaction's SMARTS, random numbers)"""
    closed: Callable[[Parts, Parts, random.Random], Chem.Mol | None]
    """(a ring's two parts of one parent, those of another, random numbers)"""


def children(parents: Sequence[str], n: int, rng: random.Random, way: Way | None = None) -> set[str]:
    """Breeds up to ``n`` children, those of ``graph_ga_blended_generation``: what fails or repeats is missing.

    Args:
        way: how a product is drawn, by default as the package does (:data:`CHECKED_FIRST`).
    """
    way = way or CHECKED_FIRST
    mutated: list[str] = []
    crossed: list[str] = []
    for parent in parents:
        (mutated if rng.random() < MUTATED else crossed).append(parent)
    with rdBase.BlockLogs():
        bred = [_written(_mutant(parent, rng, way)) for parent in mutated[: int(n * MUTATED + 1)]]
        mates = list(crossed)
        rng.shuffle(mates)
        # There are fewer to be crossed than mates where enough are mutated.
        pairs = zip(crossed[: n - len(bred)], mates, strict=False)
        bred += [_child(first, second, rng, way) for first, second in pairs]
    return {child for child in bred if child is not None}


def _child(first: str, second: str, rng: random.Random, way: Way) -> str | None:
    """A child of two parents; now and then it is mutated."""
    from mol_ga.graph_ga.mutate import mutate

    try:
        child = _crossed(first, second, rng, way)
    except RuntimeError:  # a precondition of RDKit's, which the package passes over as well
        return None
    if child is not None and rng.random() < MUTATED_CHILDREN:
        child = mutate(child, rng)
    return _written(child)


def _written(molecule: Chem.Mol | None) -> str | None:
    """The canonical SMILES, if it is a molecule."""
    if molecule is None or Chem.SanitizeMol(molecule, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    text: str = Chem.MolToSmiles(molecule)
    return text


# ---- mutations


def _mutant(parent: str, rng: random.Random, way: Way) -> Chem.Mol | None:
    """A parent after one of the package's reactions, drawn of all its sound products."""
    from mol_ga.graph_ga import mutate as steps

    molecule = kekulised(parent)
    for _ in range(_TRIES):
        drawn = [
            steps.insert_atom(rng),
            steps.change_bond_order(rng),
            steps.delete_cyclic_bond(),
            steps.add_ring(rng),
            steps.delete_atom(rng),
            steps.change_atom(molecule, rng),
            steps.append_atom(rng),
        ]
        smarts = rng.choices(drawn, weights=(0.15, 0.14, 0.14, 0.14, 0.14, 0.14, 0.15))[0]
        mutant = way.mutant(parent, smarts, rng)
        if mutant is not None:
            return mutant
    return None


def _mutant_of_checked(parent: str, smarts: str, rng: random.Random) -> Chem.Mol | None:
    sound = _sound_mutants(parent, smarts)
    if not sound:
        return None
    mutant = reaction(smarts).RunReactants((kekulised(parent),))[rng.choice(sound)][0]
    return mutant if is_sound(mutant) else None


def _drawn_mutant(parent: str, smarts: str, rng: random.Random) -> Chem.Mol | None:
    products = reaction(smarts).RunReactants((kekulised(parent),))
    drawn = (products[number][0] for number in rng.sample(range(len(products)), len(products)))
    return next(filter(has_sound_rings, drawn), None)


@lru_cache(_KEPT)
def _sound_mutants(parent: str, smarts: str) -> tuple[int, ...]:
    """Which products of a reaction are sound."""
    products = reaction(smarts).RunReactants((kekulised(parent),))
    return tuple(number for number, (mutant,) in enumerate(products) if has_sound_rings(mutant))


# ---- crossover


def _crossed(first: str, second: str, rng: random.Random, way: Way) -> Chem.Mol | None:
    """A molecule of a part of each parent that is neither of them, joined by one bond or by two of a ring."""
    known = (canonical_of(first), canonical_of(second))
    for _ in range(_TRIES):
        is_chain = rng.random() <= 0.5
        child = _crossed_chains(first, second, rng) if is_chain else _crossed_rings(first, second, rng, way)
        if child is not None and Chem.MolToSmiles(child) not in known:
            return child
    return None


def _crossed_chains(first: str, second: str, rng: random.Random) -> Chem.Mol | None:
    for _ in range(_TRIES):
        of_first, of_second = cut_chain(first, rng), cut_chain(second, rng)
        if of_first is None or of_second is None:
            return None
        ways = [way for way in product(of_first, of_second) if all(map(_ends, way))]
        if ways:
            child: Chem.Mol = reaction(JOIN).RunReactants(rng.choice(ways), 1)[0][0]
            return child if is_sound(child) else None
    return None


def _crossed_rings(first: str, second: str, rng: random.Random, way: Way) -> Chem.Mol | None:
    if not any(kekulised(parent).GetRingInfo().NumRings() for parent in (first, second)):
        return None
    for _ in range(_TRIES):
        of_first, of_second = cut_ring(first, rng), cut_ring(second, rng)
        if of_first is None or of_second is None:
            return None
        child = way.closed(of_first, of_second, rng)
        if child is not None:
            return child
    return None


def _closed_of_checked(first: Parts, second: Parts, rng: random.Random) -> Chem.Mol | None:
    sound = list(_sound_closures(first, second))
    if not sound:
        return None
    child, is_sanitised = rng.choice(sound)
    return child if is_sanitised or is_sound(child) else None


def _sound_closures(first: Parts, second: Parts) -> Iterator[tuple[Chem.Mol, bool]]:
    """(molecule, whether it is sanitised) of all that is sound, in the package's order."""
    opened = []
    for bond, *way in product(OPEN, first, second):
        products = reaction(bond).RunReactants(tuple(way), 1)
        if products:
            opened += [products[0][0]] if _ring_size(*way) <= LARGEST_RING else []
    for bond in CLOSE:
        # Sanitised anew each time, as the package does: what was drawn as aromatic may be another molecule thereafter.
        for molecule in filter(is_sound, opened):
            products = [closed for (closed,) in reaction(bond).RunReactants((molecule,))]
            asked = products[:1] if len(products) == 2 else products
            verdicts = list(map(has_sound_rings, asked))
            for number, closed in enumerate(products):
                if verdicts[number % len(verdicts)]:
                    yield closed, number < len(asked)


def _drawn_closure(first: Parts, second: Parts, rng: random.Random) -> Chem.Mol | None:
    if any(len(_ends(part)) != _CUTS for part in (*first, *second)):
        return _closed_of_checked(first, second, rng)  # other rings have another number of products
    ways = list(product(enumerate(CLOSE, 1), OPEN, first, second))
    for (times, bond), opening, *parts in rng.sample(ways, len(ways)):
        products = reaction(opening).RunReactants(tuple(parts), 1) if _ring_size(*parts) <= LARGEST_RING else ()
        # As often as the package, which may take what it refused the first time.
        if not products or not [is_sound(products[0][0]) for _ in range(times)][-1]:
            continue
        rings = reaction(bond).RunReactants((products[0][0],))
        if rings and has_sound_rings(closed := rng.choice(rings)[0]):
            return closed
    return None


@lru_cache(_KEPT)
def _ends(part: Chem.Mol) -> tuple[int, ...]:
    """Where a part was cut: its dummies."""
    return tuple(end for (end,) in part.GetSubstructMatches(query("[1*]")))


def _ring_size(first: Chem.Mol, second: Chem.Mol) -> int:
    """Atoms of the smallest ring that two parts close."""
    return sum(map(_path, (first, second)))


@lru_cache(_KEPT)
def _path(part: Chem.Mol) -> int:
    """Atoms of a part on the shortest way from one of its cuts to the other; 1 where it has not two of them."""
    ends = _ends(part)
    return len(Chem.GetShortestPath(part, *ends)) - 2 if len(ends) == _CUTS else 1


# ---- parents, cut


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
    return max(map(len, rings)) <= LARGEST_RING and not forbidden


CHECKED_FIRST = Way(_mutant_of_checked, _closed_of_checked)
"""All products are made and checked, then one is drawn: the package's random numbers."""

DRAWN_FIRST = Way(_drawn_mutant, _drawn_closure)
"""Products are drawn before they are checked, until one is sound: the package's distribution."""
