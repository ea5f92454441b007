"""The demo against its controls: every arm starts from the same 100 molecules of its seed, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
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
from designloop.benchmarks.common.search_report import arms_table, criteria_table
from designloop.benchmarks.common.trials import run_trials
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.molecules.chemistry import fingerprints, require, scaffold, strong_acids, tanimoto
from designloop.records import Candidate
from designloop.report.pictures import draw_sheet
from designloop.report.references import Reference
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
        "batch": campaign.batch_size,
        "arms": results,
        "bars": bars,
        "ten": ten,
        "ten_bars": [criterion.judge(ten) for criterion in TEN_CRITERIA] if ten else [],
        "drawn": describe(campaign, next(iter(whole.values()))["top_10"]) if whole else [],
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


def describe(campaign: Campaign, best: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Describes the campaign's references and then some of its molecules, property by property.

    Args:
        best: molecules with ``smiles``, ``score`` and ``proposer``, best first.
    Returns:
        Of each ``name`` (of the best the rank), ``smiles``, ``score``, ``proposer`` (None of a reference) and
        ``properties``, each as a campaign's picture says it: value, unit and desirability.
    """
    named = [(molecule.name or molecule.smiles, molecule.smiles, None) for molecule in campaign.references()]
    named += [(str(rank), molecule["smiles"], molecule["proposer"]) for rank, molecule in enumerate(best, 1)]
    with Evaluator(campaign) as evaluate:
        scored = campaign.objective(evaluate([Candidate(smiles, "shown") for _, smiles, _ in named]))
    described = [
        (Reference.of(name, row, campaign.units), proposer)
        for (name, _, proposer), row in zip(named, scored, strict=True)
    ]
    return [
        {
            "name": molecule.name,
            "smiles": molecule.smiles,
            "score": molecule.score,
            "proposer": proposer,
            "properties": {name: str(shown) for name, shown in molecule.properties.items()},
        }
        for molecule, proposer in described
    ]


def pictures(options: Options, results: Results) -> dict[str, str]:
    """Draws the references and the ten best molecules of the first seed."""
    cells = [
        (
            molecule["smiles"],
            [
                f"{'reference  ' if molecule['proposer'] is None else ''}{molecule['name']}   score {_score(molecule)}",
                *(f"{name} {shown}" for name, shown in molecule["properties"].items()),
            ],
        )
        for molecule in results["drawn"]
    ]
    return {PICTURE: draw_sheet(cells, 5)} if cells else {}


def report(results: Results) -> str:
    """Shows the arms, the criteria, and the ten best molecules of the first seed."""
    head = (
        f"`{results['campaign']}`, {results['calls']:,} calls, of which {results['start']} are the starting molecules. "
        "All measures count stereoisomers once and are means over the seeds, ± their standard error.\n"
    )
    parts = [head, arms_table(results["arms"]), *_unspent(results), *filter(None, [criteria_table(results["bars"])])]
    if "full" in results["arms"]:
        parts += [*_ten(results), _drawn_table(results)]
    return "\n".join(parts)


def _unspent(results: Results) -> list[str]:
    """Which arms did not spend their calls, what ended them, and where ``full`` was after as many."""
    lines = []
    for name, arm in results["arms"].items():
        short = {seed: result for seed, result in arm["seeds"].items() if result["calls"] < results["calls"]}
        if not short:
            continue
        spent = ", ".join(f"{result['calls']:,} (seed {seed})" for seed, result in short.items())
        ends = dict.fromkeys(map(_end, short.values()))
        lines.append(f"- {name} did not spend its {results['calls']:,} calls, but {spent}: {'; '.join(ends)}.")
        if name != "full" and (pairs := _after_as_many(results, short)):
            whole, other = map(fmean, zip(*pairs, strict=True))
            lines[-1] += (
                f" full's mean top-10 was {whole:.3f} after as many, where that of {name} ended at {other:.3f}."
            )
    return ["\n".join([*lines, ""])] if lines else []


def _end(result: Mapping[str, Any]) -> str:
    """What ended a search that did not spend its calls."""
    if "bred" in result:
        return (
            f"it ends after {CHILDREN_A_CALL} children for each call, as many as a campaign draws at most for each "
            f"molecule of a round, and the filters refused the others of its {result['bred']:,}"
        )
    return str(result["end"])


def _after_as_many(results: Results, short: Mapping[str, Mapping[str, Any]]) -> list[tuple[float, float]]:
    """(``full``'s mean top-10 after the last round that had cost no more, the other arm's at its end) by seed."""
    whole = results["arms"].get("full", {}).get("seeds", {})
    pairs = []
    for seed, result in short.items():
        later_rounds = (result["calls"] - results["start"]) // results["batch"]
        means = whole.get(seed, {}).get("rounds", {}).get("mean_top_10", {})
        if str(later_rounds) in means:
            pairs.append((means[str(later_rounds)], result["mean_top_10"]))
    return pairs


def _drawn_table(results: Results) -> str:
    """The table of the references and of the ten best of the first seed, property by property."""
    drawn = results["drawn"]
    names = list(dict.fromkeys(name for molecule in drawn for name in molecule["properties"]))
    rows = [
        (
            molecule["name"],
            _score(molecule),
            *(molecule["properties"].get(name) for name in names),
            molecule["proposer"],
            f"`{molecule['smiles']}`",
        )
        for molecule in drawn
    ]
    seed = next(iter(results["arms"]["full"]["seeds"]))
    return f"The ten best of full, seed {seed}, each property with its desirability:\n\n" + table(
        ("", "score", *names, "proposer", "molecule"), rows
    )


def _score(molecule: Mapping[str, Any]) -> str:
    return "none" if molecule["score"] is None else f"{molecule['score']:.3f}"


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
