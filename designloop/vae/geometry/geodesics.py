"""Geodesics: shortest curves between latents, by minimising the energy of a spline.

    min over the inner knots of  ½ ∫ ċᵀ G(c) ċ dt,   c(0) = a, c(1) = b

Its minimum has constant speed and the least length near it. The inner knots lie L⁻ᵀ u off the straight line, with
L Lᵀ = Dᵀ W D the stiffness of the spline, and u is what moves: under the Euclidean metric the energy is a constant
and ½ |u|², so that the work does not grow with the number of knots. A spline finds the shortest curve near where it
starts, and a straight start may stay on a saddle, by symmetry: curves that start bent to either side of the line are
tried beside it, and the shortest is kept. Which side of a hole is shorter far away, a graph tells
(``designloop.vae.geometry.graph``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from designloop.vae.errors import ShapeError
from designloop.vae.geometry.curves import (
    NODES,
    Spline,
    basis,
    energy,
    length,
    quadrature,
    straight,
    through,
)
from designloop.vae.geometry.graph import NEIGHBOURS, Graph, shortest_paths
from designloop.vae.geometry.metric import Metric
from designloop.vae.geometry.minimise import minimise

SWING = 0.35
"""How far a bent start swings off the straight line, over the line's length."""

ROUGH = 1e-4
"""Tolerance at which a bent start is first followed."""

BETTER = 1e-4
"""Share by which its energy must be less than that of the best so far."""


@dataclass(frozen=True, slots=True)
class Geodesics:
    """Curves of least energy between pairs of latents."""

    curves: Spline
    lengths: Tensor
    """(curves,)"""
    energies: Tensor
    """(curves,)"""

    @property
    def slack(self) -> Tensor:
        """(curves,) 1 − length² / (2 energy), the share of the energy that uneven speed costs: 0 for a geodesic."""
        return 1 - self.lengths.square() / (2 * self.energies).clamp_min(torch.finfo(self.energies.dtype).tiny)


def geodesics_by_spline(
    metric: Metric,
    start: Tensor,
    end: Tensor,
    *,
    knots: int = 16,
    initial: Spline | None = None,
    bends: int = 2,
    steps: int = 200,
    tolerance: float = 1e-6,
    nodes: int = NODES,
) -> Geodesics:
    """Geodesics between pairs of latents, all at once: splines of least energy.

    Args:
        metric: differentiable in z.
        start, end: (curves, latent).
        knots: of each curve, ends included.
        initial: where to begin, knots and all; None for straight lines, and bent ones beside.
        bends: directions, at most one fewer than there are units, in which curves start bent off the straight line to
            either side; a bent one takes the place of the straight one if it comes out shorter. 0 starts straight only,
            at a fifth of the work: of a wide latent's many directions two say little.
        steps: most steps of L-BFGS.
        tolerance: of a step's change in the energies, relative to those at the beginning; 0 goes on to the last step.
        nodes: of the quadrature, between two knots.

    Raises:
        ShapeError: pairs that do not match.
        VAEError: an energy that is not finite.

    Source: Yang et al. 2018, "Geodesic clustering in deep generative models"; Arvanitidis et al. 2022, section 4.
    """
    curve = straight(start, end, knots) if initial is None else initial
    if curve.knots.shape[::2] != start.shape or start.shape != end.shape:
        raise ShapeError("end", end.shape, f"{tuple(start.shape)} as start and initial", "give one curve a pair")
    start, end = start.detach(), end.detach()
    best = Spline(curve.knots.detach())
    best = _relax(metric, best, start, end, steps, tolerance, nodes)
    if initial is None:
        for side in _bent(start, end, knots, bends):
            best = _shorter(metric, best, side, start, end, steps=steps, tolerance=tolerance, nodes=nodes)
    with torch.no_grad():
        return Geodesics(best, length(metric, best, nodes), energy(metric, best, nodes))


def _relax(
    metric: Metric, curve: Spline, start: Tensor, end: Tensor, steps: int, tolerance: float, nodes: int
) -> Spline:
    """Curves of least energy near those given."""
    begun = energy(metric, curve, nodes).detach()
    scale = begun.clamp_min(torch.finfo(begun.dtype).tiny)
    scale[(start == end).all(-1)] = torch.inf  # nothing to be gained but rounding
    bent = bend_of(curve, start, end)
    shape = bent.shape[1:]

    def relative_energy(u: Tensor, rows: Tensor) -> Tensor:
        return energy(metric, bend(u.unflatten(1, shape), start[rows], end[rows]), nodes) / scale[rows]

    reach = 0.03 * (end - start).norm(dim=-1)
    u = minimise(relative_energy, bent.flatten(1), reach, steps=steps, tolerance=tolerance)
    return bend(u.unflatten(1, shape), start, end)


