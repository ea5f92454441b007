"""Tables of PMO's record: areas by task at both budgets, differences to the peers, diversity and cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from designloop.benchmarks.common.made_by import mixed
from designloop.benchmarks.common.measures import one_sided_p
from designloop.benchmarks.common.page import PENDING, table
from designloop.benchmarks.pmo.arms import ARMS
from designloop.benchmarks.pmo.entries import Run, Runs, common_codes, unequal_runs
from designloop.benchmarks.pmo.outcome import EARLY, FIRST, MACHINE
from designloop.benchmarks.pmo.tasks import CALLS

EARLY_AREA = f"auc_at_{EARLY}"

PEERS = ("mol_ga", "gp_bo", "zinc_screen")
"""Above which ours are shown."""

COMPARED = (
    *(("property_loss", peer) for peer in PEERS),
    *(("latent_bo", peer) for peer in PEERS),
    ("latent_bo", "no_surrogate"),
    ("latent_bo", "property_loss"),
)
"""Pairs of arms whose areas of the first calls are set side by side."""

BUDGETS = (CALLS, EARLY)

ORDER = [arm.name for arm in ARMS]


def areas(runs: Runs, tasks: Sequence[str]) -> tuple[list[str], list[tuple[object, ...]]]:
    """The arms that ran whole budgets, and a row of their areas for each task."""
    ran = arms_of(runs.where(calls=CALLS))
    return ran, [(task, *(cell(runs.values(task, arm, "auc_top10", CALLS)) for arm in ran)) for task in tasks]


def early(runs: Runs, tasks: Sequence[str], remarks: Mapping[str, str]) -> str:
    """Areas of the first calls, and how far ours are above the peers.

    Args:
        remarks: peer -> what is said of every comparison with it.
    """
    of_them = [run for run in runs.all if run.of.get(EARLY_AREA) is not None]
    if not (ran := arms_of(of_them)):
        return ""
    rows = [(task, *(cell(runs.values(task, arm, EARLY_AREA)) for arm in ran)) for task in tasks]
    shown = [row for row in rows if any(value != PENDING for value in row[1:])]
    text = f"AUC at {EARLY:,} calls, over {EARLY:,}.{codes(of_them)}\n\n" + table(("task", *ran), shown)
    compared = [row for pair in COMPARED if (row := _difference(runs, tasks, *pair, remarks)) is not None]
    if compared:
        columns = (
            f"of the areas at {EARLY:,}", "tasks", "pairs", "sum of differences", "one-sided p", "tasks won",
            "remark",
        )  # fmt: skip
        text += "\n" + table(columns, compared)
    return text


def gaps(runs: Runs, tasks: Sequence[str], arm: str, other: str) -> dict[str, list[float]]:
    """Task -> how far an arm's area of the first calls is above another's, seed by seed that both have."""
    by_task: dict[str, list[float]] = {}
    for task in tasks:
        own, theirs = (_early_by_seed(runs, task, name) for name in (arm, other))
        if pairs := [own[seed] - theirs[seed] for seed in own if seed in theirs]:
            by_task[task] = pairs
    return by_task


def _early_by_seed(runs: Runs, task: str, arm: str) -> dict[int, float]:
    own = runs.where(tasks=[task], arm=arm)
    return {run.seed: run.of[EARLY_AREA] for run in own if run.of.get(EARLY_AREA) is not None}


def _difference(
    runs: Runs, tasks: Sequence[str], arm: str, other: str, remarks: Mapping[str, str]
) -> tuple[object, ...] | None:
    """The paired difference of two arms: a task's is the mean over the seeds that both have."""
    by_task = gaps(runs, tasks, arm, other)
    if not by_task:
        return None
    means = [fmean(pairs) for pairs in by_task.values()]
    p = one_sided_p(means)
    return (
        f"{arm} − {other}",
        len(means),
        sum(map(len, by_task.values())),
        f"{math.fsum(means):+.3f}",
        None if p is None else f"{p:.3g}",
        sum(gap > 0 for gap in means),
        remarks.get(other),
    )


def other_budgets(runs: Runs) -> str:
    """Areas of budgets that have no table of their own."""
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for run in runs.all:
        if run.calls not in BUDGETS:
            groups.setdefault((run.task, run.arm, run.calls), []).append(run)
    rows = [(*group, *(cell([run.of[name] for run in of]) for name in ("auc_top10", "top10")))
            for group, of in groups.items()]  # fmt: skip
    columns = ("task", "arm", "calls", "AUC", "mean of the ten best")
    return "Other budgets:\n\n" + table(columns, rows) if rows else ""


