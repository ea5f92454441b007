"""The children that ``mol_ga`` breeds, the same ones of the same random numbers, at a third of the price.

The package makes every product of two cut parents, checks each, and draws one of those that are sound. What it draws
depends on how many are sound and on the one that is drawn, so that less has to be made:

- A single bond between two cut ends stands where a single bond to a dummy stood: no valence changes, and every product
  is sound.
- Closing a ring is written twice, once from either end: both are sound, or neither is.
- A ring of more than six atoms is refused; how many it will have, the parts tell beforehand.

What depends on a parent alone, its cuts and which of its mutants are sound, is kept from one generation to the next.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

from rdkit import Chem, rdBase

from designloop.benchmarks.common.graph_ga import (
    CLOSE,
    JOIN,
    MUTATED,
    MUTATED_CHILDREN,
    OPEN,
    Parts,
    canonical_of,
    cut_chain,
    cut_ring,
    has_sound_rings,
    is_sound,
    kekulised,
    query,
    reaction,
)

LARGEST_RING = 6

_TRIES = 10
_KEPT = 20_000


def children(parents: Sequence[str], n: int, rng: random.Random) -> set[str]:
    """Breeds up to ``n`` children, those of ``graph_ga_blended_generation``: what fails or repeats is missing."""
    mutated: list[str] = []
    crossed: list[str] = []
    for parent in parents:
        (mutated if rng.random() < MUTATED else crossed).append(parent)
    with rdBase.BlockLogs():
        bred = [_written(_mutant(parent, rng)) for parent in mutated[: int(n * MUTATED + 1)]]
        mates = list(crossed)
        rng.shuffle(mates)
        # There are fewer to be crossed than mates where enough are mutated.
        bred += [_child(first, second, rng) for first, second in zip(crossed[: n - len(bred)], mates, strict=False)]
    return {child for child in bred if child is not None}


def _child(first: str, second: str, rng: random.Random) -> str | None:
    """A child of two parents; now and then it is mutated."""
    from mol_ga.graph_ga.mutate import mutate

    try:
        child = _crossed(first, second, rng)
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


def _mutant(parent: str, rng: random.Random) -> Chem.Mol | None:
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
        sound = _sound_mutants(parent, smarts)
        if sound:
            mutant: Chem.Mol = reaction(smarts).RunReactants((molecule,))[rng.choice(sound)][0]
            return mutant if is_sound(mutant) else None
    return None


@lru_cache(_KEPT)
def _sound_mutants(parent: str, smarts: str) -> tuple[int, ...]:
    """Which products of a reaction are sound."""
    products = reaction(smarts).RunReactants((kekulised(parent),))
    return tuple(number for number, (mutant,) in enumerate(products) if has_sound_rings(mutant))


# ---- crossover


def _crossed(first: str, second: str, rng: random.Random) -> Chem.Mol | None:
    """A molecule of a part of each parent that is neither of them, joined by one bond or by two of a ring."""
    known = (canonical_of(first), canonical_of(second))
    for _ in range(_TRIES):
        child = (_crossed_chains if rng.random() <= 0.5 else _crossed_rings)(first, second, rng)
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


def _crossed_rings(first: str, second: str, rng: random.Random) -> Chem.Mol | None:
    if not any(kekulised(parent).GetRingInfo().NumRings() for parent in (first, second)):
        return None
    for _ in range(_TRIES):
        of_first, of_second = cut_ring(first, rng), cut_ring(second, rng)
        if of_first is None or of_second is None:
            return None
        sound = list(_sound_closures(of_first, of_second))
        if sound:
            child, is_sanitised = rng.choice(sound)
            return child if is_sanitised or is_sound(child) else None
    return None


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
    return len(Chem.GetShortestPath(part, *ends)) - 2 if len(ends) == 2 else 1
