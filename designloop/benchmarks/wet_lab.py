"""A laboratory's budget: 100 random molecules of ZINC and five batches of twenty, on five of PMO's tasks.

All arms of a seed start from the same hundred molecules, which are calls like any other. What the surrogate of
``latent_bo`` says of molecules is judged on some that nobody chose: drawn uniformly from the better half, by its own
mean, of all free molecules that the batch after the last would be chosen of. They are scored outside, by the task's
oracle, never told to the campaign and no calls of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from designloop.api.opening import opened
from designloop.benchmarks.common.arms import (
    Arm,
    choose,
    make_trials,
    overrides_of,
    run_campaign_arm,
    seeds_of,
)
from designloop.benchmarks.common.cases import not_measured
from designloop.benchmarks.common.gp_bo import run_gp_bo
from designloop.benchmarks.common.gp_search import Sizes
from designloop.benchmarks.common.measures import holds_of, interval, paired, pending_or, show_interval
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.trials import TrialResult, run_trials
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.loop.campaign.campaign import load_campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.runner import build_strategy
from designloop.loop.screening.screening import Screening
from designloop.randomness import rng_of
from designloop.records import Candidate
from designloop.strategies.search.judged import rank_correlation
from designloop.strategies.search.machine import Search
from designloop.strategies.surrogates.calibration import HALF_WIDTH
from designloop.words import silent

SUMMARY = "100 random molecules and five batches of twenty on five of PMO's tasks; what its surrogate says, judged."

OPTIONS = frozenset({"arms", "jobs", "model", "seeds", "tasks", "work"})

TASKS = ("albuterol_similarity", "fexofenadine_mpo", "perindopril_mpo", "scaffold_hop", "zaleplon_mpo")

START, CALLS, BATCH = 100, 200, 20

LOOKED_AT = 40
"""Molecules by which the surrogate is judged, of each campaign."""

LEAST_CORRELATION = 0.45
LEAST_COVERED, MOST_COVERED = 0.80, 0.97
"""What is asked of the mean rank correlation, and of the share that nine-in-ten intervals hold."""


def run_and_look(file: Path, overrides: Mapping[str, Any], folder: Path) -> TrialResult:
    """Runs a campaign, and then judges what its surrogate says."""
    result = run_campaign_arm(file, overrides, folder)
    places = {"output": str(folder / "campaign"), "ledger": str(folder / "ledger.sqlite"), "budget.patience": 0}
    return {**result, "looked_at": look_at(file, {**overrides, **places})}


def look_at(file: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the surrogate of a campaign that has ended says of molecules, and what they score.

    Returns:
        ``mean``, ``sd`` as it is shown, and ``score``, molecule by molecule, and ``factor``, by which the surrogate's
        own sd was rescaled.
    """
    with opened(load_campaign(file, settings), silent) as (campaign, candidates, _):
        screening = Screening(campaign, candidates)
        strategy = build_strategy(campaign, candidates.last_state(), screening)
        assert isinstance(strategy, Search)
        assert strategy.calibration is not None
        chosen = better_half_drawn(strategy, screening, campaign.seed)
        expected = [foreseen["score"] for foreseen in strategy.foresee(chosen)]
        with Evaluator(campaign) as evaluate:  # of no ledger: nothing is charged
            scored = campaign.objective(evaluate(chosen))
        return {
            "mean": [mean for mean, _ in expected],
            "sd": [deviation for _, deviation in expected],
            "score": [row.score for row in scored],
            "factor": strategy.calibration.factor("score"),
        }


