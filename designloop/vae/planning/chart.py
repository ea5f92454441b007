"""Between a robot's configurations and the latents of a VAE fitted to it, and what the cost says along motions.

    motion of an edge:  z_i → z_j straight in latent space, decoded at a few points, straight in joint space between

The cost is asked at least every ``STEP`` of each joint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.metric import Metric
from designloop.vae.model import VAE

Array = NDArray[np.float64]

Cost = Callable[[Array], Array]
"""Configurations (n, joints) -> (n,) what a motion through them costs beside its length, from 0; inf in collision."""

STEP = 0.01
"""Radians that no joint moves further by between two configurations that are checked."""

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
    require(vae.likelihood, "mean")

    def encode(q: Array) -> Tensor:
        with torch.no_grad():
            return vae.encode(torch.from_numpy(cosines_and_sines(q)).to(like)).mean

    def decode(z: Tensor) -> Array:
        with torch.no_grad():
            mean = vae.likelihood.mean(vae.decode(z)).cpu().double().numpy()
        cosine, sine = np.split(mean, 2, axis=-1)
        return np.asarray(np.arctan2(sine, cosine))

    return Chart(encode, decode, metric)


def latent_motions(chart: Chart, start: Tensor, end: Tensor, inner: int = INNER) -> Array:
    """(segments, inner + 2, joints) what segments of latent space, from start to end (segments, latent), decode to."""
    t = torch.linspace(0, 1, inner + 2, dtype=start.dtype, device=start.device)[:, None]
    points = torch.lerp(start.detach()[:, None], end.detach()[:, None], t)
    configurations = decode_latents(chart, points.flatten(0, 1))
    return configurations.reshape(len(start), inner + 2, configurations.shape[1])  # of no segment too


def factors(cost: Cost, motions: Array, step: float) -> Array:
    """(motions,) 1 + mean cost along each polygon (motions, corners, joints), its ends among what is asked."""
    corners = motions.shape[1]
    start, along = motions[:, :-1].reshape(-1, motions.shape[2]), np.diff(motions, axis=1).reshape(-1, motions.shape[2])
    counts = np.maximum(np.ceil(np.abs(along).max(1) / step).astype(int), 1)
    total = np.zeros(len(motions))
    asked = np.zeros(len(motions))
    for chunk in np.array_split(np.arange(len(start)), max(int(counts.sum()) // CHUNK, 1)):
        piece = np.repeat(chunk, counts[chunk])
        before = np.repeat(np.cumsum(counts[chunk]) - counts[chunk], counts[chunk])
        t = (np.arange(len(piece)) - before + 1) / counts[piece]  # up to each piece's end
        cost_along = costs(cost, start[piece] + t[:, None] * along[piece])
        total += np.bincount(piece // (corners - 1), cost_along, len(motions))
        asked += np.bincount(piece // (corners - 1), minlength=len(motions))
    total += costs(cost, motions[:, 0])
    return 1 + total / (asked + 1)


def decode_latents(chart: Chart, latents: Tensor) -> Array:
    """(n, joints) what latents decode to; refuses a chart that gives something else."""
    with torch.no_grad():
        configurations = np.asarray(chart.decode(latents), dtype=float)
    if configurations.ndim != 2 or len(configurations) != len(latents):
        wanted = f"({len(latents)}, joints)"
        raise ShapeError("chart.decode(latents)", configurations.shape, wanted, "give one a latent")
    return configurations


def costs(cost: Cost, q: Array) -> Array:
    """(n,) the cost of configurations (n, joints); refuses what is no cost."""
    values = np.asarray(cost(q), dtype=float)
    if values.shape != (len(q),):
        raise ShapeError("cost(configurations)", values.shape, f"({len(q)},)", "give one number a configuration")
    if np.isnan(values).any() or (values < 0).any():
        raise VAEError("cost(configurations) has NaN or negative numbers; give 0 where it is free, inf in collision")
    return values
