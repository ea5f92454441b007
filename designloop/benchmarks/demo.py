"""The demo against its controls: every arm starts from the same 100 molecules of its seed, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designloop.api import InputError
from designloop.benchmarks.common.arms import (
    RANDOM_PRIOR,
    RANDOM_ZINC,
    Arm,
    campaign_file,
    choose,
    make_trials,
    overrides_of,
    seeds_of,
)
from designloop.benchmarks.common.measures import Criterion, average_over_seeds
from designloop.benchmarks.common.mol_ga import CHILDREN_A_CALL, require_mol_ga, run_mol_ga
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.search_report import arms_table, best_table, criteria_table
from designloop.benchmarks.common.trials import run_trials
from designloop.loop.campaign.campaign import load_campaign
from designloop.molecules.chemistry import fingerprints, require, scaffold, strong_acids, tanimoto
from designloop.report.pictures import draw_sheet
from designloop.strategies import property_loss
from designloop.strategies.proposers.base import MODEL_PROPOSERS
from designloop.strategies.search.screen import PROPOSER as SCREEN

SUMMARY = "The quickstart campaign against the same without its parts, random draws and a genetic algorithm."

OPTIONS = frozenset({"campaign", "model", "seeds", "calls", "arms", "jobs", "work"})

START = 100
"""Molecules that every arm starts from: the file's own, the others random ones of ZINC."""

STEPS = "strategy.learning.steps"
PROPOSERS = "strategy.proposers"
NO_GENETICS = [name for name in property_loss.PROPOSERS if name in MODEL_PROPOSERS]
GENETICS = [name for name in property_loss.PROPOSERS if name not in {*MODEL_PROPOSERS, SCREEN}]

MOL_GA = Arm("mol_ga", "PyPI's mol_ga: population 100, 100 offspring a generation", search=run_mol_ga)
ARMS = (
    Arm("full", "the campaign as it stands"),
    Arm("full_no_learning", "full, the model left as it is", {STEPS: 0}),
    Arm("N", "no genetic steps: prior and posterior only", {PROPOSERS: NO_GENETICS}),
    Arm("N0", "N, the model left as it is", {PROPOSERS: NO_GENETICS, STEPS: 0}),
    Arm("G", "genetic steps only", {PROPOSERS: GENETICS, STEPS: 0}),
    RANDOM_PRIOR,
    RANDOM_ZINC,
    MOL_GA,
)

CRITERIA = (
    Criterion("full", "random_zinc", by=0.05),
    Criterion("full", "random_zinc", by=0.05, than_best=True),
    Criterion("full", "mol_ga"),
    Criterion("N", "random_prior", on_each_seed=True),
    Criterion("N", "N0"),
    Criterion("full", "G"),
)