def better_half_drawn(strategy: Search, screening: Screening, seed: int) -> list[Candidate]:
    """Returns molecules that could be paid for, drawn uniformly from the better half of the free ones."""
    free = strategy.candidates(BATCH)
    known = [(foreseen["score"][0], row) for row, foreseen in enumerate(strategy.foresee(free)) if foreseen]
    better = [row for _, row in sorted(known, reverse=True)[: len(known) // 2]]
    chosen: list[Candidate] = []
    for place in rng_of(seed, "outside").permutation(len(better)):
        chosen += screening([free[better[place]]])
        if len(chosen) == LOOKED_AT:
            break
    return chosen


OURS = Arm("latent_bo", "latent_bo at its default settings", {"strategy": {"name": "latent_bo"}}, run_and_look)
ARMS = (
    OURS,
    Arm("property_loss", "the default strategy at its default settings", {"strategy": {"name": "property_loss"}}),
    Arm(
        "gp_bo",
        "the published Tanimoto GP with genetic search; of a batch, ten by each of two searches",
        search=partial(run_gp_bo, Sizes(batch=BATCH, each=BATCH // 2)),
    ),
    Arm(
        "uniform",
        "latent_bo, choosing blindly of what its votes would choose from",
        {"strategy": {"name": "latent_bo", "acquisition": "uniform"}},
    ),
    Arm("random", "random ZINC molecules", {"strategy": {"name": "random", "source": "zinc"}}),
)

RIVALS = ("gp_bo", "random", "uniform", "property_loss")
"""Above which latent_bo is shown; of the last nothing is asked."""


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed."""
    arms = {arm.name: arm for arm in ARMS}
    names, tasks, seeds = choose(arms, options.arms), choose(TASKS, options.tasks, "task"), seeds_of(options)
    folder = options.work / "wet-lab"
    common = {**overrides_of(options), "batch_size": BATCH, "budget.oracle_calls": CALLS}
    of_task = {}
    for task in tasks:
        file = write_campaign(task, folder / "campaigns")
        trials = make_trials(file, [arms[name] for name in names], seeds, common, START)
        of_task[task] = run_trials(trials, folder / task, options.jobs, say)
    results = {
        task: {name: [of_seed["mean_top_10"] for of_seed in of_arm[name].values()] for name in names}
        for task, of_arm in of_task.items()
    }
    looked_at = [
        {"task": task, "seed": seed, **judge(of_seed["looked_at"])}
        for task, of_arm in of_task.items()
        for seed, of_seed in of_arm.get(OURS.name, {}).items()
    ]
    return {
        "seeds": seeds,
        "arms": {name: arms[name].what for name in names},
        "seconds": {
            name: fmean(of_seed["seconds"] for of_arm in of_task.values() for of_seed in of_arm[name].values())
            for name in names
        },
        "tasks": results,
        "bars": judged(results),
        "looked_at": looked_at,
        "foresight": foresight(looked_at) if looked_at else None,
    }


def judged(results: Mapping[str, Mapping[str, Sequence[float]]]) -> list[dict[str, Any]]:
    """Sets latent_bo against each of its rivals that every task has."""
    names = set[str].intersection(*(set(arms) for arms in results.values()))
    return [compare(results, name) for name in RIVALS if {OURS.name, name} <= names]


def compare(results: Mapping[str, Mapping[str, Sequence[float]]], rival: str) -> dict[str, Any]:
    """Sets latent_bo against another arm, over all pairs, start by start and task by task.

    Searches of one start begin from the same molecules on every task, so that their pairs may lean the same way; the
    ``interval_by_start`` is of the means over the tasks, one a start, and hangs on nothing that pairs share. The bar
    ``holds`` where both intervals are above 0; None of fewer starts than ``FEWEST``.
    """
    own, theirs = ([value for task in results.values() for value in task[arm]] for arm in (OURS.name, rival))
    bar = paired(f"{OURS.name} above {rival}", own, theirs)
    gaps = np.array(bar["differences"]).reshape(len(results), -1)
    spans = interval(bar["differences"]), interval(gaps.mean(0).tolist())
    above = None not in spans and min(span[0] for span in spans if span is not None) > 0
    return {
        **bar,
        "interval": spans[0],
        "interval_by_start": spans[1],
        "holds": None if None in spans else holds_of(gaps.shape[1], above),
        "by_task": dict(zip(results, gaps.mean(1).tolist(), strict=True)),
    }


def judge(looked_at: Mapping[str, Any]) -> dict[str, Any]:
    """Measures what was said of some molecules against what they score; what failed says nothing."""
    rows = zip(looked_at["mean"], looked_at["sd"], looked_at["score"], strict=True)
    mean, sd, score = np.array([row for row in rows if row[2] is not None], dtype=float).reshape(-1, 3).T
    errors = np.abs(score - mean)
    return {
        "molecules": len(score),
        "rank_correlation": rank_correlation(mean, score),
        "covered": float(np.mean(errors <= HALF_WIDTH * sd)),
        "covered_unscaled": float(np.mean(errors <= HALF_WIDTH * sd / looked_at["factor"])),
        "half_width": float(np.mean(HALF_WIDTH * sd)),
        "half_width_unscaled": float(np.mean(HALF_WIDTH * sd / looked_at["factor"])),
    }


def foresight(looked_at: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Averages over campaigns, and says whether that is what is asked; None of fewer starts than ``FEWEST``."""
    starts = len({row["seed"] for row in looked_at})
    correlations = [row["rank_correlation"] for row in looked_at if row["rank_correlation"] is not None]
    names = ("covered", "covered_unscaled", "half_width", "half_width_unscaled")
    means = {name: fmean(row[name] for row in looked_at) for name in names}
    correlation = fmean(correlations) if correlations else None
    return {
        "campaigns": len(looked_at),
        "rank_correlation": correlation,
        **means,
        "correlation_holds": holds_of(starts, correlation is not None and correlation >= LEAST_CORRELATION),
        "coverage_holds": holds_of(starts, LEAST_COVERED <= means["covered"] <= MOST_COVERED),
    }


def report(results: Results) -> str:
    """Shows the arms task by task, latent_bo against each, and what its surrogate says."""
    tasks = list(results["tasks"])
    bars = judged(results["tasks"])  # as is done now: an earlier record took the pairs of one start for unrelated
    head = (
        f"{START} random molecules of ZINC, the same for all arms, and {CALLS - START} more in batches of {BATCH}, all "
        "of them calls. Mean of the ten best, mean of the starts. The tasks are those of development. The arm gp_bo "
        "takes ten picks of a search where the published one takes one, and was not held against published values: "
        "what is said of it is said of this variant alone.\n"
    )
    rows = [
        (name, what, *(fmean(results["tasks"][task][name]) for task in tasks),
         fmean(fmean(results["tasks"][task][name]) for task in tasks), f"{results['seconds'][name]:.0f}")
        for name, what in results["arms"].items()
    ]  # fmt: skip
    parts = [head, table(("arm", "what it is", *tasks, "mean", "seconds"), rows)]
    parts += not_measured("tasks", TASKS, tasks)
    parts += not_measured("arms", [arm.name for arm in ARMS], results["arms"])
    if bars:
        pairs = len(bars[0]["differences"])
        parts.append(
            f"The paired difference of the mean top-10 over {pairs} pairs, its 95 % interval, that of its means over "
            "the tasks, one a start, and by task:\n"
        )
        columns = ("bar", "mean difference", "95 % interval", "by start", "won", *tasks, "intervals above 0")
        parts.append(table(columns, map(_bar_row, bars)))
    if results["looked_at"]:
        parts.append(_foresight(foresight(results["looked_at"]), results["looked_at"]))
    return "\n".join(parts)


def _bar_row(bar: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        bar["bar"],
        f"{bar['value']:+.3f}",
        show_interval(bar["interval"]),
        show_interval(bar["interval_by_start"]),
        f"{bar['won']} of {len(bar['differences'])}",
        *(f"{value:+.3f}" for value in bar["by_task"].values()),
        pending_or(bar["holds"]),
    )


def _foresight(means: Mapping[str, Any], looked_at: Sequence[Mapping[str, Any]]) -> str:
    head = (
        f"What the surrogate of {OURS.name} says after its last batch, judged on molecules drawn uniformly from the "
        f"better half of the free ones, scored outside and never told ({sum(row['molecules'] for row in looked_at):,} "
        f"of {means['campaigns']} campaigns; means of the campaigns):\n"
    )
    asked = (
        ("rank correlation of mean and score", means["rank_correlation"], f"≥ {LEAST_CORRELATION}",
         pending_or(means["correlation_holds"])),
        ("share within the 90 % intervals that are shown", means["covered"], f"{LEAST_COVERED} to {MOST_COVERED}",
         pending_or(means["coverage_holds"])),
        ("their half width", means["half_width"], None, None),
        ("share within those of the doubt that acquisition goes by", means["covered_unscaled"], None, None),
        ("their half width", means["half_width_unscaled"], None, None),
    )  # fmt: skip
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for row in looked_at:
        by_task.setdefault(row["task"], []).append(row)
    of_tasks = [(task, _mean(rows, "rank_correlation"), _mean(rows, "covered")) for task, rows in by_task.items()]
    return "\n".join(
        [
            head,
            table(("measure", "value", "asked", "holds"), asked),
            table(("task", "rank correlation", "within the intervals shown"), of_tasks),
        ]
    )


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Of the campaigns of a task where it is defined."""
    values = [row[name] for row in rows if row[name] is not None]
    return fmean(values) if values else None
