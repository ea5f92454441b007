"""Shortest paths on graphs over latent space: geodesics that no straight start can miss, in any dimension.

Nodes are a grid, or points (latents of data, say); an edge weighs the length of the straight segment between its nodes.
A path of a grid is too long however fine the grid is, since it has few directions: by up to 1 / cos(half the angle
between them), in the plane 8.2 % with 8 neighbours, 2.7 % with 16, 1.3 % with 32, and more where the metric stretches
one direction, which narrows the choice in the others. A spline that starts from the path (``geodesics_by_graph``) mends
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.curves import NODES, segment_lengths
from designloop.vae.geometry.metric import Metric

NEIGHBOURS = 32
EDGES = 65_536
"""Weighed at a time."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Points of latent space and the lengths of the straight segments between neighbours."""

    points: Tensor
    """(nodes, latent)"""
    edges: csr_array
    """(nodes, nodes) symmetric; what is not stored is no edge."""
    metric: Metric
    """What weighs the edges."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Shortest paths through a graph."""

    points: list[Tensor]
    """Of each pair (points, latent), both ends included."""
    lengths: Tensor
    """(pairs,)"""


def grid_graph(
    metric: Metric,
    low: Sequence[float],
    high: Sequence[float],
    shape: Sequence[int],
    *,
    neighbours: int = NEIGHBOURS,
    nodes: int = NODES,
    like: Tensor | None = None,
) -> Graph:
    """A grid over a box of latent space, in any dimension.

    Args:
        metric: weighs the edges.
        low, high: (latent,) corners of the box.
        shape: (latent,) points along each side.
        neighbours: at least so many a node, in as many directions; a line has two at most.
        nodes: of the quadrature of each edge.
        like: gives dtype and device; None for torch's default.

    Raises:
        VAEError: a side of one point, or corners that do not match.
    """
    if not len(low) == len(high) == len(shape) or min(shape) < 2:
        raise VAEError(
            f"low {low}, high {high} and shape {shape} span no box; give one of each a side, shape at least 2"
        )
    sides = [np.linspace(first, last, n) for first, last, n in zip(low, high, shape, strict=True)]
    index = np.arange(int(np.prod(shape))).reshape(shape)
    points = torch.from_numpy(np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, len(shape)))
    heads, tails = [], []
    for offset in stencil(len(shape), neighbours):
        if any(abs(o) >= n for o, n in zip(offset, shape, strict=True)):
            continue
        head = tuple(slice(max(-o, 0), n - max(o, 0)) for o, n in zip(offset, shape, strict=True))
        tail = tuple(slice(max(o, 0), n - max(-o, 0)) for o, n in zip(offset, shape, strict=True))
        heads.append(index[head].ravel())
        tails.append(index[tail].ravel())
    points = points.to(torch.get_default_dtype()) if like is None else points.to(like)
    return _weigh(metric, points, np.concatenate(heads), np.concatenate(tails), nodes)


def points_graph(
    metric: Metric,
    points: Tensor,
    *,
    radius: float | None = None,
    neighbours: int = NEIGHBOURS,
    nodes: int = NODES,
    first: int = 0,
) -> Graph:
    """A graph over points: each with all those within a radius, or with its nearest.

    Args:
        metric: weighs the edges.
        points: (nodes, latent), latents of data for instance.
        radius: in latent units; None joins each with its nearest.
        neighbours: how many nearest, where there is no radius.
        nodes: of the quadrature of each edge.
        first: points before this one are found by others but look for none: a graph that is there already, without
            its edges.

    Raises:
        ShapeError: fewer than two points.
    """
    if points.ndim != 2 or points.shape[0] < 2:
        raise ShapeError("points", points.shape, "(at least 2, latent)", "give the graph some nodes")
    heads, tails = _near(points[first:], points, radius, neighbours + 1)
    heads = heads + first
    low, high = np.minimum(heads, tails), np.maximum(heads, tails)
    pairs = np.unique(np.stack([low, high])[:, low != high], axis=1)
    return _weigh(metric, points.detach(), pairs[0], pairs[1], nodes)


def shortest_paths(graph: Graph, start: Tensor, end: Tensor, *, neighbours: int = NEIGHBOURS) -> Paths:
    """Shortest paths between pairs of latents, which need not be nodes.

    Args:
        graph: whose nodes the paths go through.
        start, end: (pairs, latent); each is joined to the nearest nodes.
        neighbours: how many nearest.

    Raises:
        VAEError: a pair lies in parts of the graph that no path joins.
    """
    if start.ndim != 2 or start.shape != end.shape or start.shape[1] != graph.points.shape[1]:
        raise ShapeError("end", end.shape, f"(pairs, {graph.points.shape[1]}) as start", "give one end a start")
    ends = torch.cat([start, end]).detach().to(graph.points)
    joined = _join(graph, ends, neighbours)
    before, pairs = graph.points.shape[0], start.shape[0]
    lengths, previous = dijkstra(joined.edges, indices=np.arange(pairs) + before, return_predecessors=True)
    goals = np.arange(pairs) + before + pairs
    _refuse_parted(joined, lengths[np.arange(pairs), goals], before)
    points = [joined.points[_walk(row, goal)] for row, goal in zip(previous, goals, strict=True)]
    return Paths(points, torch.from_numpy(lengths[np.arange(pairs), goals]).to(graph.points))


