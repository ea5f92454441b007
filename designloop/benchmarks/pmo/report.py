"""The record of PMO as Markdown: areas beside published ones, what holds at 1,000 calls, cost, and a check of gp_bo."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from designloop.benchmarks.common.measures import one_sided_p
from designloop.benchmarks.common.page import table
from designloop.benchmarks.pmo.arms import ARMS, Ours
from designloop.benchmarks.pmo.outcome import EARLY
from designloop.benchmarks.pmo.published import TITLES, published
from designloop.benchmarks.pmo.tasks import CALLS, TASKS

PENDING = "*pending*"

REPRODUCED = {"median1": 0.05, "perindopril_mpo": 0.05, "zaleplon_mpo": 0.05}
"""Task -> how near to its published area gp_bo has to come before it is compared with."""

LUCK = "valsartan_smarts"
"""The task where all hangs on whether a molecule with the substructure is met; sums are given without it as well."""

_PICTURE = "benchmarks/pmo.svg"

Entries = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Task -> arm -> what is recorded."""


def report(results: Mapping[str, Any]) -> str:
    """All tables that the record has something for."""
    tasks, arms = results["tasks"], list(results["arms"])
    head = (
        "The area under the mean of the ten best scores (trapezoids over points every 100 calls), over the budget. "
        "Every distinct canonical SMILES is a call, those that a search starts from included; nothing is filtered. "
        f"Means over seeds ± their standard error. The score against calls is drawn in [pmo.svg]({_PICTURE}).\n"
    )
    what = table(("arm", "what it is"), results["arms"].items())
    parts = [head, what, _full(tasks, arms), _early(tasks, arms), _other(tasks), _cost(tasks, arms), _check(tasks)]
    return "\n".join(part for part in parts if part)


def _full(tasks: Entries, arms: Sequence[str]) -> str:
    """Areas of whole budgets beside published ones, with sums where every task is there."""
    ran = [arm for arm in arms if any(_has_all_calls(of.get(arm)) for of in tasks.values())]
    if not ran:
        return ""
    rows: list[tuple[object, ...]] = []
    for task in TASKS:
        own = [_cell(_values(tasks, task, arm, "auc_top10", CALLS)) for arm in ran]
        rows.append((task, *own, *published()[task].values()))
    for title, summed in ((f"**sum of {len(TASKS)}**", TASKS), ("**sum of 19**", [t for t in TASKS if t != LUCK])):
        sums = [_sum(tasks, summed, arm, "auc_top10") for arm in ran]
        rows.append((title, *sums, *(math.fsum(published()[task][name] for task in summed) for name in TITLES)))
    strict = [_sum(tasks, TASKS, arm, "strict_auc_top10") for arm in ran]
    rows.append((f"strict sum of {len(TASKS)}", *strict, *([None] * len(TITLES))))
    note = (
        f"AUC at {CALLS:,} calls; to the right of the line published figures (sources in "
        "`designloop/benchmarks/pmo/published.csv`; all calls counted; GP BO's are of the tenth-best score, a lower "
        f"bound). The sum of 19 leaves out {LUCK}. A strict sum takes one molecule a compound.\n"
    )
    return note + "\n" + table(("task", *ran, *(f"│ {title}" for title in TITLES.values())), rows)


def _early(tasks: Entries, arms: Sequence[str]) -> str:
    """Areas of the first 1,000 calls, and our arms' paired differences to the peers'."""
    ran = [arm for arm in arms if any(_has_early(of.get(arm)) for of in tasks.values())]
    if not ran:
        return ""
    run = [task for task in TASKS if any(_has_early(of) for of in tasks.get(task, {}).values())]
    rows: list[tuple[object, ...]] = [
        (task, *(_cell(_values(tasks, task, arm, f"auc_at_{EARLY}")) for arm in ran)) for task in run
    ]
    text = f"AUC at {EARLY:,} calls, over {EARLY:,}:\n\n" + table(("task", *ran), rows)
    ours = [arm.name for arm in ARMS if isinstance(arm, Ours)]
    pairs = [(ours[0], arm) for arm in ran if arm not in ours and ours[0] in ran]
    compared = [row for pair in pairs if (row := _difference(tasks, *pair)) is not None]
    if compared:
        columns = ("of the areas at 1,000", "tasks", "sum of differences", "one-sided p", "tasks won")
        text += "\n" + table(columns, compared)
    return text


