"""Roadmaps over charts that are known exactly: costs, collisions, ends, and what shortcutting may and may not do."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from designloop.vae import VAE, Categorical, Gaussian, MLPDecoder, MLPEncoder, StandardNormal
from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.planning import (
    STEP,
    Array,
    Chart,
    Cost,
    Roadmap,
    angle_chart,
    cosines_and_sines,
    extend_roadmap,
    grow_roadmap,
    plan,
    roadmap,
    shortcut,
    straight_motions,
)
from designloop.vae.simulators.arm import motion

LATENTS = torch.from_numpy(np.random.default_rng(0).uniform(-0.55, 0.55, (900, 2)))
START, END = np.array([[-0.9, 0.0], [-0.8, 0.3]]), np.array([[0.9, 0.05], [0.9, -0.4]])


def doubled() -> Chart:
    """Configurations are twice the latents; the metric is Euclidean in configurations."""

    def metric(z: Tensor, tangents: Tensor) -> Tensor:
        return 4 * tangents @ tangents.transpose(-1, -2)

    return Chart(lambda q: torch.from_numpy(q / 2), lambda z: 2 * z.numpy(), metric)


def nothing(q: Array) -> Array:
    return np.zeros(len(q))


def disc(radius: float) -> Cost:
    """In collision within a radius of the origin."""
    return lambda q: np.where(np.linalg.norm(q, axis=1) > radius, 0.0, np.inf)


def lengths(paths: list[Array]) -> Array:
    return np.array([np.linalg.norm(np.diff(path, axis=0), axis=1).sum() for path in paths])


def all_found(road: Roadmap, start: Array = START, end: Array = END) -> list[Array]:
    result = plan(road, start, end)
    kept = [path for path in result if path is not None]
    assert len(kept) == len(result)
    return kept


def round_the_disc(start: Array, end: Array, radius: float) -> Array:
    """Shortest ways round a disc about the origin: two tangents and the arc between."""
    far, away = np.linalg.norm(start, axis=1), np.linalg.norm(end, axis=1)
    between = np.arccos((start * end).sum(1) / (far * away))
    arc = between - np.arccos(radius / far) - np.arccos(radius / away)
    assert (arc > 0).all()
    ways: Array = np.sqrt(far**2 - radius**2) + np.sqrt(away**2 - radius**2) + radius * arc
    return ways


def test_ways_round_a_disc_are_free_and_nearly_the_shortest() -> None:
    cost = disc(0.4)
    raw = all_found(roadmap(doubled(), LATENTS, cost))
    short = shortcut(raw, cost, np.random.default_rng(1), rounds=200)
    shortest = round_the_disc(START, END, 0.4)
    for path, begin, goal in zip(short, START, END, strict=True):
        np.testing.assert_array_equal(path[[0, -1]], [begin, goal])
        # Two steps in the plane leave a chord at most STEP² / 4 R inside a disc.
        assert np.linalg.norm(motion(path, 0.001), axis=1).min() > 0.4 - 1e-3
    assert ((lengths(short) > shortest - 1e-3) & (lengths(short) < 1.03 * shortest)).all()
    assert (lengths(raw) < 1.15 * shortest).all()
    assert (lengths(short) <= lengths(raw)).all()


def test_weights_are_metric_lengths_times_one_and_the_mean_cost() -> None:
    plain, dear = roadmap(doubled(), LATENTS, nothing), roadmap(doubled(), LATENTS, lambda q: 3 * (q[:, 0] + 1.1))
    head, tail = plain.edges.nonzero()
    apart = np.linalg.norm(plain.configurations[head] - plain.configurations[tail], axis=1)
    np.testing.assert_allclose(plain.edges[head, tail], apart, rtol=1e-6)
    # A cost that is linear has the mean of its ends.
    middle = (plain.configurations[head, 0] + plain.configurations[tail, 0]) / 2
    np.testing.assert_allclose(dear.edges[head, tail], apart * (1 + 3 * (middle + 1.1)), rtol=1e-6)


def test_a_plan_weighs_what_an_independent_search_finds() -> None:
    """With as many neighbours as nodes every node is a candidate for either end: the plan is the graph's optimum."""
    latents = LATENTS[:60]
    road = roadmap(doubled(), latents, disc(0.2), neighbours=6)
    result = plan(road, START, END, neighbours=len(road.configurations))
    nodes = road.configurations

    def free(begin: Array, goal: Array) -> bool:
        return bool((np.linalg.norm(motion(np.stack([begin, goal])), axis=1) > 0.2).all())

    between = dijkstra(road.edges)
    for path, start, end in zip(result, START, END, strict=True):
        first = [np.linalg.norm(start - node) if free(start, node) else np.inf for node in nodes]
        last = [np.linalg.norm(end - node) if free(end, node) else np.inf for node in nodes]
        wanted = (np.array(first)[:, None] + between + np.array(last)).min()
        assert path is not None
        assert lengths([path])[0] == pytest.approx(wanted, rel=1e-6)


