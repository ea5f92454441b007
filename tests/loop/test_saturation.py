"""A campaign whose ten best cannot become better says so, once, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop import api
from designloop.loop.saturation import SameScores, Saturation, is_saturated
from designloop.loop.scoring.objective import Objective
from designloop.records import Candidate, Evaluation, Scored
from tests.campaigns import write_campaign
from tests.commands import succeeds

OBJECTIVE = Objective.model_validate(
    {
        "properties": [
            {"name": name, "oracle": "qed", "weight": weight, "transform": {"type": "linear", "low": 0.0, "high": 1.0}}
            for name, weight in (("potency", 1.0), ("looks", 0.0), ("stability", 2.0))
        ]
    }
)
GOOD = {"mean_top_10": 0.9996}


@pytest.mark.parametrize(
    ("metrics", "saturated"),
    [({}, False), ({"mean_top_10": 0.999}, False), (GOOD, True), ({"mean_top_10": 1.0, "mean_of": 3.0}, False)],
)
def test_ten_molecules_at_a_printed_1_are_saturation(metrics: dict[str, float], saturated: bool) -> None:
    assert is_saturated(metrics) == saturated


def test_a_front_is_saturated_by_its_volume_and_not_by_its_scores() -> None:
    goals = {**OBJECTIVE.model_dump(), "aggregate": "pareto", "reference_point": {"potency": 0.5}}
    for item in goals["properties"]:
        item["weight"] = min(item["weight"], 1.0)
    saturation = Saturation(Objective.model_validate(goals), ())
    assert saturation.after({**GOOD, "hypervolume": 0.49}, 10) is None
    line = saturation.after({"hypervolume": 0.4999, "mean_top_10": 0.8}, 10)
    assert line is not None
    assert line.startswith("the hypervolume of the front is 0.500 of 0.500 with 10 calls left")


def test_it_is_said_once_with_what_is_left_and_the_properties_that_count() -> None:
    saturation = Saturation(OBJECTIVE, ())
    assert saturation.after({"mean_top_10": 0.9}, 300) is None
    line = saturation.after(GOOD, 173)
    assert line is not None
    assert "1.000 with 173 calls left" in line
    assert "transforms of potency, stability (" in line
    assert saturation.after({"mean_top_10": 1.0}, 100) is None


def test_it_is_not_said_when_nothing_is_left() -> None:
    assert Saturation(OBJECTIVE, ()).after(GOOD, 0) is None


def scored(*scores: float | None) -> list[Scored]:
    return [Scored(Evaluation(Candidate("C", "prior"), {}), {}, score) for score in scores]


def test_equal_scores_are_told_once() -> None:
    same = SameScores(OBJECTIVE, [0.0] * 12 + [None], ())
    assert same.after(scored(0.0, None), 40) is None, "13 say little"
    line = same.after(scored(*[0.0] * 7), 33)
    assert line is not None
    assert line.startswith(
        "all 20 molecules scored so far have the score 0.000: there is nothing to search by yet, with 33"
    )
    assert same.after(scored(0.0), 32) is None


@pytest.mark.parametrize(
    ("before", "now", "left"), [([0.0] * 30, 0.1, 9), ([0.1] * 19, 0.2, 9), ([1.0] * 30, 1.0, 9), ([0.2] * 19, 0.2, 0)]
)
def test_scores_that_differ_are_at_the_top_or_are_the_last_are_not_told(
    before: list[float], now: float, left: int
) -> None:
    assert SameScores(OBJECTIVE, before, ()).after(scored(now), left) is None


def test_equal_means_of_what_is_traded_off_are_not_told() -> None:
    goals = {**OBJECTIVE.model_dump(), "aggregate": "pareto"}
    for item in goals["properties"]:
        item["weight"] = 1.0
    objective = Objective.model_validate(goals)

    def row(*values: float | None) -> Scored:
        names = [item.name for item in objective.properties]
        return Scored(Evaluation(Candidate("C", "prior"), {}), dict(zip(names, values, strict=True)), 0.5)

    assert SameScores(objective, [0.5] * 30, ()).after([row(0.5, 0.5, 0.5)], 9) is None
    flat = SameScores(objective, [0.5] * 19, ())
    line = flat.after([row(0.9, 0.0, 0.6)], 9)
    assert line is not None
    assert line.startswith("none of the 20 molecules scored so far is above the reference point (potency 0, looks 0, ")
    assert "there is nothing to search by yet, with 9 calls left" in line
    assert flat.after([row(0.9, 0.0, 0.6)], 8) is None, "once"


def test_run_says_that_all_scores_are_equal_once_also_when_resumed_and_status_keeps_it(
    tmp_path: Path, tiny_model: Path
) -> None:
    hopeless = {"objective.properties.0.transform": {"type": "linear", "low": 5, "high": 9}, "budget.oracle_calls": 20}
    assert "nothing to search by" not in succeeds("run", write_campaign(tmp_path, tiny_model, hopeless)), (
        "nothing is left"
    )
    path = write_campaign(tmp_path, tiny_model, {**hopeless, "budget.oracle_calls": 60})
    assert succeeds("run", path).count("have the score 0.000: there is nothing to search by yet") == 1
    path = write_campaign(tmp_path, tiny_model, {**hopeless, "budget.oracle_calls": 80})
    assert "nothing to search by" not in succeeds("run", path)
    assert sum("nothing to search by" in remark for remark in api.status(path).remarks) == 1


def test_run_says_it_once_also_when_resumed_and_status_keeps_it(tmp_path: Path, tiny_model: Path) -> None:
    easy = {"objective.properties.0.transform": {"type": "linear", "low": 0.0, "high": 0.1}, "budget.oracle_calls": 45}
    printed = succeeds("run", write_campaign(tmp_path, tiny_model, easy))
    assert printed.count("no longer tells molecules apart") == 1
    assert "1.000 with 25 calls left" in printed
    path = write_campaign(tmp_path, tiny_model, {**easy, "budget.oracle_calls": 85})
    assert "no longer tells" not in succeeds("run", path)
    assert sum("no longer tells" in remark for remark in api.status(path).remarks) == 1
    assert api.status(path).calls == 85
