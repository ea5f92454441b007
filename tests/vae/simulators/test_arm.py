"""The arm against complex numbers, its clearances against dense points, its planner by what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.transform import Rotation

from designloop.vae.simulators import arm as module
from designloop.vae.simulators.arm import (
    STEP,
    Arm,
    Array,
    Scene,
    clearance,
    collision_free,
    motion,
    problems,
    sampling_plan,
    sampling_roadmap,
    scene,
    shortcut,
    task_length,
)

EMPTY = Scene(np.zeros((0, 3)), np.zeros((0, 4)))


def along_links(arm: Arm, q: Array, points: int) -> Array:
    """(n, points · joints, 2) points of the links, by complex numbers."""
    turned = np.exp(1j * np.cumsum(q, 1)) * arm.lengths
    ends = np.concatenate([np.zeros((len(q), 1)), np.cumsum(turned, 1)], 1)
    t = np.linspace(0, 1, points)
    on = ends[:, :-1, None] + t * turned[:, :, None]
    return np.stack([on.real, on.imag], -1).reshape(len(q), -1, 2)


def test_positions_are_those_of_composed_rotations() -> None:
    arm, rng = Arm((1.0, 0.5, 0.3, 0.2), (3.0,) * 4), np.random.default_rng(0)
    q = arm.sample(20, rng)
    for configuration, positions in zip(q, arm.positions(q), strict=True):
        joint, turned = np.zeros(3), Rotation.identity()
        for angle, length, place in zip(configuration, arm.lengths, positions, strict=True):
            turned = turned * Rotation.from_euler("z", angle)
            joint = joint + turned.apply([length, 0, 0])
            np.testing.assert_allclose(place, joint[:2], atol=1e-12)


def test_angles_undo_positions_and_need_no_right_lengths() -> None:
    arm = Arm()
    q = arm.sample(500, np.random.default_rng(1))
    np.testing.assert_allclose(arm.angles(arm.positions(q)), q, atol=1e-12)
    np.testing.assert_allclose(arm.angles(1.1 * arm.positions(q)), q, atol=1e-12)


def test_clearance_is_the_distance_of_dense_points() -> None:
    arm, rng = Arm(), np.random.default_rng(2)
    obstacles = scene(9, rng)
    q = arm.sample(400, rng)
    points = along_links(arm, q, 401)
    discs = np.linalg.norm(points[:, :, None] - obstacles.discs[:, :2], axis=-1) - obstacles.discs[:, 2]
    off = np.maximum(np.abs(points[:, :, None] - obstacles.boxes[:, :2]) - obstacles.boxes[:, 2:], 0)
    wanted = np.concatenate([discs, np.linalg.norm(off, axis=-1)], 2).min((1, 2)) - arm.width
    result = clearance(arm, obstacles, q)
    assert 0.2 < (result > 0).mean() < 0.9
    clear = wanted > 0.0025  # beside what the points' spacing misses
    assert (result[clear] > 0).all()
    assert (result[wanted < -1e-9] < 0).all()
    assert np.abs(result[clear] - wanted[clear]).max() < 0.002


def test_a_link_along_an_axis_through_a_box_or_beside_it() -> None:
    arm = Arm((1.0,), (2.0,), 0.1)
    q = np.array([[0.0], [np.pi / 2]])
    box = Scene(np.zeros((0, 3)), np.array([[0.5, 0.0, 0.1, 0.2]]))
    result = clearance(arm, box, q)
    assert result[0] < 0
    assert result[1] == pytest.approx(0.3)  # 0.4 from the link's axis, less half its width


def test_past_a_limit_is_in_collision() -> None:
    arm = Arm()
    q = np.array([[2.39, 0, 0], [2.41, 0, 0], [0, 0, -2.21]])
    assert np.isinf(clearance(arm, EMPTY, q)).tolist() == [True] * 3
    assert (clearance(arm, EMPTY, q) > 0).tolist() == [True, False, False]


def test_nothing_moves_further_than_the_margin_in_half_a_step() -> None:
    arm, rng = Arm(), np.random.default_rng(4)
    q = np.vstack([np.zeros(3), arm.sample(200, rng)])
    moved = q + rng.choice([-0.005, 0.005], q.shape)
    moved[0] = 0.005
    apart = np.linalg.norm(along_links(arm, q, 11) - along_links(arm, moved, 11), axis=-1)
    assert 0.99 * arm.margin() < apart[0].max() <= arm.margin()  # stretched out, all turning one way
    assert apart.max() <= arm.margin()


def test_the_difficulty_is_how_many_obstacles_there_are() -> None:
    arm = Arm()
    free = []
    for obstacles in (0, 3, 6, 12):
        rng = np.random.default_rng(3)
        scenes = [scene(obstacles, rng) for _ in range(20)]
        assert all(len(drawn.discs) + len(drawn.boxes) == obstacles for drawn in scenes)
        free.append(np.mean([clearance(arm, drawn, arm.sample(200, rng)) > 0 for drawn in scenes]))
    assert free[0] == 1
    assert (np.diff(free) < -0.05).all()


def test_motion_keeps_its_step_and_its_corners() -> None:
    path = np.array([[0.0, 0, 0], [0.5, -0.302, 0.1], [0.5, -0.302, 0.1], [0.4, 0.4, 0.4]])
    result = motion(path)
    assert np.abs(np.diff(result, axis=0)).max() <= STEP + 1e-12
    assert all((result == corner).all(1).any() for corner in path)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(result, axis=0), axis=1).sum(), np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    )


def test_the_tip_of_one_turning_link_travels_an_arc() -> None:
    assert task_length(Arm((2.0,), (3.0,)), np.array([[-0.5], [1.0]])) == pytest.approx(3.0, rel=1e-4)


@pytest.fixture(scope="module")
def small() -> module.Roadmap:
    rng = np.random.default_rng(5)
    return sampling_roadmap(Arm(), scene(5, rng), rng, samples=1000)


def test_edges_of_the_roadmap_are_free(small: module.Roadmap) -> None:
    heads, tails = small.edges.nonzero()
    assert abs(small.edges - small.edges.T).max() == 0
    for head, tail in list(zip(heads, tails, strict=True))[::40]:
        assert collision_free(small.arm, small.scene, small.nodes[[head, tail]])


def test_plans_are_free_join_what_was_asked_and_are_no_longer_than_the_roadmaps(small: module.Roadmap) -> None:
    rng = np.random.default_rng(6)
    starts, ends, paths = problems(small, 5, rng)
    for start, end, path in zip(starts, ends, paths, strict=True):
        assert not collision_free(small.arm, small.scene, np.stack([start, end]))
        assert all(collision_free(small.arm, small.scene, path, step) for step in (0.01, 0.007, 0.001))
        np.testing.assert_array_equal(path[[0, -1]], [start, end])
        raw = sampling_plan(small, start, end, rng, rounds=0)
        assert raw is not None
        assert np.linalg.norm(np.diff(path, axis=0), axis=1).sum() <= np.linalg.norm(np.diff(raw, axis=0), axis=1).sum()


def test_a_plan_between_nodes_is_at_most_the_shortest_path_of_the_graph(small: module.Roadmap) -> None:
    far = dijkstra(small.edges, indices=0)
    goal = int(np.argsort(np.where(np.isfinite(far), far, -1))[-1])
    path = sampling_plan(small, small.nodes[0], small.nodes[goal], np.random.default_rng(7), rounds=0)
    assert path is not None
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).sum() <= far[goal] + 1e-9


def test_where_nothing_is_in_the_way_shortcutting_leaves_nearly_a_line() -> None:
    rng = np.random.default_rng(8)
    path = rng.uniform(-1, 1, (8, 3))
    result = shortcut(Arm(), EMPTY, path, rng, rounds=300)
    line = np.linalg.norm(path[-1] - path[0])
    assert np.linalg.norm(np.diff(result, axis=0), axis=1).sum() < 1.02 * line
    np.testing.assert_array_equal(result[[0, -1]], path[[0, -1]])


def test_problems_that_are_not_there_are_told(small: module.Roadmap) -> None:
    free = module.Roadmap(small.arm, EMPTY, small.nodes, small.edges)
    with pytest.raises(ValueError, match="0 of 2 pairs found"):
        problems(free, 2, np.random.default_rng(9))