def test_a_pair_is_planned_alone_as_among_others() -> None:
    road = roadmap(doubled(), LATENTS, disc(0.3))
    both = all_found(road)
    for i, path in enumerate(both):
        np.testing.assert_array_equal(all_found(road, START[i : i + 1], END[i : i + 1])[0], path)


def test_a_soft_cost_keeps_the_way_off_what_is_dear() -> None:
    def dear(q: Array) -> Array:
        return np.where(np.abs(q[:, 1]) < 0.25, 20.0, 0.0)

    off = [
        np.abs(motion(all_found(roadmap(doubled(), LATENTS, cost), START[:1], END[:1])[0])[:, 1]) > 0.25
        for cost in (nothing, dear)
    ]
    assert off[0].mean() < 0.1
    assert off[1].mean() > 0.6


def test_a_wall_parts_the_roadmap_and_no_step_jumps_it() -> None:
    """A wall as thin as a step is not missed, since an edge is asked about at least every step."""
    thin = roadmap(doubled(), LATENTS, lambda q: np.where(np.abs(q[:, 0]) <= 0.5001 * STEP, np.inf, 0.0))
    assert plan(thin, START, END) == [None, None]
    head, tail = thin.edges.nonzero()
    assert (thin.configurations[head, 0] * thin.configurations[tail, 0] > 0).all()
    back = plan(thin, START, START[::-1].copy())
    assert all(path is not None for path in back)


def test_the_cost_is_asked_at_every_step_of_what_is_planned() -> None:
    asked: list[Array] = []

    def seen(q: Array) -> Array:
        asked.append(q)
        return np.zeros(len(q))

    shortcut([np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 0.0]])], seen, np.random.default_rng(2), rounds=20)
    assert len(asked) > 5
    pieces = [piece for piece in asked if len(piece) > 1]
    assert all(np.abs(np.diff(piece, axis=0)).max() <= STEP + 1e-12 for piece in pieces)


def rooms(q: Array) -> Array:
    """Two rooms with a door, a tenth as wide as nodes of ``FEW`` are apart, in the wall between them."""
    wall, door = np.abs(q[:, 0]) < 0.05, np.abs(q[:, 1] - 0.6) < 0.008
    return np.where(wall & ~door, np.inf, 0.0)


def nook(q: Array) -> Array:
    """A slot in a block leads, by a corner, to the first of ``START``."""
    block = (q[:, 0] < -0.55) & (np.abs(q[:, 1]) < 0.25)
    along = (q[:, 0] > -0.95) & (q[:, 0] < -0.7) & (np.abs(q[:, 1]) < 0.02)
    out = (np.abs(q[:, 0] + 0.72) < 0.02) & (q[:, 1] > -0.02)
    return np.where(block & ~along & ~out, np.inf, 0.0)


FEW = LATENTS[:200]


@pytest.mark.parametrize("cost", [rooms, nook])
def test_a_roadmap_grows_through_passages_that_its_nodes_missed(cost: Cost) -> None:
    road = roadmap(doubled(), FEW, cost)
    start, end = START[:1], END[:1]
    assert plan(road, start, end) == [None]
    more = grow_roadmap(road, start, end, np.random.default_rng(0))
    (path,) = all_found(more, start, end)
    np.testing.assert_array_equal(path[[0, -1]], [start[0], end[0]])
    assert np.isfinite(cost(motion(path))).all()


def test_what_grows_keeps_nodes_and_edges() -> None:
    road = roadmap(doubled(), FEW, rooms)
    more = grow_roadmap(road, START, END, np.random.default_rng(0))
    n = len(road.latents)
    assert len(more.latents) > n
    torch.testing.assert_close(more.latents[:n], road.latents, rtol=0, atol=0)
    np.testing.assert_array_equal(more.edges[:n, :n].toarray(), road.edges.toarray())
    assert (more.edges != more.edges.T).nnz == 0
    assert np.isfinite(rooms(more.configurations)).all()


def test_nodes_are_joined_to_their_nearest_or_blocked() -> None:
    """Of every node that came later, by brute force, whatever came before it."""
    k = 5
    road = extend_roadmap(roadmap(doubled(), FEW[:100], rooms, neighbours=k), FEW[100:])
    q = road.configurations
    apart = np.linalg.norm(q[:, None] - q, axis=-1)
    first = int(np.isfinite(rooms(2 * FEW[:100].numpy())).sum())
    wanted = {tuple(sorted((i, int(j)))) for i in range(first, len(q)) for j in np.argsort(apart[i])[1 : k + 1]}
    result = zip(*[np.concatenate(both) for both in zip(road.edges.nonzero(), road.blocked, strict=True)], strict=True)
    assert {tuple(sorted(map(int, pair))) for pair in result if max(pair) >= first} == wanted
    for head, tail in road.blocked.T:
        assert np.isinf(rooms(motion(q[[head, tail]]))).any()


