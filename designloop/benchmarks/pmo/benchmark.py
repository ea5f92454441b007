"""PMO: the area under the mean of the ten best scores on 20 tasks, every call counted, ours beside its peers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designloop.benchmarks.common.arms import choose, overrides_of, seeds_of
from designloop.benchmarks.common.mol_ga import require_mol_ga
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.trials import TrialResult, run_trials
from designloop.benchmarks.pmo.arms import ARMS, Peer, alone
from designloop.benchmarks.pmo.outcome import outcome
from designloop.benchmarks.pmo.picture import draw_curves
from designloop.benchmarks.pmo.report import report as report
from designloop.benchmarks.pmo.tasks import CALLS, TASKS, write_campaign

SUMMARY = "PMO's 20 tasks, every call counted: ours, mol_ga, a Gaussian process with genetic search, ZINC screened."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    arms = {arm.name: arm for arm in ARMS}
    names, tasks, seeds = choose(arms, options.arms), choose(TASKS, options.tasks, "task"), seeds_of(options, default=1)
    calls = options.calls or CALLS
    folder = options.work / "pmo"
    if any(isinstance(arms[name], Peer) for name in names):
        require_mol_ga()
    common = overrides_of(options)
    planned = [
        arms[name].trial(task, seed, calls, write_campaign(task, folder / "campaigns"), common)
        for task in tasks
        for seed in seeds
        for name in names
    ]
    planned = [alone(trial) if options.jobs == 1 else trial for trial in planned]
    kept = run_trials(planned, folder, options.jobs, say)
    return {
        "seeds": seeds,
        "calls": calls,
        "arms": {name: arms[name].what for name in names},
        "tasks": {task: {name: entry(kept[f"{task}.{name}"], calls) for name in names} for task in tasks},
    }


def entry(kept: Mapping[int, TrialResult], calls: int) -> dict[str, Any]:
    """What is recorded of an arm on a task: each measure, one value a seed."""
    outcomes = [outcome(search, calls) for search in kept.values()]
    return {"calls": calls, "seeds": list(kept), **{name: [of[name] for of in outcomes] for name in outcomes[0]}}


def merge(earlier: Results, now: Results) -> Results:
    """Both records; of an arm on a task the one with more calls, of as many the one with more seeds, else the new."""
    tasks: dict[str, dict[str, Any]] = {}
    for task in TASKS:
        old, new = earlier["tasks"].get(task, {}), now["tasks"].get(task, {})
        both = {name: _fuller(old.get(name), new.get(name)) for name in [arm.name for arm in ARMS]}
        if kept := {name: value for name, value in both.items() if value is not None}:
            tasks[task] = kept
    what = {**earlier["arms"], **now["arms"]}
    return {**now, "arms": {arm.name: what[arm.name] for arm in ARMS if arm.name in what}, "tasks": tasks}


def _fuller(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if old is None or new is None:
        return new if old is None else old
    return old if (old["calls"], len(old["seeds"])) > (new["calls"], len(new["seeds"])) else new


def pictures(options: Options, results: Results) -> dict[str, str]:
    """Score against calls, task by task."""
    return {"pmo.svg": draw_curves(results)}
