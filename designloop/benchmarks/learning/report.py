"""The record of learning as Markdown: bars, areas by task, and the draws as the model learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from designloop.benchmarks.common.measures import FEWEST, PAIRED_COLUMNS, paired_row, pending_or
from designloop.benchmarks.common.page import PENDING, table
from designloop.benchmarks.learning.arms import DRAWS, PROPERTY, STUDY
from designloop.benchmarks.learning.bars import marks_of, mean_at
from designloop.benchmarks.pmo.studies import Entries, Entry, of, with_error


def report(results: Mapping[str, Any]) -> str:
    """All tables; what is not measured yet is pending."""
    tasks, calls = results["tasks"], results["of"]["calls"]
    head = (
        f"PMO's area under the mean of the ten best scores after {calls:,} calls, of the tasks that variants are "
        f"chosen on; code {results['of']['code']}, model {results['of']['model']}. A seed's value is the mean over the "
        f"{len(STUDY.tasks)} tasks, and pairs are seeds that all tasks have; a bar is judged of {FEWEST} and more. "
        "Means over seeds ± their standard error.\n"
    )
    parts = [head, table(PAIRED_COLUMNS, map(_bar, results["bars"])), _areas(tasks), _draws(tasks)]
    return "\n".join(part for part in parts if part)


def _bar(bar: Mapping[str, Any]) -> Sequence[object]:
    """A bar's row: with pairs, of a least value, or pending."""
    if bar["differences"] is None:
        value = PENDING if bar["value"] is None else f"{bar['value']:g} is the least"
        return bar["bar"], value, None, None, None, pending_or(bar["holds"])
    if not bar["differences"]:
        return bar["bar"], PENDING, None, None, None, PENDING
    return paired_row(bar)


def _areas(tasks: Entries) -> str:
    """Areas, arm by arm, by task and in the mean of those; and the mean of the ten best at the end."""
    rows = []
    for arm in STUDY.arms:
        by_task = [tasks.get(task, {}).get(arm.name, {}) for task in STUDY.tasks]
        areas = [with_error([entry["auc_top10"] for entry in entries.values()]) for entries in by_task]
        whole = [with_error(STUDY.by_seed(tasks, arm.name, of(name)).values()) for name in ("auc_top10", "top10")]
        rows.append((arm.name, arm.what, *areas, *whole))
    return table(("arm", "what it is", *STUDY.tasks, "mean of the tasks", "ten best at the end"), rows)


def _draws(tasks: Entries) -> str:
    """The draws of the model, and of the control, after each tenth."""
    entries = [entry for arms in tasks.values() for entry in arms.get(PROPERTY.name, {}).values()]
    if not entries:
        return f"Draws of the model: {PENDING}\n"
    rows = []
    for place, mark in enumerate(marks_of(entries[0])):
        rows.append(
            (
                mark,
                fmean(map(mean_at(place), entries)),
                fmean(map(mean_at(place, "permuted"), entries)),
                *(f"{_least(entries, place, name):g}" for name in ("distinct", "scaffolds")),
                f"{_least(entries, place, 'new'):.3f}",
            )
        )
    note = (
        f"{DRAWS} distinct molecules, drawn from the model's prior after so many calls and scored outside; of "
        f"{len(entries)} campaigns the mean of the mean scores, and the least of the other numbers. *Permuted*: the "
        "same model, taught by the same molecules in the same rounds, the scores permuted among them.\n"
    )
    return note + "\n" + table(("calls", "mean score", "permuted", "distinct", "scaffolds", "not paid for"), rows)


def _least(entries: Sequence[Entry], place: int, name: str) -> float:
    return min(list(marks_of(entry).values())[place][name] for entry in entries)
