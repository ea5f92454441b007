"""What unlike molecules cost: `diversity:` of a campaign file on two of PMO's tasks, from nothing asked to much."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.pmo_measures import Paid
from designloop.benchmarks.common.trials import TrialResult
from designloop.benchmarks.pmo.altered import Altered, Work
from designloop.benchmarks.pmo.left_out import gaps_of
from designloop.benchmarks.pmo.outcome import SHARED, best_of, how_unlike
from designloop.benchmarks.pmo.studies import Study, with_error

SUMMARY = "What unlike molecules cost: penalties, distances and full scaffolds on two PMO tasks at 600 calls."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

TASKS = ("perindopril_mpo", "zaleplon_mpo")

MEASURES = ("diversity", "clusters", "sa")


def and_describe(work: Work, folder: Path) -> TrialResult:
    """Runs a trial, and says how unlike its best molecules are."""
    result = work(folder)
    paid: list[Paid] = [(smiles, score) for smiles, score in result["paid"]]
    return {**result, "further": how_unlike([smiles for smiles, _ in best_of(paid)])}


def arm(name: str, what: str, **diversity: Any) -> Altered:
    """The default strategy with a campaign's `diversity:`."""
    return Altered(name, what, {"diversity": diversity} if diversity else {}, run_by=and_describe)


ARMS = (
    arm("nothing", "nothing is asked of batches"),
    arm("penalty_half", "`penalty: 0.5`", penalty=0.5),
    arm("penalty_2", "`penalty: 2`", penalty=2.0),
    arm("batch_distance", "`batch: 0.5`, the least distance of two molecules of a batch", batch=0.5),
    arm("per_scaffold", "`per_scaffold: 5`, so many molecules of a scaffold in the whole campaign", per_scaffold=5),
    arm("min_distance", "`min_distance: 0.4` to all that was paid for before", min_distance=0.4),
)

STUDY = Study("diversity", ARMS, TASKS, calls=600, seeds=3)


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    return STUDY.run(options, say)


def merge(earlier: Results, now: Results) -> Results:
    """Both records."""
    return STUDY.merge(earlier, now)


def report(results: Results) -> str:
    """Each arm's scores beside how unlike its best molecules are, and what it costs, pair by pair."""
    tasks, of, plain = results["tasks"], results["of"], ARMS[0].name
    head = (
        f"PMO's area under the mean of the ten best scores over {of['calls']:,} calls, and that mean at their end, "
        f"beside the mean distance of pairs (ECFP4), leaders at similarity < 0.4 and SA score of the {SHARED} best; "
        f"code {of['code']}, model {of['model']}. The price is `{plain}` less the arm, mean ± standard error over "
        "pairs of one task and seed.\n"
    )
    rows = [
        (
            each.name,
            each.what,
            *(with_error(_values(tasks, each.name, name)) for name in ("auc_top10", "top10", *MEASURES)),
            None if each.name == plain else with_error(gaps_of(tasks, plain, each.name, "auc_top10"), signed=True),
        )
        for each in ARMS
    ]
    columns = ("arm", "what it is", "AUC", "ten best", "distance", "leaders", "SA", "price in AUC")
    return "\n".join([head, table(columns, rows)])


def _values(tasks: Mapping[str, Any], name: str, measure: str) -> list[float]:
    return [entry[measure] for arms in tasks.values() for entry in arms.get(name, {}).values()]
