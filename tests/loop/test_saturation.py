"""A campaign whose ten best cannot become better says so, once, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop import api
from designloop.loop.saturation import Saturation, is_saturated
from designloop.loop.scoring.objective import Objective
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


def test_run_says_it_once_also_when_resumed_and_status_keeps_it(tmp_path: Path, tiny_model: Path) -> None:
    easy = {"objective.properties.0.transform": {"type": "linear", "low": 0.0, "high": 0.1}, "budget.oracle_calls": 45}
    printed = succeeds("run", write_campaign(tmp_path, tiny_model, easy))
    assert printed.count("no longer tells molecules apart") == 1
    assert "1.000 with 25 calls left" in printed
    path = write_campaign(tmp_path, tiny_model, {**easy, "budget.oracle_calls": 85})
    assert "no longer tells" not in succeeds("run", path)
    assert sum("no longer tells" in remark for remark in api.status(path).remarks) == 1
    assert api.status(path).calls == 85
