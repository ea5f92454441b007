"""The benchmark of known optima: the functions, that every call counts, and how it judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designloop.api import InputError
from designloop.benchmarks import Options
from designloop.benchmarks.common.trials import code_digest
from designloop.benchmarks.synthetic import benchmark, cases
from designloop.benchmarks.synthetic.benchmark import ARMS, OURS, judge, make_trial, report, run, search
from designloop.benchmarks.synthetic.cases import CASES, MARGIN, Latents, evenly, planted, to_cube, to_latents
from designloop.molecules.sequence_vae import load

PLAIN = ("ackley", "levy", "hartmann")
MODEL = "zinc250k"


@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("seed", [0, 7])
def test_regret_is_0_at_the_optimum_and_nowhere_less(case: str, seed: int) -> None:
    problem = CASES[case].make(seed, MODEL)
    near = problem.optimum + 1e-3 * np.random.default_rng(seed).standard_normal((50, problem.dims))
    values = problem.ask(np.concatenate([problem.optimum[None], near, problem.draw(200, seed)])).values
    assert values[0] == pytest.approx(problem.best, abs=1e-5)
    assert (values <= problem.best + 1e-9).all()
    assert values[51:].max() < problem.best - 0.1, "the start does not hold it"


@pytest.mark.parametrize(("case", "low", "high"), [("ackley", -32.768, 32.768), ("levy", -10.0, 10.0)])
def test_a_moved_function_is_the_function_elsewhere(case: str, low: float, high: float) -> None:
    places = [CASES[case].make(seed, MODEL).optimum for seed in range(40)]
    assert all(((place >= MARGIN) & (place <= 1 - MARGIN)).all() for place in places)
    assert np.mean(places) == pytest.approx(0.5, abs=0.04)
    assert np.ptp(places) > 0.75
    problem = CASES[case].make(3, MODEL)
    points = problem.draw(5, 3)
    x = (points - problem.optimum) * (high - low)
    if case == "ackley":
        theirs = -20 * np.exp(-0.2 * np.sqrt(np.square(x).mean(1))) - np.exp(np.cos(2 * np.pi * x).mean(1)) + 20 + np.e
    else:
        w = 1 + x / 4
        first, last = np.sin(np.pi * w[:, 0]) ** 2, (w[:, -1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[:, -1]) ** 2)
        inner = (w[:, :-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:, :-1] + 1) ** 2)
        theirs = first + inner.sum(1) + last
    assert problem.ask(points).values == pytest.approx(-theirs)


def test_first_points_do_not_depend_on_their_number() -> None:
    assert np.array_equal(evenly(5, 3, 0), evenly(40, 3, 0)[:5])
    assert not np.array_equal(evenly(5, 3, 0), evenly(5, 3, 1))


def test_a_peak_lies_at_a_molecule_and_falls_off_with_the_distance_of_what_is_decoded() -> None:
    problem = planted(0, MODEL)
    at_optimum = problem.ask(problem.optimum[None])
    assert at_optimum.values[0] == pytest.approx(problem.best)
    start = problem.draw(20, 0)
    seen = problem.ask(start)
    assert seen.values.max() < 0.6
    apart = np.square(to_latents(seen.points) - to_latents(problem.optimum)).sum(1)
    written = seen.values > 0
    assert written.any()
    assert seen.values[written] == pytest.approx(np.exp(-apart[written] / 128), abs=0.01), "the cube cuts little off"
    assert np.array_equal(seen.points[~written], start[~written]), "what is not written lies where it was asked for"
    again = problem.ask(seen.points[written][:1])
    assert again.points == pytest.approx(problem.ask(again.points).points, abs=1e-4)


def test_latents_and_the_cube() -> None:
    latents = np.array([[0.0, -6.0, 3.0, 7.0]])
    assert to_cube(latents).tolist() == [[0.5, 0.0, 0.75, 1.0]]
    assert to_latents(to_cube(latents)).tolist() == [[0.0, -6.0, 3.0, 6.0]]


def test_a_model_that_writes_no_molecule_again_is_told(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "held_out_smiles", lambda: ["c1ccccc1C(=O)NC1CC1", "CCOC(=O)c1ccncc1"])
    with pytest.raises(ValueError, match="found no held-out molecule that the model writes again; take a model that"):
        Latents(load(model)).of_some_molecule(0)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case of one round, which is cut short."""
    small = replace(CASES["hartmann"], calls=8, start=5, batch=4)
    monkeypatch.setattr(benchmark, "CASES", {"hartmann": small})
    monkeypatch.setattr(benchmark, "POINTS", 8)


@pytest.mark.parametrize("arm", ARMS)
def test_every_call_counts_and_none_more(arm: str, toy: None) -> None:
    result = search("hartmann", arm, 0, MODEL)
    assert result["calls"] == len(result["curve"]) == 8
    assert result["curve"] == sorted(result["curve"], reverse=True)
    assert result["curve"][-1] == result["regret"] > 0
    start = CASES["hartmann"].make(0, MODEL).ask(evenly(5, 6, 0)).values
    assert result["curve"][4] == pytest.approx(3.32237 - start.max()), "all arms begin with the same points"
    again = search("hartmann", arm, 0, MODEL)
    assert again["curve"] == result["curve"]


