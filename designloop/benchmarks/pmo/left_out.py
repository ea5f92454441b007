"""A study of a strategy without its parts, one at a time, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from designloop.benchmarks.common.page import table
from designloop.benchmarks.pmo.studies import Entries, Study, with_error

TASKS = ("perindopril_mpo", "scaffold_hop", "zaleplon_mpo")
"""Of development, on which parts are left out."""

_COLUMNS = ("arm", "what it is", "AUC", "ten best", "AUC, full less it", "ten best, full less it", "full above, pairs")


def report(study: Study, results: Mapping[str, Any]) -> str:
    """Each arm's values, and what the first of them, the whole strategy, is above it, pair by pair."""
    tasks, of, full = results["tasks"], results["of"], study.arms[0].name
    whole = len(study.tasks) * study.seeds
    head = (
        f"PMO's area under the mean of the ten best scores over {of['calls']:,} calls, and that mean at their end; "
        f"code {of['code']}, model {of['model']}. The differences are `{full}` less the arm, mean ± standard "
        f"error over pairs of one task and seed ({whole} in a whole record): above 0 what is left out was worth that.\n"
    )
    rows = []
    for arm in study.arms:
        areas, tens = _values(tasks, arm.name, "auc_top10"), _values(tasks, arm.name, "top10")
        row: list[object] = [arm.name, arm.what, with_error(areas.values()), with_error(tens.values())]
        if arm.name == full:
            row += [None, None, f"{len(areas)} of {whole}"]
        else:
            gaps = [gaps_of(tasks, full, arm.name, name) for name in ("auc_top10", "top10")]
            won = f"{sum(gap > 0 for gap in gaps[0])} of {len(gaps[0])}"
            row += [*(with_error(gap, signed=True) for gap in gaps), won]
        rows.append(row)
    by_task = [
        (
            arm.name,
            *(
                with_error([own["auc_top10"] for own in _entries(tasks, task, arm.name).values()])
                for task in study.tasks
            ),
        )
        for arm in study.arms
    ]
    return "\n".join([head, table(_COLUMNS, rows), table(("AUC by task", *study.tasks), by_task)])


def gaps_of(tasks: Entries, whole: str, arm: str, name: str) -> list[float]:
    """How far a measure of one arm is above that of another, of every task and seed that both have."""
    theirs, own = _values(tasks, whole, name), _values(tasks, arm, name)
    return [theirs[pair] - own[pair] for pair in theirs if pair in own]


def _entries(tasks: Entries, task: str, arm: str) -> Mapping[str, Mapping[str, Any]]:
    return tasks.get(task, {}).get(arm, {})


def _values(tasks: Entries, arm: str, name: str) -> dict[tuple[str, str], float]:
    """(task, seed) -> a measure of an arm."""
    return {(task, seed): own[name] for task in tasks for seed, own in _entries(tasks, task, arm).items()}