def graph_distances(graph: Graph, start: Tensor, end: Tensor, *, neighbours: int = NEIGHBOURS) -> Tensor:
    """(starts, ends) lengths of the shortest paths from each start (starts, latent) to each end (ends, latent).

    Raises:
        VAEError: a pair lies in parts of the graph that no path joins.
    """
    joined = _join(graph, torch.cat([start, end]).detach().to(graph.points), neighbours)
    before = graph.points.shape[0]
    lengths = dijkstra(joined.edges, indices=np.arange(start.shape[0]) + before)[:, before + start.shape[0] :]
    _refuse_parted(joined, lengths.ravel(), before)
    return torch.from_numpy(lengths).to(graph.points)


def stencil(dimension: int, neighbours: int = NEIGHBOURS) -> list[tuple[int, ...]]:
    """Half of the steps from a grid's point to its neighbours, one of each opposite pair, in distinct directions.

    All within the smallest cube that has as many neighbours: in the plane 8, 16, 32, …; in space 26, 98, …
    """
    reach = 1
    while True:
        steps = [
            o for o in product(range(-reach, reach + 1), repeat=dimension) if o > (0,) * dimension and gcd(*o) == 1
        ]
        if 2 * len(steps) >= neighbours or dimension == 1:
            return steps
        reach += 1


def _near(points: Tensor, others: Tensor, radius: float | None, nearest: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (index of points, index of others) within the radius, or of each point with its nearest others."""
    rows, targets = points.detach().cpu().double().numpy(), others.detach().cpu().double().numpy()
    tree = cKDTree(targets)
    if radius is not None:
        within = tree.query_ball_point(rows, radius)
        counts = [len(indices) for indices in within]
        return np.repeat(np.arange(len(rows)), counts), np.concatenate(
            [np.asarray(indices, dtype=int) for indices in within]
        )
    nearest = min(nearest, len(targets))
    _, index = tree.query(rows, k=np.arange(1, nearest + 1))
    return np.repeat(np.arange(len(rows)), nearest), index.ravel()


def _join(graph: Graph, ends: Tensor, neighbours: int) -> Graph:
    """The graph with further points, each joined to its nearest nodes and to each other point that is as near."""
    before = graph.points.shape[0]
    heads, tails = _near(ends, graph.points, None, neighbours)
    gaps = (ends[heads] - graph.points[tails]).norm(dim=-1).cpu().numpy()
    reach = np.zeros(len(ends))
    np.maximum.at(reach, heads, gaps)
    apart = torch.cdist(ends, ends).cpu().numpy()
    first, second = np.nonzero(np.triu(apart <= np.minimum(reach[:, None], reach), 1))
    points = torch.cat([graph.points, ends])
    more = _weigh(
        graph.metric, points, np.concatenate([heads, first]) + before, np.concatenate([tails, second + before]), NODES
    ).edges
    old = graph.edges.copy()
    old.resize(more.shape)
    return Graph(points, old + more, graph.metric)


def _weigh(metric: Metric, points: Tensor, heads: np.ndarray, tails: np.ndarray, nodes: int) -> Graph:
    with torch.no_grad():
        weights = [
            segment_lengths(metric, points[heads[first : first + EDGES]], points[tails[first : first + EDGES]], nodes)
            for first in range(0, len(heads), EDGES)
        ]
    weight = torch.cat(weights).cpu().double().numpy() if weights else np.zeros(0)
    if not np.isfinite(weight).all():
        raise VAEError(
            f"{(~np.isfinite(weight)).sum()} edges have no finite length; keep to where the metric is finite"
        )
    # Sparse matrices take a stored zero for no edge; coincident points have one.
    weight = np.maximum(weight, np.finfo(np.float64).tiny)
    both = np.concatenate([heads, tails]), np.concatenate([tails, heads])
    n = points.shape[0]
    return Graph(points, csr_array((np.concatenate([weight, weight]), both), shape=(n, n)), metric)


def _walk(previous: np.ndarray, goal: np.integer) -> list[int]:
    """Nodes from the source to the goal."""
    path = [int(goal)]
    while previous[path[-1]] >= 0:
        path.append(int(previous[path[-1]]))
    return path[::-1]


def _refuse_parted(graph: Graph, lengths: np.ndarray, before: int) -> None:
    if np.isfinite(lengths).all():
        return
    count, label = connected_components(graph.edges, directed=False)
    sizes = np.bincount(label[:before], minlength=count)
    largest = ", ".join(str(size) for size in sorted(sizes, reverse=True)[:5])
    raise VAEError(
        f"no path joins {int((~np.isfinite(lengths)).sum())} of {lengths.size} pairs: the graph is in {count} parts, "
        f"of {largest}{', …' if count > 5 else ''} nodes; give it a larger radius, more neighbours or more points"
    )
