"""Motions of a robot by shortest paths over a latent space of its configurations.

    latents z_i, neighbours joined;   weight of an edge = length under the metric · (1 + mean cost along its motion)
    path = argmin Σ weights (Dijkstra);   an edge whose motion has infinite cost, a collision, is none

An edge's motion goes through what the segment of latent space decodes to. Start and end keep the configurations that
were asked for: straight motions in joint space join them to the nodes that decode nearest to them. What is planned is a
polygon in joint space, and that is what was checked. The VAE is fitted once to the robot; obstacles come in with the
cost, so that another scene takes another roadmap and no training.

Source: Arvanitidis et al. 2018, "Latent space oddity"; Chen et al. 2018, "Active learning based on data uncertainty and
model sensitivity"; Ichter & Pavone 2019, "Robot motion planning in learned latent spaces"; shortcutting: Geraerts &
Overmars 2007, "Creating high-quality paths for motion planning".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, triu
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from torch import Tensor

from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.geometry.curves import segment_lengths
from designloop.vae.geometry.graph import points_graph
from designloop.vae.geometry.metric import Metric
from designloop.vae.model import VAE

Array = NDArray[np.float64]

Cost = Callable[[Array], Array]
"""Configurations (n, joints) -> (n,) what a motion through them costs beside its length, from 0; inf in collision."""

STEP = 0.01
"""Radians that no joint moves further by between two configurations that are checked."""

NEIGHBOURS = 16
INNER = 3
"""Points inside a segment of latent space that are decoded."""

CHUNK = 200_000
"""Configurations at a time."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Between a robot's configurations and the latents of a VAE fitted to it."""

    encode: Callable[[Array], Tensor]
    """(n, joints) -> (n, latent)"""
    decode: Callable[[Tensor], Array]
    """(n, latent) -> (n, joints) radians"""
    metric: Metric
    """Under which a segment of latent space has its length."""


def cosines_and_sines(q: Array) -> Array:
    """(n, 2 · joints) what a VAE of revolute joints is fitted to, at q (n, joints) radians: ± π are one angle."""
    return np.concatenate([np.cos(q), np.sin(q)], -1)


def angle_chart(vae: VAE, metric: Metric) -> Chart:
    """The chart of a VAE fitted to ``cosines_and_sines``: posterior means, and angles of the decoded means.

    Raises:
        CapabilityError: the likelihood has no ``mean``.
    """
    like = next(vae.parameters())
    likelihood: Any = vae.likelihood
    if not hasattr(likelihood, "mean"):
        raise CapabilityError(f"{type(likelihood).__name__} has no mean, which angles are read from; take a Gaussian")

    def encode(q: Array) -> Tensor:
        with torch.no_grad():
            return vae.encode(torch.from_numpy(cosines_and_sines(q)).to(like)).mean

    def decode(z: Tensor) -> Array:
        with torch.no_grad():
            mean = likelihood.mean(vae.decode(z)).cpu().double().numpy()
        cosine, sine = np.split(mean, 2, axis=-1)
        return np.asarray(np.arctan2(sine, cosine))

    return Chart(encode, decode, metric)


@dataclass(frozen=True, slots=True)
class Roadmap:
    """Latents free of collision, and the motions between neighbours that are."""

    chart: Chart
    cost: Cost
    latents: Tensor
    """(nodes, latent)"""
    configurations: Array
    """(nodes, joints) what they decode to."""
    edges: csr_array
    """(nodes, nodes) symmetric weights; what is not stored is no edge."""
    step: float


def roadmap(chart: Chart, latents: Tensor, cost: Cost, *, neighbours: int = NEIGHBOURS, step: float = STEP) -> Roadmap:
    """A roadmap over latents, of the data or of the prior, in a scene that the cost knows.

    Args:
        latents: (n, latent), several thousand for three joints; those in collision are left out.
        cost: of configurations.
        neighbours: nearest latents that each is joined to.
        step: greatest move of a joint between two configurations whose cost is asked, radians.

    Raises:
        ShapeError: latents that are no (n, latent), or configurations or costs that are not one a row.
        VAEError: all but at most one of the latents are in collision.
    """
    if latents.ndim != 2:
        raise ShapeError("latents", latents.shape, "(n, latent)", "give one latent a row")
    latents = latents.detach()
    free = np.isfinite(_costs(cost, _decoded(chart, latents)))
    if free.sum() < 2:
        raise VAEError(f"{int(free.sum())} of {len(latents)} latents are free of collision; give more latents")
    latents = latents[torch.from_numpy(free).to(latents.device)]
    nodes = _decoded(chart, latents)
    half = triu(points_graph(chart.metric, latents, neighbours=neighbours).edges).tocoo()
    weight = half.data * _factors(cost, _latent_motions(chart, latents[half.row], latents[half.col]), step)
    kept = np.isfinite(weight)
    head, tail, weight = half.row[kept], half.col[kept], weight[kept]
    both = np.concatenate([head, tail]), np.concatenate([tail, head])
    edges = csr_array((np.concatenate([weight, weight]), both), shape=(len(nodes), len(nodes)))
    return Roadmap(chart, cost, latents, nodes, edges, step)


