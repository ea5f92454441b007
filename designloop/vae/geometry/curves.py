"""Curves in latent space, their length and energy under a metric.

    length(c) = ∫ √(ċᵀ G(c) ċ) dt        energy(c) = ½ ∫ ċᵀ G(c) ċ dt ≥ ½ length(c)²,  equal at constant speed

A curve is a cubic spline through knots at equal steps of t in [0, 1], a batch of them one tensor. Position and velocity
are linear in the knots, so one matrix gives either at all times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.metric import Metric

NODES = 4
"""Gauss–Legendre nodes between two knots."""


@dataclass(frozen=True, slots=True)
class Spline:
    """Cubic splines, a batch of curves over t in [0, 1], ends included.

    Third derivatives are continuous at the outermost inner knots ("not-a-knot"), so that a cubic is met exactly.
    """

    knots: Tensor
    """(curves, knots, latent), at equal steps of t; at least four."""

    def __post_init__(self) -> None:
        if self.knots.ndim != 3 or self.knots.shape[1] < 4:
            raise ShapeError(
                "knots", self.knots.shape, "(curves, at least 4, latent)", "give a batch of curves, each with its ends"
            )

    def __call__(self, t: Tensor) -> Tensor:
        """(curves, times, latent) points at times t (times,)."""
        return self._combine(t, 0)

    def velocity(self, t: Tensor) -> Tensor:
        """(curves, times, latent) velocities at times t (times,), in latent units over the whole of t."""
        return self._combine(t, 1)

    def _combine(self, t: Tensor, derivative: int) -> Tensor:
        weights = basis(self.knots.shape[1], t.detach().cpu().double().numpy(), derivative)
        return torch.from_numpy(weights).to(self.knots) @ self.knots


def straight(start: Tensor, end: Tensor, knots: int = 16) -> Spline:
    """Straight lines in latent space at constant latent speed.

    Args:
        start, end: (curves, latent).
    """
    if start.ndim != 2 or start.shape != end.shape:
        raise ShapeError("end", end.shape, f"{tuple(start.shape)} as start, (curves, latent)", "give as many as starts")
    t = torch.linspace(0, 1, knots, dtype=start.dtype, device=start.device)[:, None]
    return Spline(torch.lerp(start[:, None], end[:, None], t))  # both ends exact, and what lies between equal ones


def through(paths: Sequence[Tensor], knots: int = 16, *, metric: Metric | None = None) -> Spline:
    """Splines along polygonal paths, one a path, whose ends they share.

    Args:
        paths: each (points, latent), at least two points.
        knots: of each spline; they lie on the path at equal steps of its length.
        metric: whose length is meant; None for the latent's own.
    """
    rows = []
    for path in paths:
        if path.ndim != 2 or path.shape[0] < 2:
            raise ShapeError("paths", path.shape, "(at least 2, latent) each", "give a path with both its ends")
        pieces = segment_lengths(metric, path[:-1], path[1:]).double()
        so_far = torch.cat([pieces.new_zeros(1), pieces.cumsum(0)]).cpu().numpy()
        wanted = np.linspace(0, so_far[-1], knots)
        points = path.detach().cpu().double().numpy()
        rows.append(np.stack([np.interp(wanted, so_far, column) for column in points.T], -1))
    return Spline(torch.from_numpy(np.stack(rows)).to(paths[0]))


def speed(metric: Metric, curve: Spline, t: Tensor) -> Tensor:
    """(curves, times) √(ċᵀ G ċ) at times t (times,)."""
    return squared_speed(metric, curve(t), curve.velocity(t)).sqrt()


def length(metric: Metric, curve: Spline, nodes: int = NODES) -> Tensor:
    """(curves,) lengths, by Gauss–Legendre quadrature with ``nodes`` between two knots."""
    lengths: Tensor = _squared_speeds(metric, curve, nodes).sqrt() @ quadrature(curve.knots, nodes)[1]
    return lengths


def energy(metric: Metric, curve: Spline, nodes: int = NODES) -> Tensor:
    """(curves,) energies, by Gauss–Legendre quadrature with ``nodes`` between two knots."""
    energies: Tensor = 0.5 * _squared_speeds(metric, curve, nodes) @ quadrature(curve.knots, nodes)[1]
    return energies


def segment_lengths(metric: Metric | None, start: Tensor, end: Tensor, nodes: int = NODES) -> Tensor:
    """(segments,) lengths of straight segments of latent space, by Gauss–Legendre quadrature.

    Args:
        metric: None for the Euclidean length.
        start, end: (segments, latent).
        nodes: of each segment.
    """
    along = end - start
    if metric is None:
        return along.square().sum(-1).sqrt()
    t, weights = _gauss(1, nodes)
    points = torch.stack([start + float(time) * along for time in t], 1)
    squares = squared_speed(metric, points, along[:, None].expand_as(points))
    lengths: Tensor = squares.sqrt() @ torch.from_numpy(weights).to(start)
    return lengths


def squared_speed(metric: Metric, points: Tensor, velocities: Tensor) -> Tensor:
    """(curves, times) vᵀ G v at points and velocities, each (curves, times, latent)."""
    form = metric(points.flatten(0, 1), velocities.flatten(0, 1).unsqueeze(1))
    return form.view(points.shape[:2]).clamp_min(0)  # a sum of squares, up to rounding


def quadrature(like: Tensor, nodes: int = NODES) -> tuple[Tensor, Tensor]:
    """(times,) times and weights that integrate over [0, 1], piecewise between the knots on axis 1 of ``like``."""
    t, weights = _gauss(like.shape[1] - 1, nodes)
    return torch.from_numpy(t).to(like), torch.from_numpy(weights).to(like)


def basis(knots: int, t: np.ndarray, derivative: int = 0) -> np.ndarray:
    """(times, knots) matrix from a spline's knots to its values, or derivatives, at times t (times,).

    Raises:
        VAEError: fewer than four knots, which determine no cubic.
    """
    if knots < 4:
        raise VAEError(f"{knots} knots do not determine a cubic spline; give at least 4")
    matrix: np.ndarray = CubicSpline(np.linspace(0, 1, knots), np.eye(knots), bc_type="not-a-knot")(t, derivative)
    return matrix


@lru_cache
def _gauss(intervals: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and weights of Gauss–Legendre quadrature over [0, 1], with ``nodes`` in each of equal intervals."""
    abscissae, weights = np.polynomial.legendre.leggauss(nodes)
    starts = np.arange(intervals)[:, None]
    return ((starts + (abscissae + 1) / 2) / intervals).ravel(), np.tile(weights / 2 / intervals, intervals)


@lru_cache
def _basis_at_nodes(knots: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    t, _ = _gauss(knots - 1, nodes)
    return basis(knots, t), basis(knots, t, 1)


def _squared_speeds(metric: Metric, curve: Spline, nodes: int) -> Tensor:
    """(curves, times) at the times of ``quadrature``."""
    position, velocity = (
        torch.from_numpy(matrix).to(curve.knots) for matrix in _basis_at_nodes(curve.knots.shape[1], nodes)
    )
    return squared_speed(metric, position @ curve.knots, velocity @ curve.knots)
