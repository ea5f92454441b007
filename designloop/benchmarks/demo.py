"""The demo against its controls: every arm starts from the same 100 random ZINC molecules of its seed, counted."""

from __future__ import annotations

from designloop.api import InputError
from designloop.benchmarks.common.arms import (
    RANDOM_PRIOR,
    RANDOM_ZINC,
    Arm,
    campaign_file,
    chosen,
    overrides_of,
    seeds_of,
    trials,
)
from designloop.benchmarks.common.measures import Bar, over_seeds
from designloop.benchmarks.common.mol_ga import require_mol_ga, run_mol_ga
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.search_report import arms_table, bars_table, best_table
from designloop.benchmarks.common.trials import run_trials
from designloop.loop.campaign.campaign import load_campaign
from designloop.strategies import property_loss
from designloop.strategies.proposers.base import MODEL_PROPOSERS

SUMMARY = "The quickstart campaign against the same without its parts, random draws and a genetic algorithm."

HEEDS = frozenset({"campaign", "model", "seeds", "calls", "arms", "jobs", "work"})

START = 100
"""Random ZINC molecules that every arm starts from."""

STEPS = "strategy.learning.steps"
PROPOSERS = "strategy.proposers"
NO_GENETICS = [name for name in property_loss.PROPOSERS if name in MODEL_PROPOSERS]
GENETICS = [name for name in property_loss.PROPOSERS if name not in MODEL_PROPOSERS]

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

BARS = (
    Bar("full", "random_zinc", by=0.05),
    Bar("full", "random_zinc", by=0.05, than_best=True),
    Bar("full", "mol_ga"),
    Bar("N", "random_prior", on_each_seed=True),
    Bar("N", "N0"),
    Bar("full", "G"),
)


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
    names, seeds = chosen(list(arms), options.arms), seeds_of(options)
    if MOL_GA.name in names:
        require_mol_ga()
    planned = trials(file, [arms[name] for name in names], seeds, common, START)
    found = run_trials(planned, options.work / "demo", options.jobs, say)
    results = {name: {"what": arms[name].what, **over_seeds(found[name])} for name in names}
    bars = [judged for bar in BARS if (judged := bar.judged(results)) is not None]
    return {"seeds": seeds, "campaign": str(file), "calls": calls, "start": START, "arms": results, "bars": bars}


def report(results: Results) -> str:
    """The arms, what was to be shown, and the ten best molecules of the first seed."""
    head = (
        f"`{results['campaign']}`, {results['calls']:,} calls, of which {results['start']} are the starting molecules. "
        "All measures count stereoisomers once and are means over the seeds, ± their standard error.\n"
    )
    parts = [head, arms_table(results["arms"]), *filter(None, [bars_table(results["bars"])])]
    return "\n".join([*parts, *([best_table("full", results["arms"]["full"])] if "full" in results["arms"] else [])])
