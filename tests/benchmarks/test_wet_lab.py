from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest
from scipy.stats import spearmanr, ttest_1samp, ttest_rel

from designloop.benchmarks import Options, wet_lab
from designloop.loop.campaign.campaign import load_campaign
from designloop.oracles.guacamol import zaleplon_mpo
from designloop.strategies.search.machine import Search

SCORES = {
    "albuterol_similarity": {"latent_bo": [0.5, 0.7, 0.6, 0.6, 0.6], "gp_bo": [0.4, 0.5, 0.5, 0.5, 0.4]},
    "zaleplon_mpo": {"latent_bo": [0.4, 0.3, 0.5, 0.4, 0.4], "gp_bo": [0.1, 0.3, 0.3, 0.2, 0.3]},
}


def test_the_pairs_of_all_tasks_are_judged_together_by_the_interval_of_their_differences() -> None:
    bar = wet_lab.compare(SCORES, "gp_bo")
    own, theirs = ([value for task in SCORES.values() for value in task[name]] for name in ("latent_bo", "gp_bo"))
    span = ttest_rel(own, theirs).confidence_interval(0.95)
    assert bar["interval"] == pytest.approx((span.low, span.high))
    starts = [[0.1, 0.3], [0.2, 0.0], [0.1, 0.2], [0.1, 0.2], [0.2, 0.1]]
    by_start = ttest_1samp([fmean(start) for start in starts], 0).confidence_interval(0.95)
    assert bar["interval_by_start"] == pytest.approx((by_start.low, by_start.high))
    assert (span.low > 0, by_start.low > 0, bar["holds"]) == (True, True, True)
    assert bar["by_task"] == pytest.approx({"albuterol_similarity": 0.7 / 5, "zaleplon_mpo": 0.8 / 5})
    reverse = wet_lab.compare({task: dict(zip(of, reversed(of.values()), strict=True)) for task, of in SCORES.items()},
                              "gp_bo")  # fmt: skip
    assert reverse["holds"] is False
    few = {task: {arm: values[:4] for arm, values in of.items()} for task, of in SCORES.items()}
    assert wet_lab.compare(few, "gp_bo")["holds"] is None, "eight pairs of four starts say nothing yet"


def test_pairs_that_share_a_start_are_not_taken_for_unrelated_ones() -> None:
    tasks = ("albuterol_similarity", "fexofenadine_mpo", "perindopril_mpo", "zaleplon_mpo")
    one_start_decides = {task: {"latent_bo": [0.5] * 4 + [0.8], "gp_bo": [0.49] + [0.5] * 4} for task in tasks}
    bar = wet_lab.compare(one_start_decides, "gp_bo")
    assert bar["interval"][0] > 0 > bar["interval_by_start"][0]
    assert bar["holds"] is False


def test_what_was_said_is_measured_against_what_was_scored() -> None:
    looked_at = {"mean": [0.1, 0.5, 0.3, 0.9], "sd": [0.1] * 4, "score": [0.2, 0.9, 0.35, None], "factor": 0.2}
    judged = wet_lab.judge(looked_at)
    assert judged["molecules"] == 3, "what failed says nothing"
    assert judged["rank_correlation"] == pytest.approx(spearmanr([0.1, 0.5, 0.3], [0.2, 0.9, 0.35]).statistic)
    assert judged["covered"] == pytest.approx(2 / 3)
    assert judged["covered_unscaled"] == 1
    assert judged["half_width"] == pytest.approx(0.1645, abs=1e-4)
    assert judged["half_width_unscaled"] == pytest.approx(0.8224, abs=1e-4)


@pytest.mark.parametrize(
    ("correlation", "covered", "holds"),
    [(0.5, 0.9, (True, True)), (0.44, 0.79, (False, False)), (0.46, 0.98, (True, False)), (None, 0.8, (False, True))],
)
def test_what_is_asked_of_the_surrogate(correlation: float | None, covered: float, holds: tuple[bool, bool]) -> None:
    row = {"rank_correlation": correlation, "covered": covered, "covered_unscaled": 1.0, "half_width": 0.1,
           "half_width_unscaled": 1.0, "molecules": 40, "task": "qed"}  # fmt: skip
    means = wet_lab.foresight([{**row, "seed": seed} for seed in range(5)])
    assert (means["correlation_holds"], means["coverage_holds"]) == holds
    few = wet_lab.foresight([{**row, "seed": seed, "task": task} for seed in range(4) for task in ("qed", "jnk3")])
    assert (few["correlation_holds"], few["coverage_holds"]) == (None, None), "four starts say nothing yet"


