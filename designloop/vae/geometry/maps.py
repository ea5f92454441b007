"""Exponential and logarithm maps: where a geodesic of given initial velocity leads, and the velocity that leads there.

    ż = v,  ṗ = ½ ∂/∂z (vᵀ G(z) v),  p = G(z) v        geodesic equation in Hamilton's form: no Christoffel symbols
    log_a(b) = −G(a)⁻¹ ∂E/∂a                           first variation of the least energy E from a to b

Sources: do Carmo 1992, "Riemannian geometry", chapters 3 and 9; Arnold 1989, "Mathematical methods of classical
mechanics", section 45.
"""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.curves import NODES, Spline, energy
from designloop.vae.geometry.geodesics import Geodesics, geodesics_by_spline
from designloop.vae.geometry.metric import Metric, metric_tensor


def exponential_map(metric: Metric, z: Tensor, velocity: Tensor, steps: int = 64) -> Tensor:
    """(points, latent) where geodesics that leave z with a velocity are at time 1.

    Args:
        metric: differentiable in z.
        z: (points, latent) where they start.
        velocity: (points, latent); √(vᵀ G v) of it is how far they go.
        steps: of the fourth-order Runge–Kutta method.

    Raises:
        VAEError: the metric is singular on the way.
    """
    return shoot(metric, z, velocity, steps)[:, -1]


def shoot(metric: Metric, z: Tensor, velocity: Tensor, steps: int = 64) -> Tensor:
    """(points, steps + 1, latent) geodesics that leave z with a velocity, at equal steps of time from 0 to 1.

    Arguments as ``exponential_map``.
    """
    if z.ndim != 2 or z.shape != velocity.shape:
        raise ShapeError("velocity", velocity.shape, f"{tuple(z.shape)} as z, (points, latent)", "give one a point")
    z, velocity = z.detach(), velocity.detach()
    momentum = (metric_tensor(metric, z).detach() @ velocity.unsqueeze(-1)).squeeze(-1)
    path, h = [z], 1 / steps
    for _ in range(steps):
        v1, f1 = _flow(metric, z, momentum)
        v2, f2 = _flow(metric, z + h / 2 * v1, momentum + h / 2 * f1)
        v3, f3 = _flow(metric, z + h / 2 * v2, momentum + h / 2 * f2)
        v4, f4 = _flow(metric, z + h * v3, momentum + h * f3)
        z = z + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        momentum = momentum + h / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
        path.append(z)
    return torch.stack(path, 1)


def logarithm_map(metric: Metric, z: Tensor, target: Tensor, **options: object) -> Tensor:
    """(points, latent) velocities at z with which geodesics reach the targets at time 1.

    The inverse of ``exponential_map`` where the geodesic that is found is the shortest. More exact than the spline's
    own velocity at its end, since the least energy is known to a higher order than the curve.

    Args:
        metric: differentiable in z.
        z, target: (points, latent).
        options: as for ``geodesics_by_spline``.

    Raises:
        VAEError: the metric is singular at z.
    """
    return initial_velocities(metric, geodesics_by_spline(metric, z, target, **options))  # type: ignore[arg-type]


def initial_velocities(metric: Metric, geodesics: Geodesics, nodes: int = NODES) -> Tensor:
    """(curves, latent) velocities with which geodesics leave, −G⁻¹ of the energy's slope in where they start."""
    knots = geodesics.curves.knots.detach()
    start = knots[:, 0].clone().requires_grad_()
    with torch.enable_grad():
        least = energy(metric, Spline(torch.cat([start[:, None], knots[:, 1:]], 1)), nodes)
        (slope,) = torch.autograd.grad(least.sum(), start)
    return _solve(metric_tensor(metric, knots[:, 0]).detach(), -slope)


def _flow(metric: Metric, z: Tensor, momentum: Tensor) -> tuple[Tensor, Tensor]:
    """ż and ṗ."""
    with torch.enable_grad():
        point = z.detach().requires_grad_()
        tensor = metric_tensor(metric, point)
        velocity = _solve(tensor.detach(), momentum)
        if not tensor.requires_grad:  # the same everywhere
            return velocity, torch.zeros_like(momentum)
        action = 0.5 * torch.einsum("bi,bij,bj->", velocity, tensor, velocity)
        (force,) = torch.autograd.grad(action, point)
    return velocity, force


def _solve(tensor: Tensor, vector: Tensor) -> Tensor:
    """(points, latent) G⁻¹ of vectors (points, latent)."""
    lower, wrong = torch.linalg.cholesky_ex(tensor)
    if bool(wrong.any()):
        raise VAEError(
            f"the metric is singular at {int((wrong != 0).sum())} of {len(wrong)} points: the decoder does not change "
            "there in some direction; use fewer latent units, float64, or geodesics, which need no inverse"
        )
    return torch.cholesky_solve(vector.unsqueeze(-1), lower).squeeze(-1)
