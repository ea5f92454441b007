"""Studies: campaigns of ours on some of PMO's tasks, recorded arm by arm and seed by seed, as much as is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from designloop.api import load_campaign
from designloop.benchmarks.common.arms import choose, model_digest, overrides_of, seeds_of
from designloop.benchmarks.common.made_by import DIGITS, search_of
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import PENDING
from designloop.benchmarks.common.pmo_measures import Paid, auc_top_10, mean_top_10
from designloop.benchmarks.common.trials import TrialResult, code_digest, run_trials
from designloop.benchmarks.pmo.arms import Ours, alone
from designloop.benchmarks.pmo.tasks import write_campaign

Entry = Mapping[str, Any]
"""What is recorded of one campaign."""

Entries = Mapping[str, Mapping[str, Mapping[str, Entry]]]
"""Task -> arm -> seed, as JSON has it -> what is recorded."""


@dataclass(frozen=True)
class Study:
    """What is compared, on what, and how long."""

    name: str
    """Of the benchmark, and of its folder."""
    arms: Sequence[Ours]
    tasks: Sequence[str]
    calls: int
    seeds: int
    """Seeds 0, 1, … of a whole record."""

    def run(self, options: Options, say: Say) -> dict[str, Any]:
        """Runs the arms, tasks and seeds that were asked for, each campaign in a process of its own.

        Returns:
            ``seeds``; ``of``, which says what alone may be recorded together (calls, code and model); ``arms``, in
            words; ``searches``, a digest of what each arm is; and ``tasks``, the entries.
        """
        arms = {arm.name: arm for arm in self.arms}
        names, tasks = choose(arms, options.arms), choose(self.tasks, options.tasks, "task")
        seeds, calls, common = seeds_of(options, self.seeds), options.calls or self.calls, overrides_of(options)
        folder = options.work / self.name
        files = {task: write_campaign(task, folder / "campaigns") for task in tasks}
        planned = [
            alone(arms[name].trial(task, seed, calls, files[task], common))
            for seed in seeds
            for task in tasks
            for name in names
        ]
        kept = run_trials(planned, folder, options.jobs, say)
        first = write_campaign(self.tasks[0], folder / "campaigns")
        searches = {name: search_of(arms[name].trial(self.tasks[0], 0, self.calls, first, common)) for name in names}
        model = model_digest(load_campaign(next(iter(files.values())), common))
        return {
            "seeds": seeds,
            "of": {"calls": calls, "code": code_digest()[:DIGITS], "model": model[:DIGITS]},
            "arms": {name: arms[name].what for name in names},
            "searches": searches,
            "tasks": {
                task: {
                    name: {str(seed): entry(result, calls) for seed, result in kept[f"{task}.{name}"].items()}
                    for name in names
                }
                for task in tasks
            },
        }

    def merge(self, earlier: Results, now: Results) -> dict[str, Any]:
        """Both records, the new one's entry where both have one.

        An earlier one of another budget, code or model is left out: pairs of the two would compare these. So is what
        it has of an arm that was run again and is another search by now, or of which that was not kept.
        """
        if earlier["of"] != now["of"]:
            return dict(now)
        before, searches = earlier.get("searches", {}), now["searches"]
        again = {name for name, search in searches.items() if before.get(name) != search}
        tasks: dict[str, dict[str, dict[str, Entry]]] = {}
        for task in self.tasks:
            for arm in self.arms:
                old, new = (record["tasks"].get(task, {}).get(arm.name, {}) for record in (earlier, now))
                if arm.name in again:
                    old = {}
                if both := {**old, **new}:
                    tasks.setdefault(task, {})[arm.name] = {seed: both[seed] for seed in sorted(both, key=int)}
        what = {**earlier["arms"], **now["arms"]}
        return {
            "seeds": sorted({int(seed) for arms in tasks.values() for of in arms.values() for seed in of}),
            "of": now["of"],
            "arms": {arm.name: what[arm.name] for arm in self.arms if arm.name in what},
            "searches": {**before, **searches},
            "tasks": tasks,
        }

    def by_seed(self, entries: Entries, arm: str, value: Callable[[Entry], float]) -> dict[str, float]:
        """Seed -> the mean over all tasks of the study of an arm's value; of seeds that every task has."""
        of_task = [entries.get(task, {}).get(arm, {}) for task in self.tasks]
        whole = [seed for seed in of_task[0] if all(seed in of for of in of_task)]
        return {seed: fmean(value(of[seed]) for of in of_task) for seed in whole}


def entry(kept: TrialResult, calls: int) -> dict[str, Any]:
    """What is recorded of a campaign: its area and the mean of its ten best, cost, and whatever else its trial gave."""
    paid: list[Paid] = [(smiles, score) for smiles, score in kept["paid"]]
    return {
        "auc_top10": auc_top_10(paid, calls),
        "top10": mean_top_10(paid, calls),
        "calls": len(paid),
        "seconds": kept["seconds"],
        **kept.get("further", {}),
    }


def of(name: str) -> Callable[[Entry], float]:
    """What reads a number of an entry."""
    return lambda recorded: float(recorded[name])


def with_error(values: Collection[float], signed: bool = False) -> str:
    """Mean ± its standard error, which two values have at least; pending of none.

    Args:
        signed: shows the sign of a mean above 0: of differences.
    """
    if not values:
        return PENDING
    error = f" ± {stdev(values) / sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{fmean(values):{'+' if signed else ''}.3f}{error}"