def _bent(start: Tensor, end: Tensor, knots: int, bends: int) -> list[Spline]:
    """Curves that swing off the straight line by ``SWING`` of its length, to either side in a few directions."""
    along = end - start
    far, latent = along.norm(dim=-1, keepdim=True), along.shape[-1]
    # The mirror that takes the line to the first axis takes the other axes to directions across the line.
    mirror = along / far.clamp_min(torch.finfo(along.dtype).tiny)
    mirror = (
        mirror + torch.where(mirror[:, :1] < 0, -1, 1) * torch.eye(latent, dtype=along.dtype, device=along.device)[0]
    )
    mirror = mirror / mirror.norm(dim=-1, keepdim=True)
    swing = torch.linspace(0, torch.pi, knots, dtype=along.dtype, device=along.device).sin()[:, None]
    line, curves = straight(start, end, knots).knots, []
    for unit in range(1, min(bends, latent - 1) + 1):
        across = -2 * mirror[:, unit : unit + 1] * mirror
        across[:, unit] += 1
        for side in (SWING, -SWING):
            knot = line + side * (far * across)[:, None] * swing
            knot[:, 0], knot[:, -1] = start, end
            curves.append(Spline(knot))
    return curves


def _shorter(
    metric: Metric, best: Spline, other: Spline, start: Tensor, end: Tensor, *, steps: int, tolerance: float, nodes: int
) -> Spline:
    """Of each pair the curve of less energy: the best so far, or where the other leads.

    Asked of a finer quadrature, that a curve across a place where the metric is singular does not slip through.
    """
    begun = energy(metric, other, 2 * nodes).detach()
    kept = energy(metric, best, 2 * nodes).detach()
    rows = torch.nonzero(begun.isfinite() & (start != end).any(-1)).flatten()
    knots = best.knots.clone()
    for allowed in (max(ROUGH, tolerance), tolerance):  # first whether it leads anywhere better, which few do
        if not len(rows):
            return best
        relaxed = _relax(metric, Spline(other.knots[rows]), start[rows], end[rows], steps, allowed, nodes)
        less = energy(metric, relaxed, 2 * nodes).detach() < (1 - BETTER) * kept[rows]
        rows = rows[less]
        knots[rows] = relaxed.knots[less]
        other = Spline(knots.clone())
    return Spline(knots)


def distance(metric: Metric, start: Tensor, end: Tensor, knots: int = 16) -> Tensor:
    """(pairs,) lengths of the geodesics found between latents (pairs, latent)."""
    return geodesics_by_spline(metric, start, end, knots=knots).lengths


def bend(u: Tensor, start: Tensor, end: Tensor) -> Spline:
    """Splines from ``start`` to ``end`` whose inner knots lie L⁻ᵀ u off the straight line.

    Args:
        u: (curves, knots − 2, latent).
        start, end: (curves, latent).
    """
    line = straight(start, end, u.shape[1] + 2).knots
    inverse = torch.from_numpy(_stiffness(u.shape[1] + 2)[1]).to(u)
    inner = line[:, 1:-1] + inverse.T @ u
    return Spline(torch.cat([line[:, :1], inner, line[:, -1:]], 1))


def bend_of(curve: Spline, start: Tensor, end: Tensor) -> Tensor:
    """(curves, knots − 2, latent) the u for which ``bend`` gives the curve."""
    off = curve.knots - straight(start, end, curve.knots.shape[1]).knots
    return torch.from_numpy(_stiffness(curve.knots.shape[1])[0].T.copy()).to(off) @ off[:, 1:-1]


@lru_cache
def _stiffness(knots: int) -> tuple[np.ndarray, np.ndarray]:
    """L and L⁻¹, L Lᵀ = ∫ of the products of the inner knots' velocities."""
    t, weights = quadrature(torch.empty(0, knots, dtype=torch.float64))
    velocity = basis(knots, t.numpy(), 1)[:, 1:-1]
    lower = np.linalg.cholesky(velocity.T @ (weights.numpy()[:, None] * velocity))
    return lower, np.linalg.inv(lower)


def geodesics_by_graph(
    graph: Graph,
    start: Tensor,
    end: Tensor,
    *,
    knots: int = 16,
    neighbours: int = NEIGHBOURS,
    steps: int = 200,
    tolerance: float = 1e-6,
    nodes: int = NODES,
) -> Geodesics:
    """Geodesics between pairs of latents: shortest paths of a graph, then relaxed as splines under its metric.

    Args:
        graph: over the part of latent space that they may go through.
        start, end: (curves, latent).
        knots: of each curve, ends included.
        neighbours: nodes that each end is joined to.
        steps, tolerance, nodes: as for ``geodesics_by_spline``.

    Raises:
        VAEError: a pair lies in parts of the graph that no path joins.
    """
    paths = shortest_paths(graph, start, end, neighbours=neighbours)
    initial = through(paths.points, knots, metric=graph.metric)
    return geodesics_by_spline(graph.metric, start, end, initial=initial, steps=steps, tolerance=tolerance, nodes=nodes)