def plan(roadmap: Roadmap, start: Array, end: Array, *, neighbours: int = 2 * NEIGHBOURS) -> list[Array | None]:
    """The cheapest motion of the roadmap for each pair, as a polygon (corners, joints); None where it has none.

    Args:
        start, end: (pairs, joints) radians; the polygon's ends are these to the bit.
        neighbours: nodes that each is joined to, those that decode nearest.

    Raises:
        ShapeError: pairs that do not match the robot or each other.
    """
    nodes, pairs = roadmap.configurations, len(start)
    if start.ndim != 2 or start.shape != end.shape or start.shape[1] != nodes.shape[1]:
        raise ShapeError("end", end.shape, f"(pairs, {nodes.shape[1]}) as start", "give one end a start")
    n = len(nodes)
    (first, near, away), (last, close, rest) = (_joined(roadmap, one, neighbours) for one in (start, end))
    # Edges lead away from starts and towards ends only, so that no pair goes through another's.
    edges = roadmap.edges.tocoo()
    head = np.concatenate([edges.row, n + first, close])
    tail = np.concatenate([edges.col, near, n + pairs + last])
    weight = np.concatenate([edges.data, away, rest])
    joined = csr_array((weight, (head, tail)), shape=(n + 2 * pairs, n + 2 * pairs))
    found: list[Array | None] = []
    for pair in range(pairs):
        _, previous = dijkstra(joined, indices=n + pair, return_predecessors=True)
        walk = [int(previous[n + pairs + pair])]
        if walk[0] < 0:
            found.append(None)
            continue
        while (before := int(previous[walk[-1]])) != n + pair:
            walk.append(before)
        through = roadmap.latents[walk[::-1]]
        motions = _latent_motions(roadmap.chart, through[:-1], through[1:])[:, :-1]
        corners = [start[pair : pair + 1], *motions, nodes[walk[:1]], end[pair : pair + 1]]
        found.append(np.concatenate(corners))
    return found


def straight_motions(chart: Chart, start: Array, end: Array, *, inner: int = 32) -> list[Array]:
    """What straight lines of latent space decode to, start and end (pairs, joints) joined to it in joint space.

    Args:
        inner: points inside each line that are decoded.
    """
    motions = _latent_motions(chart, chart.encode(start), chart.encode(end), inner)
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
        for i, factor in zip(kept, _factors(cost, lines, step), strict=True):
            before, after, ends = drawn[i]
            if np.isfinite(factor):
                paths[i] = np.concatenate([paths[i][:before], ends, paths[i][after:]])
    return paths


def _two_points(path: Array, generator: np.random.Generator) -> tuple[int, int, Array]:
    """Two points on a path, (2, joints), and which of its corners lie between them, from one index up to another."""
    so_far = np.concatenate([[0.0], np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()])
    at = np.sort(generator.uniform(0, so_far[-1], 2))
    ends = np.stack([np.interp(at, so_far, column) for column in path.T], -1)
    return int(np.searchsorted(so_far, at[0], "right")), int(np.searchsorted(so_far, at[1])), ends


def _joined(roadmap: Roadmap, ends: Array, neighbours: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Free straight motions in joint space from configurations to nodes near: index of each, and weight."""
    k = min(neighbours, len(roadmap.configurations))
    _, near = cKDTree(roadmap.configurations).query(ends, k=np.arange(1, k + 1))
    which, near = np.repeat(np.arange(len(ends)), k), near.ravel()
    here = roadmap.chart.encode(ends).detach()
    with torch.no_grad():
        lengths = segment_lengths(roadmap.chart.metric, here[which], roadmap.latents[near]).cpu().double().numpy()
    motions = np.stack([ends[which], roadmap.configurations[near]], 1)
    # Coincident points are joined all the same: a sparse matrix takes a stored zero for no edge.
    weight = np.maximum(lengths, np.finfo(float).tiny) * _factors(roadmap.cost, motions, roadmap.step)
    kept = np.isfinite(weight)
    return which[kept], near[kept], weight[kept]


def _latent_motions(chart: Chart, start: Tensor, end: Tensor, inner: int = INNER) -> Array:
    """(segments, inner + 2, joints) what segments of latent space, from start to end (segments, latent), decode to."""
    t = torch.linspace(0, 1, inner + 2, dtype=start.dtype, device=start.device)[:, None]
    points = torch.lerp(start.detach()[:, None], end.detach()[:, None], t)
    found = _decoded(chart, points.flatten(0, 1))
    return found.reshape(len(start), inner + 2, found.shape[1])  # of no segment too


def _factors(cost: Cost, motions: Array, step: float) -> Array:
    """(motions,) 1 + mean cost along each polygon (motions, corners, joints), its ends among what is asked."""
    corners = motions.shape[1]
    start, along = motions[:, :-1].reshape(-1, motions.shape[2]), np.diff(motions, axis=1).reshape(-1, motions.shape[2])
    counts = np.maximum(np.ceil(np.abs(along).max(1) / step).astype(int), 1)
    total = np.zeros(len(motions))
    asked = np.zeros(len(motions))
    for some in np.array_split(np.arange(len(start)), max(int(counts.sum()) // CHUNK, 1)):
        piece = np.repeat(some, counts[some])
        before = np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
        t = (np.arange(len(piece)) - before + 1) / counts[piece]  # up to each piece's end
        costs = _costs(cost, start[piece] + t[:, None] * along[piece])
        total += np.bincount(piece // (corners - 1), costs, len(motions))
        asked += np.bincount(piece // (corners - 1), minlength=len(motions))
    total += _costs(cost, motions[:, 0])
    return 1 + total / (asked + 1)


def _decoded(chart: Chart, latents: Tensor) -> Array:
    with torch.no_grad():
        found = np.asarray(chart.decode(latents), dtype=float)
    if found.ndim != 2 or len(found) != len(latents):
        raise ShapeError("chart.decode(latents)", found.shape, f"({len(latents)}, joints)", "give one a latent")
    return found


def _costs(cost: Cost, q: Array) -> Array:
    found = np.asarray(cost(q), dtype=float)
    if found.shape != (len(q),):
        raise ShapeError("cost(configurations)", found.shape, f"({len(q)},)", "give one number a configuration")
    if np.isnan(found).any() or (found < 0).any():
        raise VAEError("cost(configurations) has NaN or negative numbers; give 0 where it is free, inf in collision")
    return found
