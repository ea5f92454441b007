"""The record of PMO, search by search: what was measured of one arm with one seed on one task, and by which code.

Two versions of the code are the same search on a task where they paid for the same molecules first, to the last digit
of each score, with every seed that both ran there, however short: a record keeps a digest of these for each code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from designloop.benchmarks.common.made_by import NAMES, in_words, unequal
from designloop.benchmarks.pmo.outcome import MACHINE

FIRST_CALLS = "first_calls"
"""Column of the digests, code -> digest; machines that multiply otherwise give one code other digests."""

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
    alike: Sequence[frozenset[str]] = ()
    """Pairs of codes that paid for the same molecules first, on its task with each seed that both have."""

    @property
    def calls(self) -> int:
        """That could be spent."""
        return int(self.of["calls"])

    @property
    def codes(self) -> frozenset[str | None]:
        """The one that made it, and all that are the same search on its task."""
        same: set[str | None] = {self.of.get("code")}
        for _ in self.alike:  # as many steps as there can be from one to another
            same.update(*(pair for pair in self.alike if pair & same))
        return frozenset(same)

    @property
    def made_by(self) -> str:
        """Digests of the code, the model and the search that decided what was found; empty where none was kept."""
        return in_words(self.of)


@dataclass(frozen=True)
class Runs:
    """Searches of a record."""

    all: Sequence[Run]
    machine: str | None = None
    """The CPU that the record is of, and alone is judged how fast searches are; None where it was not kept."""

    @classmethod
    def of_record(cls, entries: Entries, machine: str | None = None) -> Runs:
        """Those of all tasks and arms."""
        runs = [run for task, arms in entries.items() for arm, of in arms.items() for run in _runs(task, arm, of)]
        return cls(runs, machine)

    def of_machine(self) -> Runs:
        """Those that ran on the record's own machine; none where that, or theirs, is unknown."""
        if self.machine is None:
            return Runs([])
        return Runs([run for run in self.all if run.of.get(MACHINE) == self.machine], self.machine)

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


def unequal_runs(runs: Sequence[Run]) -> list[str]:
    """The names in which an arm's searches differ: of the code where no one code would have made them all.

    What else makes a search, which has the releases of packages in it, is compared among those of one code alone: that
    two codes paid for the same molecules first says it of all that they hang on.
    """
    by_code: dict[str | None, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_code.setdefault(run.of.get("code"), []).append(run.of)
    differ = unequal([run.of for run in runs], ["model"])
    if any(unequal(of_code, ["search"]) for of_code in by_code.values()):
        differ.append("search")
    return differ if not runs or common_codes(runs) else ["code", *differ]


def common_codes(runs: Sequence[Run]) -> frozenset[str | None]:
    """Codes that each of some searches was made by, or by one that is the same search on its task."""
    return frozenset.intersection(*(run.codes for run in runs))


def _runs(task: str, arm: str, entry: Mapping[str, Any]) -> list[Run]:
    seeds = by_seed(entry)
    alike = _alike([_digests(of) for of in seeds.values()])
    return [Run(task, arm, seed, of, alike) for seed, of in seeds.items()]


def _alike(by_code: Sequence[Mapping[str, str]]) -> list[frozenset[str]]:
    """Pairs of codes whose digests agree on some seed, and on none differ.

    Args:
        by_code: of each seed.
    """
    verdicts: dict[frozenset[str], list[bool]] = {}
    for digests in by_code:
        for one, other in combinations(digests, 2):
            verdicts.setdefault(frozenset((one, other)), []).append(digests[one] == digests[other])
    return [pair for pair, agree in verdicts.items() if all(agree)]


def _digests(of: Mapping[str, Any]) -> Mapping[str, str]:
    """Code -> the digest of its first calls, of a search; none of a record from before they were kept."""
    return of.get(FIRST_CALLS) or {}


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
    """Both entries of an arm on a task: of a seed that both have that with more calls, of as many the new one.

    The digests of its first calls are kept of both.
    """
    before, now = by_seed(old or {"seeds": []}), by_seed(new or {"seeds": []})
    kept = dict(before)
    for seed, of in now.items():
        if seed not in before or of["calls"] >= before[seed]["calls"]:
            kept[seed] = of
        if digests := {**_digests(before.get(seed, {})), **_digests(of)}:
            kept[seed] = {**kept[seed], FIRST_CALLS: digests}
    return entry_of(dict(sorted(kept.items())))
