"""PyPI's ``mol_ga`` on a task: Graph GA's steps, few children a generation, the best hundred kept.

Source: Tripp & Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation".
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

from designloop.benchmarks.common.breeding import canonical_children, quantile_sample
from designloop.benchmarks.common.seeds import seed_of
from designloop.benchmarks.pmo.door import BudgetSpent, Door
from designloop.molecules.count_prints import Bank

START, CHILDREN, POPULATION = 100, 5, 100
"""Random molecules to begin with, children a generation, molecules kept."""

MOST_GENERATIONS = 50
"""For each generation that the calls would take if every child were new."""


def mol_ga(door: Door, bank: Bank, seed: int, start: int = START, children: int = CHILDREN) -> None:
    """Spends the door's budget; an interrupted search is replayed, its paid molecules known."""
    from mol_ga import default_ga

    rng = random.Random(seed_of(seed, "mol_ga"))

    def paid(smiles: Sequence[str]) -> list[float]:
        return [score or 0.0 for score in door(smiles)]

    def generation(parents: list[str], n: int, rng: random.Random, parallel: object) -> set[str]:
        """A generation's children, paid for in an order that no hash seed changes."""
        drawn = sorted(canonical_children(parents, n, rng))
        rng.shuffle(drawn)
        paid(drawn)
        if not door.left:
            raise BudgetSpent
        return set(drawn)

    with suppress(BudgetSpent):
        first = random.Random(seed_of(seed, "start")).sample(bank.smiles, start)
        paid(first)
        default_ga(
            starting_population_smiles=first,
            scoring_function=paid,
            max_generations=MOST_GENERATIONS * (door.budget // children + 1),
            offspring_size=children,
            population_size=POPULATION,
            offspring_gen_func=generation,
            population_sampling_function=quantile_sample,
            rng=rng,
        )
