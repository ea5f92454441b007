"""Free generations: candidates bred from what a surrogate ranks best, round after round, before any is paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np

from designloop.molecules.chemistry import scaffold
from designloop.records import Candidate
from designloop.strategies.base import Surroundings
from designloop.strategies.composite import CompositeSurrogate
from designloop.strategies.memory import Memory
from designloop.strategies.proposers import Elite

Draw = Callable[[Sequence[Elite], int], list[Candidate]]
"""(parents, number of the generation) -> free candidates."""


def bred(
    draw: Draw,
    elites: Sequence[Elite],
    surrogate: CompositeSurrogate,
    memory: Memory,
    around: Surroundings,
    *,
    generations: int,
    parents: int,
    per_scaffold: int,
    kappa: float,
    most: int,
) -> Iterator[Candidate]:
    """Of some free generations, each bred from the best so far by the surrogate's bound, those to pay for.

    Screening is the dearest step, so only what is about to breed or to be paid for is screened. Where nothing may be
    admitted the pool goes out as it is: the loop counts why, and can end.

    Args:
        elites: what the first generation is bred from.
        memory: makes fingerprints, and candidates into parents.
        generations: how many.
        parents: what each generation after the first is bred from.
        per_scaffold: most parents that share a scaffold; a new scaffold has generations of its own to catch up in.
        kappa: standard deviations of doubt added to the mean.
        most: molecules that are ranked one by one at the end, of highest bound.
    """
    pool: dict[str, Candidate] = {}
    bounds = np.zeros(0)
    for generation in range(generations):
        drawn = draw(elites, generation)
        for smiles, candidate in zip(around.standard_forms([c.smiles for c in drawn]), drawn, strict=True):
            if smiles is not None:
                pool.setdefault(smiles, candidate)
        if new := list(pool)[len(bounds) :]:
            bounds = np.append(bounds, surrogate.bound(memory.features(new), kappa))
        found = list(pool.values())
        by_bound = np.argsort(-bounds, kind="stable")
        if generation + 1 < generations and found:
            best = islice(_few_of_a_kind((found[at] for at in by_bound), per_scaffold, around), parents)
            elites = [elite for candidate in best if (elite := memory.elite(candidate, 0.0)) is not None]
    if not pool:
        return
    considered = by_bound[:most].tolist()
    admissible = lru_cache(None)(lambda at: around.allowed([found[considered[at]]]))
    picked, standard = False, list(pool)
    bits = memory.features([standard[at] for at in considered])
    for at in surrogate.picks(bits, kappa, lambda at: bool(admissible(at))):
        picked = True
        yield from admissible(at)
    if not picked:
        yield from found


def _few_of_a_kind(candidates: Iterable[Candidate], most: int, around: Surroundings) -> Iterator[Candidate]:
    """Those that are allowed, at most so many of each scaffold."""
    held: Counter[str] = Counter()
    for candidate in candidates:
        kind = scaffold(candidate.smiles)
        if held[kind] < most:
            for one in around.allowed([candidate]):
                held[kind] += 1
                yield one
