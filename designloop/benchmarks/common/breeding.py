"""``mol_ga``'s genetic algorithm as peers here use it: the package's steps and what it draws, at less than its price.

Nothing depends on the order of a set of strings, which changes from process to process: a population is sorted, and so
is what is scored.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from designloop.benchmarks.common.graph_ga import CHECKED_FIRST, Way
from designloop.benchmarks.common.graph_ga import children as blended_children
from designloop.molecules.chemistry import canonical

QUANTILES: tuple[float, ...] = tuple((1 - np.logspace(-3, 0, 25)).tolist())
"""Of the population's scores, above which parents are drawn, as many above each."""

_PARENTS = 2
"""Parents that are drawn for each child."""


def bred(
    stock: Sequence[str],
    value: Callable[[Sequence[str]], list[float]],
    generations: int,
    children: int,
    population: int,
    rng: random.Random,
    way: Way = CHECKED_FIRST,
) -> dict[str, float]:
    """Value of every molecule of a stock, and of all that a genetic search makes of it, as ``mol_ga.default_ga`` does.

    Args:
        stock: canonical SMILES.
        value: what is maximised.
        population: molecules that are kept from one generation to the next.
        way: how a child is drawn of all that two parents could have.
    """
    scored: dict[str, float] = {}

    def ask(molecules: Iterable[str]) -> None:
        ordered = sorted(molecules)
        scored.update(zip(ordered, value(ordered), strict=True))

    ask(set(stock))
    ranked = sorted(((score, molecule) for molecule, score in scored.items()), reverse=True)[:population]
    for _ in range(generations):
        parents = quantile_sample(ranked, _PARENTS * children, rng)
        born = canonical_children(parents, children, rng, way=way)
        if new := born - scored.keys():
            ask(new)
        born -= {molecule for _, molecule in ranked}
        ranked = sorted([*ranked, *((scored[molecule], molecule) for molecule in born)], reverse=True)[:population]
    return scored


def canonical_children(
    parents: list[str], n: int, rng: random.Random, parallel: object = None, way: Way = CHECKED_FIRST
) -> set[str]:
    """A generation's children as the package makes them, written canonically; few of what it writes is no molecule."""
    return {form for text in blended_children(parents, n, rng, way) if (form := canonical(text)) is not None}


def quantile_sample(population: Sequence[tuple[float, str]], n: int, rng: random.Random) -> list[str]:
    """(n,) parents, drawn as ``mol_ga.sample_population.uniform_quantile_sampling`` draws them from a population.

    It draws what the package draws, from a population that is sorted, the best first, as the package's own is; each
    quantile is then a first part of it, and need not be looked for.
    """
    scores = np.array([score for score, _ in population], dtype=float)
    molecules = [molecule for _, molecule in population]
    each = math.ceil(n / len(QUANTILES))
    parents: list[str] = []
    for threshold in np.quantile(scores, QUANTILES):
        eligible = int(np.searchsorted(-scores, -threshold, side="right"))
        parents += rng.choices(molecules[:eligible], k=each)
    rng.shuffle(parents)
    return parents[:n]
