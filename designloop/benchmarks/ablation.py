"""The default strategy without one ingredient after another, on three of PMO's tasks of development."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.trials import TrialResult
from designloop.benchmarks.pmo import left_out
from designloop.benchmarks.pmo.altered import Altered, Work
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.studies import Study
from designloop.strategies import property_loss
from designloop.strategies.proposers.base import MODEL_PROPOSERS
from designloop.strategies.search.screen import PROPOSER as SCREEN

SUMMARY = "The default strategy without its parts, one at a time: three of PMO's tasks at 600 calls."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

ALL = property_loss.PROPOSERS
MODEL = [name for name in ALL if name in MODEL_PROPOSERS]


def without_numbers(work: Work, folder: Path) -> TrialResult:
    """Runs a trial in which no kernel of a committee sees numbers of whole molecules, where another part is left."""
    from designloop.strategies.surrogates.kernels import KERNELS, MeanOf, Numbers

    means = {name: kernel for name, kernel in KERNELS.items() if isinstance(kernel, MeanOf)}
    fewer = {
        name: MeanOf([part for part in mean.kernels if not isinstance(part, Numbers)]) for name, mean in means.items()
    }
    with patch.dict(KERNELS, fewer):
        return work(folder)


def strategy(**settings: Any) -> dict[str, Any]:
    """The default strategy, but for some settings."""
    return {"strategy": {"name": "property_loss", **settings}}


ARMS = (
    Ours("full", "the default strategy"),
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
    Altered("no_numbers", "no surrogate sees numbers of whole molecules", run_by=without_numbers),
    Ours("one_process", "one fitted process for the committee, so without ZINC's screen", strategy(surrogate="score")),
    Ours("none_at_random", "no molecule of a batch is drawn at random", strategy(judged=0)),
    Ours(
        "evidence",
        "the model learns to give back what was paid for and its kin as well, six steps for 25 calls",
        strategy(learning={"property": {"evidence": 6}}),
    ),
)

STUDY = Study("ablation", ARMS, left_out.TASKS, calls=600, seeds=3)


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    return STUDY.run(options, say)


def merge(earlier: Results, now: Results) -> Results:
    """Both records."""
    return STUDY.merge(earlier, now)


def report(results: Results) -> str:
    """Each arm's values, and what the whole strategy is above it, pair by pair."""
    return left_out.report(STUDY, results)