def test_every_arm_starts_from_the_same_hundred_molecules_that_count(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[Any] = []

    def run_trials(trials: list[Any], *_: object) -> dict[str, dict[int, Any]]:
        planned.extend(trials)
        looked_at = {"mean": [0.1, 0.2, 0.3], "sd": [0.1] * 3, "score": [0.1, 0.3, 0.2], "factor": 1.0}
        outcome = {"mean_top_10": 0.5, "seconds": 1.0, "looked_at": looked_at}
        return {trial.arm: dict.fromkeys((0, 1), outcome) for trial in trials}

    monkeypatch.setattr(wet_lab, "run_trials", run_trials)
    wet_lab.run(Options(model=model, seeds=2, tasks=("zaleplon_mpo",), work=tmp_path), lambda line: None)
    campaigns = [load_campaign(*trial.work.args[-2:]) for trial in planned]
    assert {(it.budget.oracle_calls, it.batch_size, len(it.starting())) for it in campaigns} == {(200, 20, 100)}
    starts = {trial.seed: set() for trial in planned}  # type: ignore[var-annotated]
    for trial, campaign in zip(planned, campaigns, strict=True):
        starts[trial.seed].add(tuple(molecule.smiles for molecule in campaign.starting()))
    assert [len(start) for start in starts.values()] == [1, 1]
    assert starts[0] != starts[1]


def test_a_small_run(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"strategy": {"name": "latent_bo", "effort": "low", "screen": False}}
    ours = replace(wet_lab.OURS, overrides=quick)
    monkeypatch.setattr(wet_lab, "ARMS", (ours, *wet_lab.ARMS[1:]))
    for name, value in {"START": 14, "CALLS": 26, "BATCH": 6, "LOOKED_AT": 5}.items():
        monkeypatch.setattr(wet_lab, name, value)
    options = Options(model=model, seeds=1, tasks=("zaleplon_mpo",), arms=("latent_bo", "random"), work=tmp_path)
    results = wet_lab.run(options, lambda line: None)
    (row,) = results["looked_at"]
    assert row["molecules"] == 5
    assert results["foresight"]["covered"] == row["covered"]
    (bar,) = results["bars"]
    assert bar["interval"] is None
    assert bar["holds"] is None, "one pair proves nothing"
    page = wet_lab.report({name: value for name, value in results.items() if name != "seeds"})  # as a record has them
    assert "| latent_bo | latent_bo at its default settings |" in page
    assert "(5 of 1 campaigns" in page
    (folder,) = (tmp_path / "wet-lab" / "zaleplon_mpo").glob("latent_bo-*")
    settings = {"model": model, "strategy": quick["strategy"], "seed": 0, "batch_size": 6, "budget.oracle_calls": 26,
                "budget.patience": 0, "evaluation.backend": "inline", "output": str(folder / "campaign"),
                "ledger": str(folder / "ledger.sqlite")}  # fmt: skip
    seen: dict[str, Any] = {}

    def drawn(strategy: Search, screening: Any, seed: int) -> Any:
        free = strategy.candidates(6)
        seen["means"] = [foreseen["score"][0] for foreseen in strategy.foresee(free) if foreseen]
        seen["chosen"] = original(strategy, screening, seed)
        return seen["chosen"]

    original = wet_lab.better_half_drawn
    monkeypatch.setattr(wet_lab, "better_half_drawn", drawn)
    start = [row["smiles"] for row in _rows(folder)[:14]]
    looked_at = wet_lab.look_at(
        tmp_path / "wet-lab" / "campaigns" / "zaleplon_mpo.yaml", {**settings, "starting_molecules": start}
    )
    smiles = [candidate.smiles for candidate in seen["chosen"]]
    assert looked_at["score"] == pytest.approx([zaleplon_mpo(smiles)[text] for text in smiles])
    assert not set(smiles) & {row["smiles"] for row in _rows(folder)}, "they were never paid for"
    assert min(looked_at["mean"]) >= median(seen["means"])
    assert len(_rows(folder)) == 26


def _rows(folder: Path) -> list[dict[str, Any]]:
    from designloop import api

    rows: list[dict[str, Any]] = api.open_candidates(folder / "campaign").to_arrow().to_pylist()
    return rows
