"""Fréchet mean and k-means under a metric.

    mean = argmin_m  Σ wᵢ d(m, xᵢ)²        d² is twice the least energy from m to xᵢ, so the mean and its geodesics to
                                           all points are found together, as one minimum of Σ wᵢ energy(cᵢ)

Sources: Pennec 2006, "Intrinsic statistics on Riemannian manifolds"; Yang et al. 2018, "Geodesic clustering in deep
generative models".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.curves import NODES, energy, straight, through
from designloop.vae.geometry.geodesics import bend, bend_of, geodesics_by_spline
from designloop.vae.geometry.graph import Graph, graph_distances, shortest_paths
from designloop.vae.geometry.metric import Metric
from designloop.vae.geometry.minimise import minimise


@dataclass(frozen=True, slots=True)
class Clusters:
    """What k-means found."""

    centres: Tensor
    """(clusters, latent)"""
    labels: Tensor
    """(points,) the cluster of each point."""
    distances: Tensor
    """(points,) to its centre."""


def frechet_mean(
    metric: Metric,
    points: Tensor,
    weights: Tensor | None = None,
    *,
    start: Tensor | None = None,
    graph: Graph | None = None,
    knots: int = 8,
    steps: int = 200,
    tolerance: float = 1e-8,
    nodes: int = NODES,
) -> Tensor:
    """(latent,) the point whose squared distances to all points add up to the least, near where it starts.

    Args:
        metric: differentiable in z.
        points: (points, latent).
        weights: (points,) not negative; None for equal ones.
        start: (latent,) where to begin; None for the point that is nearest to the straight mean.
        graph: whose shortest paths the geodesics begin with; None for straight lines.
        knots: of each geodesic, ends included.
        steps, tolerance, nodes: as for ``geodesics_by_spline``.

    Raises:
        ShapeError: no points, or weights that do not match.
        VAEError: a graph in which no path joins the points.
    """
    if points.ndim != 2 or points.shape[0] < 1:
        raise ShapeError("points", points.shape, "(at least 1, latent)", "give the points whose mean is wanted")
    if weights is not None and weights.shape != points.shape[:1]:
        raise ShapeError("weights", weights.shape, f"({points.shape[0]},)", "give one a point")
    points = points.detach()
    share = torch.full_like(points[:, 0], 1 / len(points)) if weights is None else weights / weights.sum()
    if start is None:
        start = points[(points - share @ points).norm(dim=-1).argmin()]
    begin = start.detach().expand_as(points)
    if torch.equal(begin, points):
        return start.detach()
    if graph is None:
        curves = straight(begin, points, knots)
    else:
        curves = through(shortest_paths(graph, begin, points).points, knots, metric=metric)
    scale = (share @ energy(metric, curves, nodes)).detach().clamp_min(torch.finfo(points.dtype).tiny)
    bent = bend_of(curves, begin, points)

    def spread(x: Tensor, rows: Tensor) -> Tensor:
        mean, u = x[0, : points.shape[1]], x[0, points.shape[1] :].view_as(bent)
        return (share @ energy(metric, bend(u, mean.expand_as(points), points), nodes) / scale).unsqueeze(0)

    reach = 0.03 * (points - begin).norm().unsqueeze(0)
    optimum = minimise(spread, torch.cat([start, bent.flatten()])[None], reach, steps=steps, tolerance=tolerance)
    return optimum[0, : points.shape[1]]


def k_means(
    metric: Metric,
    points: Tensor,
    clusters: int,
    generator: torch.Generator,
    *,
    graph: Graph | None = None,
    knots: int = 8,
    rounds: int = 20,
) -> Clusters:
    """Points in clusters, each about the Fréchet mean of its own (Lloyd's algorithm, started as in k-means++).

    Args:
        metric: differentiable in z.
        points: (points, latent).
        clusters: how many.
        generator: draws the first centres.
        graph: over the same latent space; distances are then its shortest paths'. None takes relaxed straight lines.
        knots: of each geodesic, ends included.
        rounds: most rounds of Lloyd's algorithm.

    Raises:
        VAEError: more clusters than different points, or a graph in which no path joins the points.
    """
    if not 1 <= clusters <= points.shape[0]:
        raise VAEError(f"{clusters} clusters of {points.shape[0]} points; give at least one, and no more than points")
    points = points.detach()

    def distances(centres: Tensor) -> Tensor:
        """(points, centres) distances."""
        if graph is not None:
            return graph_distances(graph, centres, points).T
        pairs = centres.repeat_interleave(len(points), 0), points.repeat(len(centres), 1)
        return geodesics_by_spline(metric, *pairs, knots=knots).lengths.view(len(centres), -1).T

    first = torch.randint(len(points), (1,), generator=generator, device=generator.device)
    centres = points[first.to(points.device)]
    away = distances(centres)
    for _ in range(clusters - 1):
        chance = away.amin(1).square().to(generator.device)
        if not bool(chance.any()):
            raise VAEError(f"{clusters} clusters of {len(centres)} different points; give no more than there are")
        new = points[torch.multinomial(chance, 1, generator=generator).to(points.device)]
        centres, away = torch.cat([centres, new]), torch.cat([away, distances(new)], 1)
    labels = away.argmin(1)
    for _ in range(rounds):
        centres = torch.stack(
            [
                frechet_mean(metric, points[labels == cluster], start=centres[cluster], graph=graph, knots=knots)
                if bool((labels == cluster).any())
                else points[away.amin(1).argmax()]  # an empty cluster starts again at the point that is farthest off
                for cluster in range(clusters)
            ]
        )
        away = distances(centres)
        before, labels = labels, away.argmin(1)
        if torch.equal(before, labels):
            break
    return Clusters(centres, labels, away.amin(1))