def test_latents_are_drawn_where_parts_meet() -> None:
    """Without a door they gather about the wall, and nothing is found."""

    def wall(q: Array) -> Array:
        return np.where(np.abs(q[:, 0]) < 0.05, np.inf, 0.0)

    road = roadmap(doubled(), FEW, wall)
    more = grow_roadmap(road, START, END, np.random.default_rng(0), latents=100, rounds=2)
    new = more.configurations[len(road.configurations) :]
    assert 50 < len(new) <= 200
    assert np.median(np.abs(new[:, 0])) < 0.15
    assert plan(more, START, END) == [None, None]


def test_a_roadmap_that_has_what_is_asked_does_not_grow() -> None:
    rng = np.random.default_rng(0)
    parted = roadmap(doubled(), FEW, rooms)
    assert grow_roadmap(parted, START, START[::-1].copy(), rng) is parted
    # Nor for an end in the wall, which no motion can have.
    assert grow_roadmap(parted, START[:1], np.zeros((1, 2)), rng) is parted
    assert plan(parted, START[:1], np.zeros((1, 2))) == [None]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10_000))
def test_shortcutting_keeps_ends_and_never_lengthens(corners: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = rng.uniform(-1, 1, (corners, 3))
    (result,) = shortcut([path], lambda q: np.where(q[:, 0] > 0.5, np.inf, 0.0), rng, rounds=10)
    np.testing.assert_array_equal(result[[0, -1]], path[[0, -1]])
    assert lengths([result])[0] <= lengths([path])[0] + 1e-12


def test_straight_motions_decode_the_line_between_the_latents() -> None:
    def bent(z: Tensor) -> Array:
        return np.stack([z[:, 0].numpy(), z[:, 0].numpy() ** 2], -1)

    chart = Chart(lambda q: torch.from_numpy(q[:, :1].copy()), bent, doubled().metric)
    (result,) = straight_motions(chart, np.array([[-1.0, 1.5]]), np.array([[1.0, 1.0]]), inner=3)
    wanted = np.array([[-1, 1.5], [-1, 1], [-0.5, 0.25], [0, 0], [0.5, 0.25], [1, 1], [1, 1]])
    np.testing.assert_allclose(result, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_angle_chart_turns_angles_to_latents_and_back(dtype: torch.dtype) -> None:
    """A linear pair of encoder and decoder, inverses of each other, whatever the radius of what is decoded."""
    encoder, decoder = MLPEncoder(4, 4), MLPDecoder(4, 4)
    vae = VAE(encoder, decoder, Gaussian(4), StandardNormal(4)).to(dtype)
    layers: list[tuple[Any, Tensor]] = [(encoder.net[0], torch.eye(8, 4)), (decoder.net[0], 3 * torch.eye(4))]
    with torch.no_grad():
        for layer, weight in layers:
            layer.weight.copy_(weight)
            layer.bias.zero_()
    chart = angle_chart(vae, doubled().metric)
    q = np.array(list(itertools.product([-3.1, -1.0, 0.0, 2.0], repeat=2)))
    z = chart.encode(q)
    assert z.dtype == dtype
    assert not z.requires_grad
    np.testing.assert_allclose(z.double().numpy(), cosines_and_sines(q), atol=1e-6)
    np.testing.assert_allclose(chart.decode(z), q, atol=1e-6)


def test_what_cannot_be_planned_is_told() -> None:
    road = roadmap(doubled(), LATENTS, nothing)
    with pytest.raises(ShapeError, match=r"end has shape \(1, 2\), expected \(pairs, 2\) as start"):
        plan(road, START, END[:1])
    with pytest.raises(ShapeError, match=r"end has shape \(1, 2\), expected \(pairs, 2\) as start"):
        grow_roadmap(road, START, END[:1], np.random.default_rng(0))
    with pytest.raises(ShapeError, match="latents has shape"):
        roadmap(doubled(), LATENTS[0], nothing)
    with pytest.raises(VAEError, match="0 of 900 latents are free"):
        roadmap(doubled(), LATENTS, disc(5.0))
    with pytest.raises(VAEError, match="NaN or negative"):
        roadmap(doubled(), LATENTS, lambda q: -np.ones(len(q)))
    with pytest.raises(ShapeError, match="one number a configuration"):
        roadmap(doubled(), LATENTS, lambda q: np.zeros((len(q), 1)))
    nameless = VAE(MLPEncoder(4, 2), MLPDecoder(2, 4), Categorical(2), StandardNormal(2))
    with pytest.raises(CapabilityError, match="Categorical offers no mean; draw from it by sample"):
        angle_chart(nameless, doubled().metric)
