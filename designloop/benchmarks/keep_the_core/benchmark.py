"""A core to keep at 200 costly calls: whether it is kept, whether the calls are spent, and what is tried around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from rdkit import Chem

from designloop import api
from designloop.benchmarks.common.arms import (
    Arm,
    campaign_file,
    choose,
    make_trials,
    overrides_of,
    run_campaign_arm,
    seeds_of,
)
from designloop.benchmarks.common.cases import not_measured
from designloop.benchmarks.common.measures import PAIRED_COLUMNS, average_over_seeds, paired, paired_row
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.search_report import arms_table
from designloop.benchmarks.common.trials import TrialResult, run_trials
from designloop.benchmarks.keep_the_core.patterns import r_groups
from designloop.loop.campaign.campaign import load_campaign
from designloop.molecules.chemistry import scaffold
from designloop.records import START

SUMMARY = "A core to keep at 200 costly calls: is it kept, are the calls spent, and how varied is what is tried on it."

OPTIONS = frozenset({"campaign", "model", "seeds", "calls", "arms", "jobs", "work"})

CALLS, BATCH = 200, 20
"""What a costly oracle allows."""

SPENT = 0.95
"""Share of the calls that has to be spent."""

VARIED = 20
"""Scaffolds or R groups that have to be among what is proposed and paid for."""

COUNTS = ("patterns", "positions", "substituents", "scaffolds")


def run_around_core(file: Path, overrides: Mapping[str, Any], folder: Path) -> TrialResult:
    """Runs a campaign and measures, beside its scores, what it paid for around its core."""
    result = run_campaign_arm(file, overrides, folder)
    rows = api.open_candidates(folder / "campaign").to_arrow()
    smiles, proposers = rows["smiles"].to_pylist(), rows["proposer"].to_pylist()
    proposed = [own for own, proposer in zip(smiles, proposers, strict=True) if proposer != START]
    return result | measure_around_core(proposed, load_campaign(file, overrides).filters.require_smarts[0])


def measure_around_core(smiles: list[str], core: str) -> dict[str, Any]:
    """Counts what molecules have around a core.

    Returns:
        ``proposed``, the number of molecules; ``kept``, of those that hold the core; and of these how many different
        patterns of R groups there are, sets of substituted positions, substituents, and Murcko scaffolds.
    """
    pattern = Chem.MolFromSmarts(core)
    groups = {own: of_molecule for own in smiles if (of_molecule := r_groups(own, pattern)) is not None}
    return {
        "proposed": len(smiles),
        "kept": sum(own in groups for own in smiles),
        "patterns": len({of_molecule.pattern for of_molecule in groups.values()}),
        "positions": len({of_molecule.positions for of_molecule in groups.values()}),
        "substituents": len(frozenset[str]().union(*(of_molecule.substituents for of_molecule in groups.values()))),
        "scaffolds": len({scaffold(own) for own in groups}),
    }


GENETIC = ["mutation", "crossover", "graph_mutation", "graph_crossover"]

ARMS = tuple(
    Arm(name, what, {"strategy": strategy, "batch_size": BATCH}, run_around_core)
    for name, what, strategy in (
        ("latent_bo", "the strategy of few and dear calls", {"name": "latent_bo"}),
        ("property_loss", "the default strategy at its default settings", {"name": "property_loss"}),
        (
            "genetic",
            "the same with genetic steps only, and a model that does not learn",
            {"name": "property_loss", "proposers": GENETIC, "learning": {"loss": "none"}},
        ),
    )
)

BARS = (("latent_bo", "genetic"), ("latent_bo", "property_loss"))


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every seed."""
    file = campaign_file(options, "campaigns/keep_the_core.yaml")
    common = {"budget.oracle_calls": CALLS, **overrides_of(options)}
    arms = {arm.name: arm for arm in ARMS}
    names, seeds = choose(arms, options.arms), seeds_of(options)
    planned = make_trials(file, [arms[name] for name in names], seeds, common, start=0)
    by_arm = run_trials(planned, options.work / "keep-the-core", options.jobs, say)
    results = {name: {"what": arms[name].what, **average_over_seeds(by_arm[name])} for name in names}
    campaign = load_campaign(file, common)
    calls = campaign.budget.oracle_calls
    return {
        "seeds": seeds,
        "campaign": str(file),
        "core": campaign.filters.require_smarts[0],
        "calls": calls,
        "arms": results,
        "demands": [demand for name in names for demand in judge(name, results[name]["seeds"], calls)],
        "bars": [
            paired(f"{above} above {below}", *(_mean_top_10(results[name]) for name in (above, below)))
            for above, below in BARS
            if {above, below} <= results.keys()
        ],
    }


def judge(name: str, by_seed: Mapping[str, Mapping[str, Any]], calls: int) -> list[dict[str, Any]]:
    """What a search has to do around the core, on each seed; each demand with the value of every seed."""
    runs = list(by_seed.values())
    least = int(SPENT * calls)
    kept = [result["kept"] == result["proposed"] for result in runs]
    spent = [result["calls"] for result in runs]
    # Of patterns there are about as many as molecules, so that they would tell nothing.
    varied = [max(result["substituents"], result["scaffolds"]) for result in runs]
    by_run = [f"{result['kept']} of {result['proposed']}" for result in runs]
    return [
        {"bar": f"{name}: every molecule keeps the core", "by_seed": by_run, "holds": all(kept)},
        {"bar": f"{name}: at least {least} calls are spent", "by_seed": spent, "holds": min(spent) >= least},
        {
            "bar": f"{name}: at least {VARIED} scaffolds or R groups, whatever their positions",
            "by_seed": varied,
            "holds": min(varied) >= VARIED,
        },
    ]


def report(results: Results) -> str:
    """Shows the arms, what they tried around the core, and the bars."""
    head = (
        f"`{results['campaign']}`, {results['calls']:,} calls in batches of {BATCH}, core `{results['core']}`. All "
        "measures count stereoisomers once and are means over the seeds, ± their standard error.\n"
    )
    counted = (
        "What was proposed and paid for around the core, in the mean of the seeds. A pattern is which positions carry "
        "which substituents, so that few molecules share one; of the sets of positions and of the substituents by "
        "themselves there are fewer.\n"
    )
    columns = ("arm", "patterns of R groups", "sets of positions", "substituents", "scaffolds")
    rows = [
        (name, *(f"{fmean(run[count] for run in arm['seeds'].values()):.0f}" for count in COUNTS))
        for name, arm in results["arms"].items()
    ]
    demands = [
        (demand["bar"], ", ".join(map(str, demand["by_seed"])), demand["holds"]) for demand in results["demands"]
    ]
    parts = [head, arms_table(results["arms"])]
    parts += not_measured("arms", [arm.name for arm in ARMS], results["arms"])
    parts += [counted, table(columns, rows)]
    parts.append(table(("bar", "by seed", "holds"), demands))
    if results["bars"]:
        parts += ["Mean top-10, pair by pair:\n", table(PAIRED_COLUMNS, map(paired_row, results["bars"]))]
    return "\n".join(parts)


def _mean_top_10(arm: Mapping[str, Any]) -> list[float]:
    return [result["mean_top_10"] for result in arm["seeds"].values()]