def test_bars_compare_medians() -> None:
    medians = zip(ARMS, (0.2, 0.2, 0.1, 1.1), strict=True)
    arms = {name: {"median": value, "regret": [value] * 5} for name, value in medians}
    assert [(bar["limit"], bar["holds"]) for bar in judge("levy", arms)] == [
        (0.2, True),
        (0.1, False),
        (pytest.approx(0.22), True),
    ]
    assert judge("levy", {"random": {"median": 1.0}}) == []
    few = {name: {**arm, "regret": [0.2] * 4} for name, arm in arms.items()}
    assert [bar["holds"] for bar in judge("levy", few)] == [None] * 3, "four seeds say nothing yet"


def test_another_code_of_ours_does_not_undo_what_peers_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {arm: make_trial("levy", arm, 0, MODEL).key for arm in ARMS}
    monkeypatch.setattr(benchmark, "code_digest", lambda: code_digest() + "changed")
    after = {arm: make_trial("levy", arm, 0, MODEL).key for arm in ARMS}
    assert {arm for arm in ARMS if after[arm] != keys[arm]} == {OURS}


def test_a_small_run_and_its_report(toy: None, tmp_path: Path) -> None:
    results = run(Options(seeds=2, arms=("random",), work=tmp_path), lambda line: None)
    entry = results["cases"]["hartmann"]["arms"]["random"]
    assert (results["seeds"], entry["calls"], len(entry["regret"])) == ([0, 1], [8, 8], 2)
    assert entry["median"] == pytest.approx(np.mean(entry["regret"]))
    assert (entry["of"]["calls"], entry["of"]["batch"], len(entry["of"]["code"])) == (8, 4, 12)
    recorded = {key: value for key, value in results.items() if key != "seeds"}  # which a record has elsewhere
    arms = results["cases"]["hartmann"]["arms"]
    arms |= {OURS: {**entry, "median": 0.5, "regret": [0.5] * 5}, "random": {**entry, "median": 2.0}}
    page = report(recorded)
    assert "in the median of the seeds" in page
    assert "Not measured yet" not in page
    assert "**hartmann**: Hartmann's function in 6 dimensions; 8 calls, 4 a round." in page
    assert "| hartmann: median regret at most 0.2 of random's | 0.5 | 0.4 | **no** |" in page


def test_a_case_that_is_measured_by_itself_leaves_the_others() -> None:
    def record(case: str, seeds: int = 5, **arms: float) -> dict[str, Any]:
        of = {"seeds": list(range(seeds)), "model": None}
        entries = {
            name: {"of": of, "median": value, "regret": [value] * seeds, "seconds": 1.0} for name, value in arms.items()
        }
        return {"cases": {case: {"what": "w", "calls": 8, "batch": 4, "arms": entries}}, "arms": {}, "bars": []}

    both = benchmark.merge(record("levy", ours=0.1), record("ackley", ours=0.2, random=2.0))
    assert list(both["cases"]) == ["ackley", "levy"]
    joined = benchmark.merge(both, record("levy", random=0.4))
    assert [(bar["bar"][:6], bar["holds"]) for bar in joined["bars"]] == [("ackley", True), ("levy: ", False)]
    assert list(joined["arms"]) == ["ours", "random"]
    assert "Not measured yet, of the cases: hartmann, planted." in report(joined)
    assert benchmark.merge(joined, record("levy", seeds=1, ours=0.0))["cases"] == joined["cases"], "of fewer seeds"
    more = benchmark.merge(joined, record("levy", seeds=6, ours=0.0))
    assert [bar["bar"][:6] for bar in more["bars"]] == ["ackley"], "arms of other seeds are not set side by side"
    assert set(more["cases"]["levy"]["arms"]) == {"ours", "random"}


def test_an_unknown_case_is_told() -> None:
    with pytest.raises(InputError, match="no task 'nope'; give some of ackley, levy, hartmann, planted"):
        run(Options(tasks=("nope",)), lambda line: None)


@pytest.mark.parametrize("name", ["calls", "batch", "code"])
def test_what_is_of_another_problem_is_not_set_beside_what_is_run_now(name: str) -> None:
    def record(arm: str, **of: Any) -> dict[str, Any]:
        entry = {"of": {"seeds": [0], "model": None, "calls": 8, "batch": 4, "code": "c", **of}, "median": 0.1,
                 "regret": [0.1], "seconds": 1.0}  # fmt: skip
        return {"cases": {"levy": {"what": "w", "calls": 8, "batch": 4, "arms": {arm: entry}}}, "arms": {}, "bars": []}

    now = record("ours")
    assert list(benchmark.merge(record("turbo"), now)["cases"]["levy"]["arms"]) == ["ours", "turbo"]
    assert list(benchmark.merge(record("turbo", **{name: "other"}), now)["cases"]["levy"]["arms"]) == ["ours"]