def _difference(tasks: Entries, arm: str, peer: str) -> tuple[object, ...] | None:
    """The paired difference of two arms over the tasks that both have."""
    key = f"auc_at_{EARLY}"
    both = [(_values(tasks, task, arm, key), _values(tasks, task, peer, key)) for task in TASKS]
    gaps = [fmean(own) - fmean(theirs) for own, theirs in both if own and theirs]
    if not gaps:
        return None
    p = one_sided_p(gaps)
    shown = None if p is None else f"{p:.3g}"
    return f"{arm} − {peer}", len(gaps), f"{math.fsum(gaps):+.3f}", shown, sum(gap > 0 for gap in gaps)


def _other(tasks: Entries) -> str:
    """Areas of budgets that are in neither of the tables above."""
    rows = [
        (task, arm, of["calls"], _cell(of["auc_top10"]), _cell(of["top10"]))
        for task, arms in tasks.items()
        for arm, of in arms.items()
        if of["calls"] not in (EARLY, CALLS)
    ]
    columns = ("task", "arm", "calls", "AUC", "mean of the ten best")
    return "Other budgets:\n\n" + table(columns, rows) if rows else ""


def _cost(tasks: Entries, arms: Sequence[str]) -> str:
    """Diversity, ease of synthesis and cost of each arm, in the mean of the tasks that it ran."""
    rows = []
    for arm in arms:
        own = [of[arm] for of in tasks.values() if arm in of]
        if own:
            mean = {name: _mean([value for of in own for value in of[name]]) for name in _COST}
            peak = [value for of in own for value in of["peak_memory_gb"] if value is not None]
            seconds = [f"{mean[name]:.3g}" for name in _COST[3:]]
            rows.append((arm, len(own), *(mean[name] for name in _COST[:3]), *seconds, max(peak, default=None)))
    columns = ("arm", "tasks", "diversity of the best 100", "clusters", "SA", "seconds a call", "in the oracle", "GB")
    note = (
        "Of the 100 best: mean distance of pairs (ECFP4), leaders at similarity < 0.4, SA score. Seconds "
        "are wall time as the machine was loaded; GB is the most memory of the process.\n"
    )
    return note + "\n" + table(columns, rows)


_COST = ("diversity", "clusters", "sa", "seconds_a_call", "oracle_seconds_a_call")


def _check(tasks: Entries) -> str:
    """Whether gp_bo gives what was published of it."""
    rows = []
    for task, near in REPRODUCED.items():
        theirs = published()[task]["gp_bo_tripp"]
        own = _values(tasks, task, "gp_bo", "auc_tenth", CALLS)
        holds = abs(fmean(own) - theirs) <= near or fmean(own) > theirs if own else PENDING
        rows.append((task, _cell(own), theirs, holds))
    if all(row[1] == PENDING for row in rows):
        return ""
    return "gp_bo against its published area of the tenth-best score:\n\n" + table(
        ("task", "here", "published", "within 0.05, or above"), rows
    )


def _values(tasks: Entries, task: str, arm: str, name: str, calls: int | None = None) -> list[float]:
    """The values of an arm's seeds on a task; none where it has not run, or not with so many calls."""
    entry = tasks.get(task, {}).get(arm)
    if entry is None or (calls is not None and entry["calls"] != calls):
        return []
    return [value for value in entry[name] if value is not None]


def _sum(tasks: Entries, summed: Sequence[str], arm: str, name: str) -> str:
    """The sum over tasks of the mean over seeds, with its standard error where all tasks have one."""
    values = [_values(tasks, task, arm, name, CALLS) for task in summed]
    if not all(values):
        return PENDING
    total = math.fsum(map(fmean, values))
    if all(len(of) > 1 for of in values):
        return f"{total:.2f} ± {math.sqrt(math.fsum(stdev(of) ** 2 / len(of) for of in values)):.2f}"
    return f"{total:.2f}"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return PENDING
    error = f" ± {stdev(values) / math.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{fmean(values):.3f}{error}"


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers else None


def _has_all_calls(entry: Mapping[str, Any] | None) -> bool:
    return entry is not None and entry["calls"] == CALLS


def _has_early(entry: Mapping[str, Any] | None) -> bool:
    return entry is not None and entry["calls"] >= EARLY
