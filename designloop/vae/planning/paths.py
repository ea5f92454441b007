"""Motions over a roadmap, and what becomes of polygons.

Source: shortcutting, Geraerts & Overmars 2007, "Creating high-quality paths for motion planning".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from designloop.vae.planning.chart import STEP, Array, Chart, Cost, factors, latent_motions
from designloop.vae.planning.roadmaps import NEAREST, Roadmap, check_pairs, join_ends


def plan(roadmap: Roadmap, start: Array, end: Array, *, neighbours: int = NEAREST) -> list[Array | None]:
    """The cheapest motion of the roadmap for each pair, as a polygon (corners, joints); None where it has none.

    Args:
        start, end: (pairs, joints) radians; the polygon's ends are these to the bit.
        neighbours: nodes that each is joined to, those that decode nearest.

    Raises:
        ShapeError: pairs that do not match the robot or each other.
    """
    check_pairs(roadmap, start, end)
    nodes, pairs = roadmap.configurations, len(start)
    n = len(nodes)
    (first, near, away), (last, close, rest) = (join_ends(roadmap, ends, neighbours) for ends in (start, end))
    # Edges lead away from starts and towards ends only, so that no pair goes through another's.
    edges = roadmap.edges.tocoo()
    head = np.concatenate([edges.row, n + first, close])
    tail = np.concatenate([edges.col, near, n + pairs + last])
    weight = np.concatenate([edges.data, away, rest])
    free = np.isfinite(weight)
    shape = (n + 2 * pairs, n + 2 * pairs)
    directed = csr_array((weight[free], (head[free], tail[free])), shape=shape)
    paths: list[Array | None] = []
    for pair in range(pairs):
        _, previous = dijkstra(directed, indices=n + pair, return_predecessors=True)
        walk = [int(previous[n + pairs + pair])]
        if walk[0] < 0:
            paths.append(None)
            continue
        while (before := int(previous[walk[-1]])) != n + pair:
            walk.append(before)
        through = roadmap.latents[walk[::-1]]
        motions = latent_motions(roadmap.chart, through[:-1], through[1:])[:, :-1]
        corners = [start[pair : pair + 1], *motions, nodes[walk[:1]], end[pair : pair + 1]]
        paths.append(np.concatenate(corners))
    return paths


def straight_motions(chart: Chart, start: Array, end: Array, *, inner: int = 32) -> list[Array]:
    """What straight lines of latent space decode to, start and end (pairs, joints) joined to it in joint space.

    Args:
        inner: points inside each line that are decoded.
    """
    motions = latent_motions(chart, chart.encode(start), chart.encode(end), inner)
    return list(np.concatenate([start[:, None], motions, end[:, None]], 1))


def shortcut(
    paths: Sequence[Array], cost: Cost, generator: np.random.Generator, *, rounds: int = 150, step: float = STEP
) -> list[Array]:
    """Polygons with straight motions in joint space between points drawn on them, wherever these are free.

    All paths at once: a round draws two points on each, and asks the cost of all the motions between them together.
    What the cost adds where there is no collision plays no part. A path never gets longer in joint space.

    Args:
        paths: each (corners, joints).
        rounds: how often two points are drawn.
        step: as for ``roadmap``.
    """
    paths = list(paths)
    for _ in range(rounds):
        drawn = [_two_points(path, generator) for path in paths]
        kept = [i for i, (before, after, _) in enumerate(drawn) if before < after]  # with a corner between them
        if not kept:
            continue
        lines = np.stack([drawn[i][2] for i in kept])
        for i, factor in zip(kept, factors(cost, lines, step), strict=True):
            before, after, ends = drawn[i]
            if np.isfinite(factor):
                paths[i] = np.concatenate([paths[i][:before], ends, paths[i][after:]])
    return paths


def _two_points(path: Array, generator: np.random.Generator) -> tuple[int, int, Array]:
    """Two points on a path, (2, joints), and which of its corners lie between them, from one index up to another."""
    so_far = np.concatenate([[0.0], np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()])
    places = np.sort(generator.uniform(0, so_far[-1], 2))
    ends = np.stack([np.interp(places, so_far, column) for column in path.T], -1)
    return int(np.searchsorted(so_far, places[0], "right")), int(np.searchsorted(so_far, places[1])), ends
