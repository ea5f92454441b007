"""The genetic algorithm of PyPI's ``mol_ga``, on a campaign's own objective, standard form and filters.

What the standard form or the filters refuse, and what is known already, is free, as it is for a campaign; each other
molecule is a call, charged once. All else is the package's own: Graph GA's crossovers and mutations, uniform quantile
sampling, the best of parents and children as the next population.
Source: Tripp & Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation".
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from designloop import api
from designloop.benchmarks.common.arms import admissible
from designloop.benchmarks.common.measures import Call, measures
from designloop.benchmarks.common.trials import Found
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.randomness import seed_of
from designloop.records import Candidate

POPULATION, OFFSPRING = 100, 100

MOST_GENERATIONS = 50
"""For each generation that the calls would take if every child were new and allowed."""


class _BudgetSpent(Exception):  # no error: it leaves the package's loop, which knows only generations
    """All calls are charged."""


def require_mol_ga() -> None:
    """Returns where the package is installed.

    Raises:
        InputError: it is not.
    """
    if find_spec("mol_ga") is None:
        raise api.InputError(
            "mol_ga is not installed; run `pip install 'designloop[benchmarks]'`, or leave its arm out by --arms"
        )


def run_mol_ga(file: Path, overrides: Mapping[str, Any], folder: Path) -> Found:
    """Measures of one search from the campaign's starting molecules; nothing is left in ``folder``."""
    campaign = load_campaign(file, overrides)
    start = [molecule.smiles for molecule in campaign.starting()]
    calls = search(campaign, start, campaign.budget.oracle_calls, seed_of(campaign.seed, "mol_ga"))
    return measures(calls, campaign.budget.oracle_calls)


def search(campaign: Campaign, start: Sequence[str], calls: int, seed: int) -> list[Call]:
    """The molecules charged, in turn; the starting molecules first."""
    from mol_ga import default_ga
    from mol_ga.graph_ga.gen_candidates import graph_ga_blended_generation

    charged: dict[str, Call] = {}
    allowed = admissible(campaign)
    with Evaluator(campaign) as evaluate:

        def charge(smiles: Sequence[str], proposer: str) -> list[str]:
            """Of some molecules those that are new and allowed, as far as the budget goes; with a score only."""
            candidates = allowed.take([Candidate(one, proposer) for one in smiles], calls - len(charged))
            scored = campaign.objective(evaluate(candidates))
            charged.update({row.smiles: Call(row.smiles, row.score, proposer) for row in scored})
            return [row.smiles for row in scored if row.score is not None]

        def children(parents: list[str], n: int, rng: random.Random, parallel: object) -> set[str]:
            """A generation's children, already paid for; drawn in an order that no hash seed changes."""
            if len(charged) == calls:
                raise _BudgetSpent
            drawn = sorted(graph_ga_blended_generation(parents, n, rng))
            rng.shuffle(drawn)
            return set(charge(drawn, "mol_ga"))

        def scores(smiles: list[str]) -> list[float]:
            return [charged[one].score or 0.0 for one in smiles]

        with suppress(_BudgetSpent):
            default_ga(
                starting_population_smiles=charge(start, "start"),
                scoring_function=scores,
                max_generations=MOST_GENERATIONS * (calls // OFFSPRING + 1),
                offspring_size=OFFSPRING,
                population_size=POPULATION,
                offspring_gen_func=children,
                rng=random.Random(seed),
            )
    return list(charged.values())
