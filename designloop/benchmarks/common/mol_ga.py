"""The genetic algorithm of PyPI's ``mol_ga``, on a campaign's own objective, standard form and filters.

What is charged, ``campaign_door`` says. All else is the package's own: Graph GA's children (which ``graph_ga`` breeds
sooner) and mutations, uniform quantile sampling, the best of parents and children as the next population.

Under filters that keep molecules apart most children of a population are refused, so the search ends after so many
children for each call, whatever it has spent by then; the result says both.
Source: Tripp & Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation".
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from designloop import api
from designloop.benchmarks.common.campaign_door import campaign_door
from designloop.benchmarks.common.graph_ga import children
from designloop.benchmarks.common.measures import Call, measure_calls
from designloop.benchmarks.common.trials import TrialResult
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.screening.screening import DRAWS_PER_WANTED
from designloop.randomness import seed_of
from designloop.records import START

POPULATION, OFFSPRING = 100, 100
"""Molecules kept, and children of a generation where the search is not told another number."""

CHILDREN_A_CALL = DRAWS_PER_WANTED
"""Children bred at most for each call: as many as a campaign draws for each molecule wanted in a round."""


@dataclass(frozen=True)
class Search:
    """What a search paid for, and what that took."""

    calls: Sequence[Call]
    bred: int
    """Children, with those that failed or repeated another."""


class _BudgetSpent(Exception):  # no error: it leaves the package's loop, which knows only generations
    """All calls are charged."""


def require_mol_ga() -> None:
    """Does nothing where the package is installed.

    Raises:
        InputError: it is not.
    """
    if find_spec("mol_ga") is None:
        raise api.InputError(
            "mol_ga is not installed; run `pip install 'designloop[benchmarks]'`, or leave its arm out by --arms"
        )


def run_mol_ga(file: Path, overrides: Mapping[str, Any], folder: Path, *, offspring: int = OFFSPRING) -> TrialResult:
    """Measures one search from the campaign's starting molecules; nothing is left in ``folder``."""
    campaign = load_campaign(file, overrides)
    start = [molecule.smiles for molecule in campaign.starting()]
    done = search(campaign, start, campaign.budget.oracle_calls, seed_of(campaign.seed, "mol_ga"), offspring)
    return {**measure_calls(done.calls, campaign.budget.oracle_calls), "bred": done.bred}


def search(campaign: Campaign, start: Sequence[str], calls: int, seed: int, offspring: int = OFFSPRING) -> Search:
    """Runs the search: its molecules charged, in turn; the starting molecules come first.

    Args:
        calls: that it may pay for.
        offspring: children of a generation; the fewer, the sooner the best ones breed.
    """
    from mol_ga import default_ga

    bred = 0
    with campaign_door(campaign, calls, "mol_ga") as door:

        def generation(parents: list[str], n: int, rng: random.Random, parallel: object) -> set[str]:
            """Breeds a generation and pays for it, in an order that no hash seed changes."""
            nonlocal bred
            if not door.left:
                raise _BudgetSpent
            bred += n
            drawn = sorted(children(parents, n, rng))
            rng.shuffle(drawn)
            return set(door(drawn))

        def scores(smiles: list[str]) -> list[float]:
            return [door.paid[molecule] for molecule in smiles]

        with suppress(_BudgetSpent):
            default_ga(
                starting_population_smiles=door(start, START),
                scoring_function=scores,
                max_generations=CHILDREN_A_CALL * calls // offspring,
                offspring_size=offspring,
                population_size=POPULATION,
                offspring_gen_func=generation,
                rng=random.Random(seed),
            )
    return Search(door.calls, bred)
