"""Surfaces whose geometry is known: maps from the plane into space, their metric, and pairs with their distance.

Each is what a decoder's mean would be; ``pairs`` gives the points of the chart and the distance along the surface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

Array = NDArray[np.float64]

CURVATURE = 1.0
"""Of the paraboloid's apex."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A surface in space."""

    name: str
    place: Callable[[Tensor], Tensor]
    """(..., 2) chart -> (..., 3) space."""
    metric: Callable[[Tensor], Tensor]
    """(points, 2) -> (points, 2, 2), in closed form."""
    pairs: Callable[[int, np.random.Generator], tuple[Array, Array, Array]]
    """How many -> starts (n, 2), ends (n, 2) and distances (n,)."""


def sphere_place(z: Tensor) -> Tensor:
    """The unit sphere, by polar angle and longitude."""
    polar, longitude = z.unbind(-1)
    return torch.stack([polar.sin() * longitude.cos(), polar.sin() * longitude.sin(), polar.cos()], -1)


def sphere_metric(z: Tensor) -> Tensor:
    """diag(1, sin² polar)."""
    return torch.diag_embed(torch.stack([torch.ones_like(z[:, 0]), z[:, 0].sin().square()], -1))


def sphere_pairs(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Great circles, off the poles, where the chart ends."""
    start = np.stack([rng.uniform(0.6, 2.5, n), rng.uniform(-1.0, 1.0, n)], -1)
    end = np.stack([rng.uniform(0.6, 2.5, n), rng.uniform(-1.0, 1.0, n)], -1)
    places = (sphere_place(torch.from_numpy(angles)).numpy() for angles in (start, end))
    chord = np.linalg.norm(np.subtract(*places), axis=1)
    return start, end, 2 * np.arcsin(chord / 2)


def paraboloid_place(z: Tensor) -> Tensor:
    """(u, v, ½ c (u² + v²))."""
    return torch.cat([z, 0.5 * CURVATURE * z.square().sum(-1, keepdim=True)], -1)


def paraboloid_metric(z: Tensor) -> Tensor:
    """1 + c² z zᵀ, as of any graph of a function: 1 + ∇f ∇fᵀ."""
    return torch.eye(2).to(z) + CURVATURE**2 * z[:, :, None] * z[:, None, :]


def paraboloid_pairs(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Geodesics shot by z̈ = −∇f (żᵀ H ż) / (1 + |∇f|²), f = ½ c |z|², to a relative 1e-10."""
    start, velocity = rng.uniform(-1.0, 1.0, (n, 2)), rng.uniform(-1.0, 1.0, (n, 2))

    def flow(_: float, state: Array) -> Array:
        z, v = state[:2], state[2:]
        return np.concatenate([v, -(CURVATURE**2) * z * (v @ v) / (1 + CURVATURE**2 * z @ z)])

    shot = [solve_ivp(flow, (0, 1), state, rtol=1e-10, atol=1e-12) for state in np.hstack([start, velocity])]
    end = np.stack([solution.y[:2, -1] for solution in shot])
    radial = (start * velocity).sum(1)
    return start, end, np.sqrt((velocity**2).sum(1) + CURVATURE**2 * radial**2)


def roll_place(z: Tensor) -> Tensor:
    """(t cos t, h, t sin t)."""
    t, height = z.unbind(-1)
    return torch.stack([t * t.cos(), height, t * t.sin()], -1)


def roll_metric(z: Tensor) -> Tensor:
    """diag(1 + t², 1)."""
    return torch.diag_embed(torch.stack([1 + z[:, 0].square(), torch.ones_like(z[:, 0])], -1))


def roll_pairs(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Straight lines of the unrolled plane, whose first coordinate is the arc length ½ (t √(1 + t²) + asinh t)."""
    start = np.stack([rng.uniform(1.5 * np.pi, 4.5 * np.pi, n), rng.uniform(0, 20, n)], -1)
    end = np.stack([rng.uniform(1.5 * np.pi, 4.5 * np.pi, n), rng.uniform(0, 20, n)], -1)
    unrolled = (0.5 * (place[:, 0] * np.sqrt(1 + place[:, 0] ** 2) + np.arcsinh(place[:, 0])) for place in (start, end))
    return start, end, np.hypot(np.subtract(*unrolled), start[:, 1] - end[:, 1])


SURFACES = (
    Surface("sphere", sphere_place, sphere_metric, sphere_pairs),
    Surface("paraboloid", paraboloid_place, paraboloid_metric, paraboloid_pairs),
    Surface("swiss roll", roll_place, roll_metric, roll_pairs),
)