_COST = (
    ("diversity of the best 100", "diversity", ".3f"),
    ("clusters", "clusters", ".1f"),
    ("SA", "sa", ".2f"),
    ("seconds a call", "seconds_a_call", ".3g"),
    ("CPU seconds a call", "cpu_seconds_a_call", ".3g"),
    ("in the oracle", "oracle_seconds_a_call", ".2g"),
)


def cost(runs: Runs, tasks: Sequence[str]) -> str:
    """Diversity, ease of synthesis and cost of each arm, in the mean of the tasks, by budget and MPO tasks apart."""
    parts = []
    mpo = [task for task in tasks if task.endswith("_mpo")]
    for calls in BUDGETS:
        of_budget = runs.where(tasks=tasks, calls=calls)
        rows = [
            row
            for kind, of_kind in (("all", tasks), *([("MPO", mpo)] if mpo else []))
            for arm in arms_of(of_budget)
            if (row := _cost_row(runs, arm, calls, kind, of_kind)) is not None
        ]
        if rows:
            columns = ("arm", "kind of tasks", "tasks", *(title for title, _, _ in _COST), "GB")
            parts.append(
                f"Searches of {calls:,} calls.{codes(of_budget)}{machines(of_budget)}\n\n" + table(columns, rows)
            )
    if not parts:
        return ""
    note = (
        "Of the 100 best: mean distance of pairs (ECFP4), leaders at similarity < 0.4, SA score, each a mean over "
        "tasks of the mean over seeds. Seconds are wall time as the machine was loaded, CPU seconds are of all "
        "threads and the oracle's are among them; GB is the most memory of a process.\n"
    )
    return "\n".join([note, *parts])


def _cost_row(runs: Runs, arm: str, calls: int, kind: str, tasks: Sequence[str]) -> tuple[object, ...] | None:
    own = runs.where(tasks=tasks, arm=arm, calls=calls)
    if not own:
        return None
    ran = dict.fromkeys(run.task for run in own)
    shown = []
    for _, name, form in _COST:
        means = [fmean(values) for task in ran if (values := runs.values(task, arm, name, calls))]
        shown.append(format(fmean(means), form) if means else PENDING)
    peaks = [run.of["peak_memory_gb"] for run in own if run.of.get("peak_memory_gb") is not None]
    return (arm, kind, len(ran), *shown, max(peaks, default=None))


def arms_of(runs: Sequence[Run]) -> list[str]:
    """The arms that ran, in their own order."""
    ran = list(dict.fromkeys(run.arm for run in runs))
    return sorted(ran, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def codes(runs: Sequence[Run]) -> str:
    """Sentences on arms whose searches are not of one code and model, or of unknown ones; empty where there is none."""
    words, counted = dict[str, list[str]](), ""
    for arm in arms_of(runs):
        own = [run for run in runs if run.arm == arm]
        if len({run.of.get("code") for run in own}) > 1 and not unequal_runs(own):
            counted += _counted(arm, own)
        else:
            words[arm] = [run.made_by for run in own]
    return mixed(words) + counted


def _counted(arm: str, runs: Sequence[Run]) -> str:
    """A sentence on an arm whose searches are of several codes that are the same search."""
    each = ", ".join(f"{code} ({count})" for code, count in Counter(run.of["code"] for run in runs).most_common())
    return (
        f" {arm} is of code {each}, and counts as searches of {' or '.join(sorted(map(str, common_codes(runs))))}: "
        f"wherever another code's stand, both paid for the same first {FIRST} molecules, with one seed on one machine."
    )


def machines(runs: Sequence[Run]) -> str:
    """Sentences on arms whose searches ran on several machines, or on unknown ones; empty where there is none."""
    text, unknown = "", []
    for arm in arms_of(runs):
        counts = Counter(run.of.get(MACHINE) for run in runs if run.arm == arm)
        if set(counts) == {None}:
            unknown.append(arm)
        elif len(counts) > 1:
            each = (f"{name or 'one that was not kept'} ({count})" for name, count in counts.most_common())
            text += f" {arm} ran on {', '.join(each)}."
    return text + (f" On what machine {', '.join(unknown)} ran was not kept." if unknown else "")


def cell(values: Sequence[float]) -> str:
    """Mean ± its standard error, which two values have at least; pending of none."""
    if not values:
        return PENDING
    error = f" ± {stdev(values) / math.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{fmean(values):.3f}{error}"


def sum_of(runs: Runs, tasks: Sequence[str], arm: str, column: str) -> str:
    """The sum over tasks of the mean over seeds at whole budgets, with its standard error where all tasks have one."""
    values = [runs.values(task, arm, column, CALLS) for task in tasks]
    if not all(values):
        return PENDING
    total = math.fsum(map(fmean, values))
    if all(len(of) > 1 for of in values):
        return f"{total:.2f} ± {math.sqrt(math.fsum(stdev(of) ** 2 / len(of) for of in values)):.2f}"
    return f"{total:.2f}"
