"""The default strategy without one ingredient after another, on three of PMO's tasks of development."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.trials import Trial, TrialResult
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.studies import Entries, Study, with_error
from designloop.strategies import property_loss
from designloop.strategies.proposers.base import MODEL_PROPOSERS
from designloop.strategies.search.screen import PROPOSER as SCREEN

SUMMARY = "The default strategy without its parts, one at a time: three of PMO's tasks at 600 calls."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

TASKS = ("perindopril_mpo", "scaffold_hop", "zaleplon_mpo")

KERNEL = "composition"
"""Of the committee: what it knows of whole molecules."""

ALL = property_loss.PROPOSERS
MODEL = [name for name in ALL if name in MODEL_PROPOSERS]


@dataclass(frozen=True)
class WithoutKernel(Ours):
    """A campaign whose committee lacks a member; no key of a campaign file says so."""

    kernel: str = KERNEL

    def trial(self, task: str, seed: int, calls: int, file: Path, common: Mapping[str, Any]) -> Trial:
        """The trial of a task's campaign file with a seed."""
        plain = super().trial(task, seed, calls, file, common)
        identity = {**plain.identity, "without kernel": self.kernel}
        return replace(plain, work=partial(without_kernel, self.kernel, plain.work), identity=identity)


def without_kernel(kernel: str, work: Callable[[Path], TrialResult], folder: Path) -> TrialResult:
    """Runs a trial in which committees are made without a kernel."""
    from designloop.strategies.surrogates import committee
    from designloop.strategies.surrogates.kernels import KERNELS

    smaller = partial(committee.Committee, kernels=[name for name in KERNELS if name != kernel])
    with patch.object(committee, "Committee", smaller):
        return work(folder)


def strategy(**settings: Any) -> dict[str, Any]:
    """The default strategy, but for some settings."""
    return {"strategy": {"name": "property_loss", **settings}}


FULL = Ours("full", "the default strategy")
ARMS = (
    FULL,
    Ours(
        "no_vae",
        "without the model's proposals, hence without its learning; it begins with draws of the pretrained model",
        strategy(proposers=[name for name in ALL if name not in MODEL], learning={"loss": "none"}),
    ),
    Ours("no_learning", "the pretrained model as it is", strategy(learning={"loss": "none"})),
    Ours(
        "no_genetics", "without genetic steps: prior, posterior and ZINC's screen", strategy(proposers=[*MODEL, SCREEN])
    ),
    Ours("no_surrogate", "candidates as drawn, so without ZINC's screen as well", strategy(surrogate="none")),
    Ours("no_screen", "without ZINC's screen", strategy(proposers=[name for name in ALL if name != SCREEN])),
    WithoutKernel("no_composition", "without the committee's kernel on whole molecules"),
    Ours("one_process", "one fitted process for the committee, so without ZINC's screen", strategy(surrogate="score")),
    Ours("low_effort", "a quarter of the free molecules a call, a fifth of ZINC screened", strategy(effort="low")),
)

STUDY = Study("ablation", ARMS, TASKS, calls=600, seeds=3)


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    return STUDY.run(options, say)


def merge(earlier: Results, now: Results) -> Results:
    """Both records."""
    return STUDY.merge(earlier, now)


def report(results: Results) -> str:
    """Each arm's values, and what the whole strategy is above it, pair by pair."""
    tasks, of = results["tasks"], results["of"]
    whole = len(TASKS) * STUDY.seeds
    head = (
        f"PMO's area under the mean of the ten best scores over {of['calls']:,} calls, and that mean at their end; "
        f"code {of['code']}, model {of['model']}. The differences are `{FULL.name}` less the arm, mean ± standard "
        f"error over pairs of one task and seed ({whole} in a whole record): above 0 what is left out was worth that.\n"
    )
    rows = []
    for arm in ARMS:
        areas, tens = _values(tasks, arm.name, "auc_top10"), _values(tasks, arm.name, "top10")
        row: list[object] = [arm.name, arm.what, with_error(areas.values()), with_error(tens.values())]
        if arm is not FULL:
            gaps = [_gaps(tasks, arm.name, name) for name in ("auc_top10", "top10")]
            won = f"{sum(gap > 0 for gap in gaps[0])} of {len(gaps[0])}"
            row += [*(with_error(gap, signed=True) for gap in gaps), won]
        else:
            row += [None, None, f"{len(areas)} of {whole}"]
        rows.append(row)
    columns = (
        "arm",
        "what it is",
        "AUC",
        "ten best",
        "AUC, full less it",
        "ten best, full less it",
        "full above, pairs",
    )
    by_task = [
        (
            arm.name,
            *(with_error([own["auc_top10"] for own in _entries(tasks, task, arm.name).values()]) for task in TASKS),
        )
        for arm in ARMS
    ]
    return "\n".join([head, table(columns, rows), table(("AUC by task", *TASKS), by_task)])


def _entries(tasks: Entries, task: str, arm: str) -> Mapping[str, Mapping[str, Any]]:
    return tasks.get(task, {}).get(arm, {})


def _values(tasks: Entries, arm: str, name: str) -> dict[tuple[str, str], float]:
    """(task, seed) -> a measure of an arm."""
    return {(task, seed): own[name] for task in TASKS for seed, own in _entries(tasks, task, arm).items()}


def _gaps(tasks: Entries, arm: str, name: str) -> list[float]:
    """How far the whole strategy is above an arm, of every task and seed that both have."""
    whole, own = _values(tasks, FULL.name, name), _values(tasks, arm, name)
    return [whole[pair] - own[pair] for pair in whole if pair in own]
