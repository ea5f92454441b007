"""The rows of planning's benchmark, made once from little: what is exact at any size holds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae.methods import planning
from designloop.vae.simulators.arm import Arm, clearance, scene


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"SCENES": 1, "PAIRS": 3, "ROWS": 500, "STEPS": 60, "NODES": 150, "ROUNDS": 4, "KNOTS": 4}
    for name, value in small.items():
        monkeypatch.setattr(planning, name, value)
    lines: list[str] = []
    rows = planning.run([0], lines.append)
    assert lines == ["  seed 0, scene 0"]
    by_measure = {row.measure: row for row in rows}
    assert len(by_measure) == len(rows)
    shares = [row for measure, row in by_measure.items() if "collision" in measure or "same b" in measure]
    assert len(shares) == 3
    assert all(0 <= row.value <= 1 and row.seeds == 3 for row in shares)
    assert all(row.value >= 1 for measure, row in by_measure.items() if measure.startswith("nodes of the roadmap"))
    assert by_measure["without obstacles: metric length over the straight latent path's, greatest"].seeds == 3
    assert json.loads(json.dumps([as_json("planning", row) for row in rows]))


def test_the_cost_is_infinite_where_a_collision_may_be_missed_and_falls_to_nothing_away_from_obstacles() -> None:
    rng, arm = np.random.default_rng(0), Arm()
    obstacles = scene(planning.OBSTACLES, rng, arm)
    q = arm.sample(2000, rng)
    clear, cost = clearance(arm, obstacles, q), planning.obstacle_cost(arm, obstacles)(q)
    np.testing.assert_array_equal(np.isinf(cost), clear <= arm.margin())
    finite = np.isfinite(cost)
    np.testing.assert_allclose(cost[finite & (clear >= planning.MARGIN)], 0)
    assert (np.diff(cost[finite][np.argsort(clear[finite])]) <= 0).all()
    assert cost[finite].max() <= planning.DEAR
