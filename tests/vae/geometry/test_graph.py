"""Graphs: how much too long a grid's paths are, in any dimension; ends off the nodes; parts that nothing joins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import dijkstra

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.graph import graph_distances, grid_graph, points_graph, shortest_paths, stencil
from tests.vae.geometry.known import euclidean, half_plane, half_plane_distance, rng, uniform

WIDEST = {8: math.pi / 4, 16: math.atan(1 / 2), 32: math.atan(1 / 3)}
"""Neighbours -> the widest angle between two directions of the stencil."""


@pytest.mark.parametrize(("neighbours", "widest"), WIDEST.items())
@pytest.mark.parametrize("side", [13, 25, 49])
def test_a_grids_paths_are_too_long_however_fine_it_is(neighbours: int, widest: float, side: int) -> None:
    """By up to 1 / cos(half the widest angle between two directions): 8.24, 2.75 and 1.31 %."""
    graph = grid_graph(euclidean, [0, 0], [1, 1], [side, side], neighbours=neighbours)
    result, wanted = dijkstra(graph.edges, indices=0)[1:], graph.points[1:].norm(dim=1).numpy()
    bound = 1 / math.cos(widest / 2)
    assert result.min() > 0
    assert np.all(result / wanted < bound + 1e-6)
    assert (result / wanted).max() > 1 + 0.98 * (bound - 1)


def test_stencils() -> None:
    assert [2 * len(stencil(2, n)) for n in (1, 8, 9, 16, 17, 32)] == [8, 8, 16, 16, 32, 32]
    assert 2 * len(stencil(3)) == 98
    assert stencil(1) == [(1,)]
    directions = np.array(stencil(3), dtype=float)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    apart = np.abs(directions @ directions.T) - np.eye(len(directions))
    assert apart.max() < 1 - 1e-9  # no two of one direction, nor of opposite ones


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_paths_in_any_dimension_between_points_off_the_grid(dimension: int) -> None:
    graph = grid_graph(euclidean, [0] * dimension, [1] * dimension, [7] * dimension, like=torch.zeros(1).double())
    start, end = uniform(20, [0.0] * dimension, [1.0] * dimension), uniform(20, [0.0] * dimension, [1.0] * dimension, 1)
    paths, wanted = shortest_paths(graph, start, end), (start - end).norm(dim=1)
    assert bool(((paths.lengths > wanted - 1e-9) & (paths.lengths < 1.1 * wanted + 1e-9)).all())
    for path, first, last, length in zip(paths.points, start, end, paths.lengths, strict=True):
        torch.testing.assert_close(path[[0, -1]], torch.stack([first, last]))
        torch.testing.assert_close(path.diff(dim=0).norm(dim=1).sum(), length)


def test_edges_weigh_their_length_under_the_metric() -> None:
    graph = grid_graph(half_plane, [0, 1], [0.001, 2], [2, 2], like=torch.zeros(1).double())
    up = graph.edges[[0], [1]]
    assert float(up[0]) == pytest.approx(math.log(2), rel=1e-4)  # four nodes; one, at the middle, gives 2 / 3
    assert abs(graph.edges - graph.edges.T).max() == 0


def test_points_with_a_radius_or_with_their_nearest() -> None:
    points = uniform(400, [-1, 0.5], [1, 2], seed=3)
    start, end = uniform(10, [-0.9, 0.6], [0.9, 1.9]), uniform(10, [-0.9, 0.6], [0.9, 1.9], seed=1)
    wanted = half_plane_distance(start, end)
    for graph in (points_graph(half_plane, points), points_graph(half_plane, points, radius=0.3)):
        result = shortest_paths(graph, start, end).lengths
        assert bool(((result > 0.995 * wanted) & (result < 1.06 * wanted)).all())
        assert np.diff(graph.edges.indptr).min() >= 5
    apart = torch.cdist(points, points).numpy()
    within = points_graph(half_plane, points, radius=0.3).edges.toarray() > 0
    np.testing.assert_array_equal(within, (apart <= 0.3) & ~np.eye(400, dtype=bool))
    nearest = points_graph(half_plane, points, neighbours=5).edges.toarray() > 0
    rank = apart.argsort(1).argsort(1)
    np.testing.assert_array_equal(nearest, ((rank <= 5) | (rank.T <= 5)) & ~np.eye(400, dtype=bool))


def test_all_distances_at_once_are_those_of_the_paths() -> None:
    points = uniform(200, [-1, 0.5], [1, 2], seed=3)
    start, end = points[:3] + 0.01, points[5:9]
    graph = points_graph(half_plane, points)
    table = graph_distances(graph, start, end)
    assert table.shape == (3, 4)
    # Nodes that are joined for one pair can be a step of another's path where all are joined at once.
    torch.testing.assert_close(table[1, 2], shortest_paths(graph, start[1:2], end[2:3]).lengths[0], rtol=1e-2, atol=0)


def test_coincident_points_are_joined() -> None:
    points = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    assert points_graph(euclidean, points, neighbours=2).edges.nnz == 6
    assert float(shortest_paths(points_graph(euclidean, points), points[:1], points[1:2]).lengths) < 1e-30


def test_parts_that_nothing_joins_are_an_error() -> None:
    two = torch.cat([uniform(60, [0, 1], [1, 2]), uniform(40, [9, 1], [10, 2])])
    graph = points_graph(half_plane, two, neighbours=8)
    with pytest.raises(
        VAEError, match=r"no path joins 1 of 2 pairs: the graph is in 2 parts, of 60, 40 nodes; give it"
    ):
        shortest_paths(graph, two[[0, 0]], two[[1, 70]], neighbours=8)
    with pytest.raises(VAEError, match="no path joins 2 of 4 pairs"):
        graph_distances(graph, two[[0, 70]], two[[1, 71]], neighbours=8)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(VAEError, match=r"low \[0, 0\], high \[1\] and shape \[5, 5\] span no box"):
        grid_graph(euclidean, [0, 0], [1], [5, 5])
    with pytest.raises(ShapeError, match=r"points has shape \(1, 2\), expected \(at least 2, latent\)"):
        points_graph(euclidean, torch.zeros(1, 2))
    with pytest.raises(VAEError, match=r"edges have no finite length; keep to where the metric is finite"):
        grid_graph(lambda z, t: euclidean(z, t) / 0, [0, 0], [1, 1], [3, 3])
    graph = grid_graph(euclidean, [0, 0], [1, 1], [5, 5])
    with pytest.raises(ShapeError, match=r"end has shape \(1, 3\), expected \(pairs, 2\) as start"):
        shortest_paths(graph, torch.zeros(1, 2), torch.zeros(1, 3))


def test_a_graph_draws_nothing() -> None:
    points = torch.randn(50, 2, generator=rng())
    first, second = (points_graph(euclidean, points).edges for _ in range(2))
    assert (first != second).nnz == 0
