"""Roadmaps: latents free of collision, and the motions between neighbours that are.

    weight of an edge = length under the metric · (1 + mean cost along its motion);   infinite, a collision, is none

Source: Arvanitidis et al. 2018, "Latent space oddity"; Chen et al. 2018, "Active learning based on data uncertainty and
model sensitivity"; Ichter & Pavone 2019, "Robot motion planning in learned latent spaces".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, triu
from scipy.spatial import cKDTree
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.curves import segment_lengths
from designloop.vae.geometry.graph import points_graph
from designloop.vae.planning.chart import STEP, Array, Chart, Cost, costs, decode_latents, factors, latent_motions

NEIGHBOURS = 16

NEAREST = 2 * NEIGHBOURS
"""Nodes that a configuration is joined to, which need not be one."""


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
    blocked: NDArray[np.intp]
    """(2, motions) neighbours between which the motion collides."""
    neighbours: int
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
    kept, nodes = _free(chart, cost, latents.detach())
    if len(nodes) < 2:
        raise VAEError(f"{len(nodes)} of {len(latents)} latents are free of collision; give more latents")
    none = csr_array((0, 0)), np.zeros((2, 0), dtype=np.intp)
    return _with_nodes(Roadmap(chart, cost, kept[:0], nodes[:0], *none, neighbours, step), kept, nodes)


def extend_roadmap(roadmap: Roadmap, latents: Tensor) -> Roadmap:
    """The roadmap with more latents (n, latent), each joined to its nearest among all; those in collision are left out.

    Edges that were there stay.
    """
    kept, nodes = _free(roadmap.chart, roadmap.cost, latents.detach())
    return _with_nodes(roadmap, kept, nodes) if len(nodes) else roadmap


def join_ends(roadmap: Roadmap, ends: Array, neighbours: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Straight motions in joint space from configurations to nodes near: index of each, and weight, inf in collision.

    Args:
        ends: (n, joints).
        neighbours: nodes of each, those that decode nearest.
    """
    k = min(neighbours, len(roadmap.configurations))
    _, near = cKDTree(roadmap.configurations).query(ends, k=np.arange(1, k + 1))
    which, near = np.repeat(np.arange(len(ends)), k), near.ravel()
    here = roadmap.chart.encode(ends).detach()
    with torch.no_grad():
        lengths = segment_lengths(roadmap.chart.metric, here[which], roadmap.latents[near]).cpu().double().numpy()
    motions = np.stack([ends[which], roadmap.configurations[near]], 1)
    # Coincident points are joined all the same: a sparse matrix takes a stored zero for no edge.
    return which, near, np.maximum(lengths, np.finfo(float).tiny) * factors(roadmap.cost, motions, roadmap.step)


def check_pairs(roadmap: Roadmap, start: Array, end: Array) -> None:
    """Refuses pairs that are no (pairs, joints) of the robot's, or no two that match."""
    joints = roadmap.configurations.shape[1]
    if start.ndim != 2 or start.shape != end.shape or start.shape[1] != joints:
        raise ShapeError("end", end.shape, f"(pairs, {joints}) as start", "give one end a start")


def _free(chart: Chart, cost: Cost, latents: Tensor) -> tuple[Tensor, Array]:
    """Those of the latents that are free of collision, and what they decode to."""
    nodes = decode_latents(chart, latents)
    free = np.isfinite(costs(cost, nodes))
    return latents[torch.from_numpy(free).to(latents.device)], nodes[free]


def _with_nodes(roadmap: Roadmap, latents: Tensor, nodes: Array) -> Roadmap:
    """The roadmap with more free latents and what they decode to, joined."""
    chart, before = roadmap.chart, len(roadmap.configurations)
    every = torch.cat([roadmap.latents, latents])
    graph = points_graph(chart.metric, every, neighbours=roadmap.neighbours, first=before)
    half = triu(graph.edges).tocoo()
    motions = latent_motions(chart, every[half.row], every[half.col])
    weight = half.data * factors(roadmap.cost, motions, roadmap.step)
    kept = np.isfinite(weight)
    head, tail, weight = half.row[kept], half.col[kept], weight[kept]
    both = np.concatenate([head, tail]), np.concatenate([tail, head])
    old = roadmap.edges.copy()
    old.resize((len(every), len(every)))
    return replace(
        roadmap,
        latents=every,
        configurations=np.concatenate([roadmap.configurations, nodes]),
        edges=old + csr_array((np.concatenate([weight, weight]), both), shape=old.shape),
        blocked=np.concatenate([roadmap.blocked, np.stack([half.row[~kept], half.col[~kept]])], 1),
    )