@dataclass(frozen=True)
class TenCriterion:
    """What the ten best molecules of the whole campaign have to be on each seed."""

    measure: str
    what: str
    limit: float
    least: bool
    """Whether the limit is the least allowed; else the most."""

    def judge(self, ten_by_seed: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Returns the criterion in words, the value on each seed, and whether it holds on all."""
        values = {seed: ten[self.measure] for seed, ten in ten_by_seed.items()}
        worst = min(values.values()) if self.least else max(values.values())
        words = f"{self.what}, at {'least' if self.least else 'most'} {self.limit:g}"
        return {"bar": words, "values": values, "holds": worst >= self.limit if self.least else worst <= self.limit}


TEN_CRITERIA = (
    TenCriterion("scaffolds", "scaffolds among the ten best", 5, least=True),
    TenCriterion("similarity", "mean ECFP4 similarity of their pairs", 0.5, least=False),
    TenCriterion("strong_acids", "of them strong acids", 0, least=False),
    TenCriterion("mean_top_10", "mean score, which leaves head-room", 0.95, least=False),
)

PICTURE = "demo_best.svg"


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every seed."""
    file = campaign_file(options, "campaigns/quickstart.yaml")
    common = overrides_of(options)
    campaign = load_campaign(file, common)
    if (calls := campaign.budget.oracle_calls) <= START:
        raise InputError(f"{calls} calls leave nothing to search with after {START} starting molecules; give more")
    if campaign.strategy.name != "property_loss":
        raise InputError(f"{file} has the strategy {campaign.strategy.name!r}, and the arms are parts of property_loss")
    arms = {arm.name: arm for arm in ARMS}
    names, seeds = choose(list(arms), options.arms), seeds_of(options)
    if MOL_GA.name in names:
        require_mol_ga()
    planned = make_trials(file, [arms[name] for name in names], seeds, common, START)
    by_arm = run_trials(planned, options.work / "demo", options.jobs, say)
    results = {name: {"what": arms[name].what, **average_over_seeds(by_arm[name])} for name in names}
    bars = [judged for criterion in CRITERIA if (judged := criterion.judge(results)) is not None]
    whole = results.get("full", {}).get("seeds", {})
    ten = {seed: measure_ten(found["top_10"]) for seed, found in whole.items()}
    return {
        "seeds": seeds,
        "campaign": str(file),
        "calls": calls,
        "start": START,
        "arms": results,
        "bars": bars,
        "ten": ten,
        "ten_bars": [criterion.judge(ten) for criterion in TEN_CRITERIA] if ten else [],
    }


def measure_ten(best: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Measures the ten best of a search.

    Returns:
        ``scaffolds`` (distinct ones), ``similarity`` (ECFP4, mean of all pairs), ``strong_acids`` and ``mean_top_10``.
    """
    smiles = [molecule["smiles"] for molecule in best]
    prints = fingerprints(smiles)
    pairs = tanimoto(prints, prints)[np.triu_indices(len(smiles), 1)]
    return {
        "scaffolds": len({scaffold(molecule) for molecule in smiles}),
        "similarity": float(pairs.mean()) if pairs.size else 0.0,
        "strong_acids": sum(strong_acids(require(molecule)) > 0 for molecule in smiles),
        "mean_top_10": float(np.mean([molecule["score"] for molecule in best])),
    }


def pictures(options: Options, results: Results) -> dict[str, str]:
    """Draws the ten best molecules of the first seed."""
    if "full" not in results["arms"]:
        return {}
    best = next(iter(results["arms"]["full"]["seeds"].values()))["top_10"]
    cells = [
        (molecule["smiles"], [f"{place}.   score {molecule['score']:.3f}", molecule["proposer"]])
        for place, molecule in enumerate(best, 1)
    ]
    return {PICTURE: draw_sheet(cells, 5)}


def report(results: Results) -> str:
    """Shows the arms, the criteria, and the ten best molecules of the first seed."""
    head = (
        f"`{results['campaign']}`, {results['calls']:,} calls, of which {results['start']} are the starting molecules. "
        "All measures count stereoisomers once and are means over the seeds, ± their standard error.\n"
    )
    parts = [head, arms_table(results["arms"]), *_bred(results), *filter(None, [criteria_table(results["bars"])])]
    if "full" in results["arms"]:
        parts += [*_ten(results), best_table("full", results["arms"]["full"])]
    return "\n".join(parts)


def _bred(results: Results) -> list[str]:
    """What mol_ga spent of its calls, and what ended it."""
    seeds = results["arms"].get(MOL_GA.name, {}).get("seeds", {}).values()
    if not seeds:
        return []
    spent = ", ".join(f"{result['calls']:,} calls of {result['bred']:,} children" for result in seeds)
    return [
        f"{MOL_GA.name} bred at most {CHILDREN_A_CALL} children for each call, as a campaign draws at most so many for "
        f"each molecule of a round; on its seeds it paid for {spent}. The others were refused by the filters.\n"
    ]


def _ten(results: Results) -> list[str]:
    """The table of what the ten best of each seed have to be, and where they are drawn."""
    rows = [
        (bar["bar"], " ".join(f"{value:.3g}" for value in bar["values"].values()), bar["holds"])
        for bar in results["ten_bars"]
    ]
    return [
        table(("of the ten best of full", "by seed", "holds"), rows),
        f"Those of the first seed are drawn in [{PICTURE}](benchmarks/{PICTURE}).\n",
    ]
