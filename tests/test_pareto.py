"""Ranks against their definition, hypervolumes against counted boxes, BoTorch's and closed forms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume, infer_reference_point
from hypothesis import given
from hypothesis import strategies as st

from designloop.pareto import crowding, hypervolume, pareto_order, pareto_ranks, reference_by_rule

GRID = 6


def grids(goals: int) -> st.SearchStrategy[np.ndarray]:
    """Points with many ties and twins."""
    rows = st.lists(st.tuples(*[st.integers(0, GRID)] * goals), max_size=14)
    return rows.map(lambda drawn: np.array(drawn, dtype=float).reshape(-1, goals))


POINTS = st.integers(1, 4).flatmap(grids)


def dominates(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((first >= second).all() and (first > second).any())


@given(POINTS)
def test_a_rank_is_the_longest_chain_of_what_dominates(points: np.ndarray) -> None:
    ranks = pareto_ranks(points)
    for row, point in enumerate(points):
        better = [ranks[other] for other, against in enumerate(points) if dominates(against, point)]
        assert ranks[row] == 1 + max(better, default=0)


@given(POINTS)
def test_an_order_has_every_row_once_and_never_a_worse_rank_first(points: np.ndarray) -> None:
    order = pareto_order(points)
    assert sorted(order.tolist()) == list(range(len(points)))
    assert (np.diff(pareto_ranks(points)[order]) >= 0).all()


def test_of_one_rank_the_ends_and_the_solitary_come_first() -> None:
    front = np.array([[0.0, 1.0], [0.1, 0.9], [0.2, 0.8], [0.7, 0.3], [1.0, 0.0]])
    np.testing.assert_allclose(crowding(front), [np.inf, 0.4, 1.2, 1.6, np.inf])
    assert pareto_order(front).tolist() == [0, 4, 3, 2, 1]


@given(POINTS, st.integers(0, 2))
def test_a_hypervolume_is_the_count_of_the_cells_below_its_points(points: np.ndarray, corner: int) -> None:
    """Brute force: whole numbers, so a cell is wholly dominated or not at all."""
    goals = points.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(corner, GRID)] * goals, indexing="ij"), -1).reshape(-1, goals)
    covered = (points[:, None] >= cells + 1).all(-1).any(0).sum() if len(points) else 0
    assert hypervolume(points, [corner] * goals) == covered


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_hypervolume_of_two_goals_is_the_boxes_less_their_overlaps(n: int) -> None:
    """Brute force by inclusion and exclusion, on numbers that are not whole."""
    points, reference = np.random.default_rng(n).random((n, 2)), np.array([0.1, 0.2])
    volume = 0.0
    for size in range(1, n + 1):
        for chosen in combinations(points, size):
            volume -= (-1) ** size * float(np.prod(np.maximum(np.min(chosen, 0) - reference, 0)))
    assert hypervolume(points, reference) == pytest.approx(volume, rel=1e-12)


@pytest.mark.parametrize("goals", [2, 3, 4])
def test_a_hypervolume_is_botorchs(goals: int) -> None:
    points = np.random.default_rng(goals).random((30, goals))
    points[3] = points[4]
    reference = np.linspace(0.05, 0.2, goals)
    front = torch.tensor(points[pareto_ranks(points) == 1])
    expected = Hypervolume(torch.tensor(reference)).compute(front)
    assert hypervolume(points, reference) == pytest.approx(expected, rel=1e-12)


def test_a_front_of_one_point_loses_to_one_that_trades_off() -> None:
    """The best mean alone, .75, is below what a front of worse means covers."""
    alone = np.array([[0.75, 0.75]])
    spread = np.column_stack([np.cos(angles := np.linspace(0.05, 1.52, 12)), np.sin(angles)])
    assert spread.mean(1).max() < 0.75
    assert hypervolume(alone, (0, 0)) == pytest.approx(0.75**2)
    assert hypervolume(spread, (0, 0)) > hypervolume(alone, (0, 0)) + 0.1


def test_twins_and_what_is_dominated_or_below_the_reference_add_nothing() -> None:
    front = np.array([[0.2, 0.9], [0.8, 0.4]])
    idle = np.array([[0.8, 0.4], [0.1, 0.3], [1.0, 0.05]])
    assert hypervolume(np.vstack([front, idle]), (0.1, 0.1)) == pytest.approx(hypervolume(front, (0.1, 0.1)))
    assert hypervolume(np.zeros((0, 3)), (0, 0, 0)) == 0.0


@pytest.mark.parametrize("goals", [5, 6, 8])
def test_of_many_goals_the_volume_is_estimated_near_the_exact_one_and_never_falls(goals: int) -> None:
    points = np.random.default_rng(goals).random((12, goals)) ** 0.2
    reference = np.linspace(0.0, 0.3, goals)
    exact = Hypervolume(torch.tensor(reference)).compute(torch.tensor(points[pareto_ranks(points) == 1]))
    assert hypervolume(points, reference) == pytest.approx(exact, rel=0.02)
    volumes = [hypervolume(points[:n], reference) for n in range(13)]
    assert volumes[0] == 0.0
    assert volumes == sorted(volumes)


@pytest.mark.parametrize("goals", [5, 6, 8])
def test_an_estimate_tells_small_volumes_as_well_as_large_ones(goals: int) -> None:
    """A count of a cube's points would find none of them, and ``patience`` would end what goes on gaining."""
    points = np.random.default_rng(goals).random((12, goals)) ** 0.2
    whole = hypervolume(points, np.zeros(goals))
    for share in (0.5, 0.04, 1e-6):
        assert hypervolume(share * points, np.zeros(goals)) == pytest.approx(share**goals * whole)
    box = np.linspace(0.05, 0.6, goals)[None]
    assert hypervolume(box, np.zeros(goals)) == pytest.approx(float(np.prod(box)), rel=0.2)
    assert hypervolume(np.full((1, goals), 1.5), np.zeros(goals)) == pytest.approx(1.5**goals)


@pytest.mark.parametrize("n", [1, 2, 9])
def test_the_reference_by_rule_is_botorchs_but_never_below_the_least(n: int) -> None:
    points = 0.5 + 0.5 * np.random.default_rng(n).random((n, 3))
    front = points[pareto_ranks(points) == 1]
    expected = infer_reference_point(torch.tensor(front)).numpy()
    np.testing.assert_allclose(reference_by_rule(front, (0, 0, 0)), expected)
    np.testing.assert_allclose(reference_by_rule(front, (0.6, 0, 0.9)), np.maximum(expected, (0.6, 0, 0.9)))
    assert reference_by_rule(np.zeros((0, 2)), (0.1, 0.0)).tolist() == [0.1, 0.0]


@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1, max_size=6),
    st.floats(0.01, 1),
    st.integers(1, 3),
)
def test_a_front_is_above_its_reference_by_rule_in_every_goal(
    points: list[tuple[float, float]], same: float, twins: int
) -> None:
    """Also where all of it is alike in a goal, or is one point several times."""
    rows = np.array([(*point, same) for point in points] * twins)
    front = rows[pareto_ranks(rows) == 1]
    assert (reference_by_rule(front, (0, 0, 0)) < front.min(0)).all()
    assert hypervolume(front, reference_by_rule(front, (0, 0, 0))) > 0
