"""``mol_ga``'s genetic algorithm as peers here use it: the package's own steps, its sampling by quantiles made faster.

Nothing depends on the order of a set of strings, which changes from process to process: a population is sorted by the
package itself, and what is scored is sorted here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np

from designloop.molecules.chemistry import canonical

QUANTILES: tuple[float, ...] = tuple((1 - np.logspace(-3, 0, 25)).tolist())
"""Of the population's scores, above which parents are drawn, as many above each."""


def bred(
    stock: Sequence[str],
    value: Callable[[Sequence[str]], list[float]],
    generations: int,
    children: int,
    population: int,
    rng: random.Random,
) -> dict[str, float]:
    """Value of every molecule of a stock, and of all that a genetic search makes of it.

    Args:
        stock: canonical SMILES.
        value: what is maximised.
        population: molecules that are kept from one generation to the next.
    """
    from mol_ga import default_ga

    def values(smiles: Sequence[str]) -> list[float]:
        ordered = sorted(smiles)
        known = dict(zip(ordered, value(ordered), strict=True))
        return [known[molecule] for molecule in smiles]

    if not generations:
        ordered = sorted(set(stock))
        return dict(zip(ordered, value(ordered), strict=True))
    result = default_ga(
        starting_population_smiles=list(stock),
        scoring_function=values,
        max_generations=generations,
        offspring_size=children,
        population_size=population,
        offspring_gen_func=canonical_children,
        population_sampling_function=quantile_sample,
        rng=rng,
    )
    scored: dict[str, float] = result.scoring_func_evals
    return scored


def canonical_children(parents: list[str], n: int, rng: random.Random, parallel: object = None) -> set[str]:
    """A generation's children as the package makes them, written canonically; few of what it writes is no molecule."""
    from mol_ga.graph_ga.gen_candidates import graph_ga_blended_generation

    written = graph_ga_blended_generation(parents, n, rng)
    return {form for text in written if (form := canonical(text)) is not None}


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
