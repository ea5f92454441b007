"""The rows of the anomaly benchmark, made once from little; and problems that split as they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from designloop.api import InputError
from designloop.benchmarks import vae_methods
from designloop.benchmarks.vae_methods import _outliers, anomaly
from designloop.benchmarks.vae_methods._outliers import Problem
from designloop.vae.anomaly import detector
from designloop.vae.simulators.anomalies import one_against_rest


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [one_against_rest(40, np.random.default_rng(seed)) for seed in (0, 1)]
    two = [Problem(f"made up {n}", one.test, one.anomalous) for n, one in enumerate(made)]
    quick = {"ROWS": 60, "DRAWS": 4, "CALIBRATION": 50, "TESTED": 50, "SPLITS": 2, "TRUE_ROWS": 500}
    for name, value in quick.items():
        monkeypatch.setattr(anomaly, name, value)
    monkeypatch.setattr(anomaly, "problems", lambda: iter(two))
    monkeypatch.setattr(anomaly, "peers", lambda: {"KNN": lambda problem, seed: np.linalg.norm(problem.test, axis=1)})
    monkeypatch.setattr(detector.Settings.__init__, "__defaults__", _with_few_steps())


def _with_few_steps() -> tuple[object, ...]:
    return tuple(5 if one == 600 else one for one in detector.Settings.__init__.__defaults__ or ())


@pytest.mark.usefixtures("small")
def test_the_rows_of_a_small_run() -> None:
    said: list[str] = []
    rows = vae_methods.load("anomaly").run([0], said.append)
    measures = [row.measure for row in rows]
    assert len(set(measures)) == len(measures)
    assert not any("|" in one for one in measures)  # which would end a cell of the table
    assert sum(one.startswith("where scores disagree") for one in measures) == 20
    assert sum(one.startswith("average rank of") for one in measures) == 3
    ranks = [row.value for row in rows if row.measure.startswith("average rank of")]
    assert sum(ranks) == pytest.approx(1 + 2 + 3)
    assert all(row.holds for row in rows if row.measure.startswith("every score"))
    assert sum(bool(row.bar) for row in rows) == 13


def test_there_are_seventeen_problems_and_their_splits_are_disjoint_and_contaminated() -> None:
    found = list(_outliers.problems())
    assert len(found) == 17
    assert len({one.name for one in found}) == 17
    last = found[-1]
    assert int(last.anomalous.sum()) == int((load_breast_cancer().target == 0).sum())
    for problem in (found[0], last):
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
    rivals = _outliers.peers()
    assert list(rivals) == ["IForest", "ECOD", "LOF", "KNN", "PCA", "GMM", "VAE"]
    for name, rival in rivals.items():
        if name != "VAE":  # which takes seconds
            scores = rival(problem, 0)
            assert scores.shape == (60,)
            np.testing.assert_array_equal(rival(problem, 0), scores)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], others)  # noqa: NPY002


def test_without_pyod_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outliers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pyod is not installed; run `pip install 'designloop\[benchmarks\]'`"):
        _outliers.peers()
