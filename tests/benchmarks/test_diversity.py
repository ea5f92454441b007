"""The benchmark of what unlike molecules cost: its arms, what it measures of them, and the price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from designloop.benchmarks import Options
from designloop.benchmarks.common.arms import overrides_of
from designloop.benchmarks.diversity import ARMS, TASKS, and_describe, merge, report
from designloop.benchmarks.pmo.outcome import how_unlike
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.loop.campaign.campaign import load_campaign


def test_arms_differ_in_diversity_alone(model: str, tmp_path: Path) -> None:
    file, common = write_campaign(TASKS[0], tmp_path), overrides_of(Options(model=model))
    campaigns = [load_campaign(file, {**common, **arm.overrides}) for arm in ARMS]
    assert len({str(campaign.diversity) for campaign in campaigns}) == len(ARMS)
    assert len({str(campaign.strategy) for campaign in campaigns}) == 1
    assert campaigns[0].diversity == type(campaigns[0].diversity)()
    assert not any(campaign.warnings for campaign in campaigns), "none of them does nothing"
    trials = [arm.trial(TASKS[0], 0, 600, file, common) for arm in ARMS]
    assert len({trial.key.rpartition("-")[2] for trial in trials}) == len(ARMS)


def test_what_is_described_is_the_best_hundred(tmp_path: Path) -> None:
    paid = [("C" * n, 0.5 + n / 1000) for n in range(1, 103)]
    described = and_describe(lambda folder: {"paid": paid}, tmp_path)["further"]
    assert described == how_unlike(["C" * n for n in range(102, 2, -1)])
    assert described != how_unlike(["C" * n for n in range(102, 0, -1)])
    alike = and_describe(lambda folder: {"paid": [("CCO", 0.4), ("CCO", 0.3)]}, tmp_path)["further"]
    assert (alike["diversity"], alike["clusters"]) == (0.0, 1.0)


def test_the_price_is_of_pairs() -> None:
    def entry(area: float, distance: float) -> dict[str, Any]:
        return {"auc_top10": area, "top10": area, "diversity": distance, "clusters": 4.0, "sa": 3.0}

    tasks = {
        task: {
            "nothing": {"0": entry(0.5, 0.4), "1": entry(0.6, 0.4)},
            "penalty_2": {"0": entry(0.44, 0.6), "1": entry(0.56, 0.7)},
        }
        for task in TASKS
    }
    record = {"seeds": [0, 1], "of": {"calls": 600, "code": "c", "model": "m"}, "arms": {}, "searches": {}}
    page = report(merge({**record, "tasks": {}}, {**record, "tasks": tasks}))
    assert "| penalty_2 | `penalty: 2` | 0.500 ± 0.035 | 0.500 ± 0.035 | 0.650 ± 0.029 |" in page
    assert "| +0.050 ± 0.006 |" in page
    assert "| per_scaffold | `per_scaffold: 5`" in page
