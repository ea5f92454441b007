"""More nodes where pairs are parted: a roadmap grown until what it was asked for has a motion.

    parts   = components of the roadmap;   a pair is parted if its ends are joined to no part in common
    gaps    = motions in collision that lead out of the parts in which a parted pair has its ends
    z       = point on a gap + SPREAD · its length · ε,   ε ~ N(0, I / d),   P(gap) ∝ lengthᵈ,   d latent units

A passage that is narrow beside the distance of nodes is met by few of them, and where none leads through, all pairs on
either side of it are lost at once. The motions that failed say where it may be, and new ones, shorter, say it better.
lengthᵈ is the volume about a gap: drawn alike, gaps would call for most latents where they lie densest already.

Source: the nodes about motions that failed of Bohlin & Kavraki 2000, "Path planning using lazy PRM", here between
different components only, as where roadmaps are expanded in Kavraki et al. 1996, "Probabilistic roadmaps for path
planning in high-dimensional configuration spaces".
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from designloop.vae.planning.chart import Array, costs
from designloop.vae.planning.roadmaps import NEAREST, Roadmap, check_pairs, extend_roadmap, join_ends

LATENTS = 1000
"""Drawn in a round."""

ROUNDS = 8

SPREAD = 0.5
"""Root mean square distance of a draw from its gap, over the gap's length."""


def grow_roadmap(
    roadmap: Roadmap,
    start: Array,
    end: Array,
    generator: np.random.Generator,
    *,
    latents: int = LATENTS,
    rounds: int = ROUNDS,
    neighbours: int = NEAREST,
) -> Roadmap:
    """The roadmap with latents drawn between its parts, until all pairs have a motion; itself if they have one already.

    Pairs that cannot have one, for the free space is in parts itself, cost all the rounds.

    Args:
        start, end: (pairs, joints) radians; a pair with an end in collision is passed over.
        latents: drawn in a round.
        rounds: at most.
        neighbours: nodes that an end is joined to, as for ``plan``.

    Raises:
        ShapeError: pairs that do not match the robot or each other.
    """
    check_pairs(roadmap, start, end)
    free = np.isfinite(costs(roadmap.cost, start)) & np.isfinite(costs(roadmap.cost, end))
    start, end = start[free], end[free]
    for _ in range(rounds):
        near_side, far_side = _gaps(roadmap, start, end, neighbours)
        if not len(near_side):
            break
        volume = _volumes(near_side, far_side)
        drawn = generator.choice(len(near_side), latents, p=volume / volume.sum())
        near_side, along = near_side[drawn], (far_side - near_side)[drawn]
        t = torch.from_numpy(generator.uniform(size=(latents, 1))).to(near_side)
        noise = torch.from_numpy(generator.normal(size=tuple(near_side.shape))).to(near_side)
        spread = SPREAD * along.norm(dim=1, keepdim=True) / near_side.shape[1] ** 0.5
        roadmap = extend_roadmap(roadmap, near_side + t * along + spread * noise)
    return roadmap


def _volumes(near_side: Tensor, far_side: Tensor) -> Array:
    """(gaps,) lengths to the power of the latent's width, over the greatest."""
    lengths = (far_side - near_side).norm(dim=1).cpu().double().numpy().clip(np.finfo(float).tiny)
    return np.asarray((lengths / lengths.max()) ** near_side.shape[1])


def _gaps(roadmap: Roadmap, start: Array, end: Array, neighbours: int) -> tuple[Tensor, Tensor]:
    """Latents (gaps, latent) of both sides of the motions in collision that lead out of a parted pair's parts."""
    pairs, ends = len(start), np.concatenate([start, end])
    count, part = connected_components(roadmap.edges, directed=False)
    which, near, weight = join_ends(roadmap, ends, neighbours)
    reached = np.zeros((2 * pairs, count), bool)  # the parts that each end is joined to
    free = np.isfinite(weight)
    reached[which[free], part[near[free]]] = True
    parted: Array = ~np.any(reached[:pairs] & reached[pairs:], axis=1)
    parted = np.concatenate([parted, parted])
    theirs = reached[parted].any(0)
    head, tail = roadmap.blocked
    between = (part[head] != part[tail]) & (theirs[part[head]] | theirs[part[tail]])
    # An end is a side too: it may be joined to no node at all.
    away = parted[which] & ~reached[which, part[near]]
    sides = head[between], tail[between], which[away], near[away]
    near_node, far_node, end_index, node = (torch.from_numpy(side).to(roadmap.latents.device) for side in sides)
    here, z = roadmap.chart.encode(ends).detach(), roadmap.latents
    return torch.cat([z[near_node], here[end_index]]), torch.cat([z[far_node], z[node]])
