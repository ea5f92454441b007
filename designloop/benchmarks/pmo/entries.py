"""The record of PMO, search by search: what was measured of one arm with one seed on one task, and by which code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from designloop.benchmarks.common.made_by import NAMES, in_words

Entries = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Task -> arm -> column -> one value a seed, as a record has them."""

OF_A_SEED = ("calls", *NAMES)
"""Columns that records from before they were kept seed by seed have once for all seeds, or not at all."""


@dataclass(frozen=True)
class Run:
    """One search."""

    task: str
    arm: str
    seed: int
    of: Mapping[str, Any]
    """Column -> value; what was not measured is missing or None."""

    @property
    def calls(self) -> int:
        """That could be spent."""
        return int(self.of["calls"])

    @property
    def made_by(self) -> str:
        """Digests of the code, the model and the search that decided what was found; empty where none was kept."""
        return in_words(self.of)


@dataclass(frozen=True)
class Runs:
    """Searches of a record."""

    all: Sequence[Run]

    @classmethod
    def of_record(cls, entries: Entries) -> Runs:
        """Those of all tasks and arms."""
        return cls(
            [
                Run(task, arm, seed, of)
                for task, arms in entries.items()
                for arm, entry in arms.items()
                for seed, of in by_seed(entry).items()
            ]
        )

    def where(
        self,
        *,
        tasks: Sequence[str] | None = None,
        arm: str | None = None,
        calls: int | None = None,
    ) -> list[Run]:
        """Those of some tasks, of an arm, of a budget; all where nothing is said."""
        return [
            run
            for run in self.all
            if (tasks is None or run.task in tasks)
            and (arm is None or run.arm == arm)
            and (calls is None or run.calls == calls)
        ]

    def values(self, task: str, arm: str, column: str, calls: int | None = None) -> list[float]:
        """A measure of an arm on a task, seed by seed, as far as it is there."""
        runs = self.where(tasks=[task], arm=arm, calls=calls)
        return [value for run in runs if (value := run.of.get(column)) is not None]


def by_seed(entry: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """What is recorded of an arm on a task, seed by seed."""
    seeds = entry["seeds"]
    columns = {
        name: [value] * len(seeds) if name in OF_A_SEED and not isinstance(value, list) else value
        for name, value in entry.items()
        if name != "seeds"
    }
    return {seed: {name: column[row] for name, column in columns.items()} for row, seed in enumerate(seeds)}


def entry_of(runs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of one value a seed, None where a seed has none."""
    names = dict.fromkeys(name for of in runs.values() for name in of)
    return {"seeds": list(runs), **{name: [of.get(name) for of in runs.values()] for name in names}}


def joined(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """Both entries of an arm on a task: of a seed that both have that with more calls, of as many the new one."""
    before, now = by_seed(old or {"seeds": []}), by_seed(new or {"seeds": []})
    kept = dict(before)
    for seed, of in now.items():
        if seed not in before or of["calls"] >= before[seed]["calls"]:
            kept[seed] = of
    return entry_of(dict(sorted(kept.items())))
