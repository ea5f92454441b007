"""Geodesics against great circles and other closed forms, Fisher–Rao distances, and graphs against splines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.curves import Spline, length, straight
from designloop.vae.geometry.geodesics import distance, geodesics_by_graph, geodesics_by_spline
from designloop.vae.geometry.graph import grid_graph, shortest_paths
from designloop.vae.geometry.metric import ExpectedEuclidean, FisherRao
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder, RBFPrecisionDecoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.surfaces import SURFACES, Surface
from tests.vae.geometry.known import (
    Fixed,
    counting,
    euclidean,
    half_plane,
    half_plane_distance,
    surface_metric,
    uniform,
    vae_of,
)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_lengths_on_known_surfaces(surface: Surface, dtype: torch.dtype) -> None:
    start, end, wanted = (torch.from_numpy(array).to(dtype) for array in surface.pairs(12, np.random.default_rng(1)))
    metric = FisherRao(surface_metric(surface).vae.to(dtype))
    result = geodesics_by_spline(metric, start, end)
    torch.testing.assert_close(result.lengths, wanted, rtol=1e-4, atol=0)
    assert float(result.slack.max()) < 1e-4
    torch.testing.assert_close(result.curves(torch.tensor([0.0, 1.0])), torch.stack([start, end], 1))


def test_the_hyperbolic_plane() -> None:
    start, end = uniform(10, [-1, 0.5], [1, 2]), uniform(10, [-1, 0.5], [1, 2], seed=1)
    torch.testing.assert_close(distance(half_plane, start, end), half_plane_distance(start, end), rtol=1e-5, atol=0)
    # A geodesic is a circle about a point of the axis.
    curve = geodesics_by_spline(half_plane, start[:1], end[:1]).curves(torch.linspace(0, 1, 9).double())[0]
    (x0, y0), (x1, y1) = start[0].tolist(), end[0].tolist()
    centre = (x1**2 + y1**2 - x0**2 - y0**2) / (2 * (x1 - x0))
    radius = torch.hypot(curve[:, 0] - centre, curve[:, 1])
    torch.testing.assert_close(radius, radius[:1].expand(9), rtol=1e-3, atol=0)


def simplex(z: Tensor) -> Tensor:
    """Logits of which the last is zero: all of the simplex, one latent fewer than classes."""
    return functional.pad(z, (0, 1))


def test_fisher_rao_distances() -> None:
    """Closed forms; features that are independent add up in squares."""
    start, end = uniform(10, [-2, -2], [2, 2]), uniform(10, [-2, -2], [2, 2], seed=1)

    def found(likelihood, decode=lambda z: z) -> Tensor:
        return distance(FisherRao(vae_of(decode, likelihood, 2)), start, end)

    p, q = start.sigmoid(), end.sigmoid()
    bernoulli = (2 * (p.sqrt().asin() - q.sqrt().asin())).norm(dim=1)
    torch.testing.assert_close(found(Bernoulli()), bernoulli, rtol=1e-4, atol=0)
    a, b = start.exp(), end.exp()
    torch.testing.assert_close(found(Poisson()), (2 * (a.sqrt() - b.sqrt())).norm(dim=1), rtol=1e-4, atol=0)
    r = torch.tensor([0.5, 3.0]).double()
    negative_binomial = NegativeBinomial(2, size=None).double()
    negative_binomial.log_dispersion.data = r.log()
    along = 2 * r.sqrt() * ((a / r).sqrt().asinh() - (b / r).sqrt().asinh())  # ∫ √(r / (μ (μ + r))) dμ
    torch.testing.assert_close(found(negative_binomial), along.norm(dim=1), rtol=1e-4, atol=0)
    p, q = simplex(start).softmax(-1), simplex(end).softmax(-1)
    categorical = 2 * (p * q).sqrt().sum(1).acos()
    torch.testing.assert_close(found(Categorical(3), simplex), categorical, rtol=1e-4, atol=0)
    torch.testing.assert_close(found(Gaussian(2, 0.25, learned=False)), 2 * (start - end).norm(dim=1))


def test_a_gaussian_of_free_mean_and_variance_is_hyperbolic() -> None:
    """√2 times the distance of the half plane at (μ / √2, σ) (Atkinson & Mitchell 1981)."""
    start, end = uniform(10, [-1, -1], [1, 1]), uniform(10, [-1, -1], [1, 1], seed=1)  # mean, log variance
    result = distance(FisherRao(vae_of(lambda z: z, HeteroscedasticGaussian(0.0), 2)), start, end)
    half_plane_points = [
        torch.stack([points[:, 0] / math.sqrt(2), (0.5 * points[:, 1]).exp()], -1) for points in (start, end)
    ]
    torch.testing.assert_close(result, math.sqrt(2) * half_plane_distance(*half_plane_points), rtol=1e-4, atol=0)


def test_a_pair_comes_out_the_same_alone_as_among_others() -> None:
    start, end = uniform(6, [-1, 0.5], [1, 2]), uniform(6, [-1, 0.5], [1, 2], seed=1)
    together, alone = geodesics_by_spline(half_plane, start, end), geodesics_by_spline(half_plane, start[2:3], end[2:3])
    torch.testing.assert_close(together.curves.knots[2:3], alone.curves.knots, rtol=1e-10, atol=1e-10)


def test_the_distance_is_a_metric_and_a_straight_line_costs_little() -> None:
    a, b, c = (uniform(8, [-1, 0.5], [1, 2], seed=seed) for seed in range(3))
    torch.testing.assert_close(distance(half_plane, a, b), distance(half_plane, b, a), rtol=1e-6, atol=0)
    assert bool((distance(half_plane, a, b) <= distance(half_plane, a, c) + distance(half_plane, c, b) + 1e-9).all())
    assert float(distance(half_plane, a, a).max()) < 1e-12
    flat, calls = counting(euclidean)
    torch.testing.assert_close(distance(flat, a, b), (a - b).norm(dim=1))
    assert len(calls) <= 5


def test_a_graph_and_its_splines_agree_with_splines() -> None:
    """Within 2 %, where there is one shortest curve; the raw path is never the shorter by more than 0.5 %."""
    start, end = uniform(10, [-1, 0.5], [1, 2]), uniform(10, [-1, 0.5], [1, 2], seed=1)
    graph = grid_graph(half_plane, [-1.5, 0.3], [1.5, 2.7], [41, 33], like=start)
    wanted, raw = half_plane_distance(start, end), shortest_paths(graph, start, end).lengths
    assert bool(((raw / wanted > 0.995) & (raw / wanted < 1.02)).all())
    relaxed = geodesics_by_graph(graph, start, end)
    torch.testing.assert_close(relaxed.lengths, wanted, rtol=1e-4, atol=0)
    torch.testing.assert_close(relaxed.lengths, geodesics_by_spline(half_plane, start, end).lengths, rtol=1e-4, atol=0)


def hill(z: Tensor, tangents: Tensor) -> Tensor:
    """A flat plane with a wall about the origin that costs a hundred times as much to cross."""
    height = 1 + 99 * (-z.square().sum(1) / (2 * 0.3**2)).exp()
    return euclidean(z, tangents) * height[:, None, None]


def test_a_graph_finds_the_way_round_where_a_straight_start_is_stuck() -> None:
    start, end = torch.tensor([[-1.0, 0.0]]).double(), torch.tensor([[1.0, 0.0]]).double()
    through_it = geodesics_by_spline(hill, start, end)  # by symmetry nothing pushes it off the straight line
    assert float(through_it.curves.knots[..., 1].abs().max()) == 0
    round_it = geodesics_by_graph(grid_graph(hill, [-2, -2], [2, 2], [41, 41], like=start), start, end)
    assert float(round_it.lengths) < 0.9 * float(through_it.lengths)
    assert float(round_it.curves.knots.norm(dim=-1).min()) > 0.6


@pytest.mark.parametrize("metric_of", [ExpectedEuclidean, FisherRao])
def test_round_a_hole_in_the_data(metric_of: type[ExpectedEuclidean] | type[FisherRao]) -> None:
    """Latents on a ring, a variance that grows away from them: at least 10 % shorter than the line, nearer the data."""
    angle = 2 * math.pi * torch.arange(24, dtype=torch.float64) / 24
    ring = torch.stack([angle.cos(), angle.sin()], -1)
    decoder = RBFPrecisionDecoder(Fixed(lambda z: z.repeat(1, 5)), ring, torch.full((24,), 15.0).double(), 10, 100.0)
    vae = VAE(MLPEncoder(10, 2), decoder, HeteroscedasticGaussian(), StandardNormal(2)).double()
    metric, start, end = metric_of(vae), ring[:2], ring[12:14]
    graph = grid_graph(metric, [-1.5, -1.5], [1.5, 1.5], [21, 21], like=ring)
    result, line = geodesics_by_graph(graph, start, end, knots=16), straight(start, end, 16)
    assert bool((result.lengths < 0.9 * length(metric, line)).all())

    def off(curve: Spline) -> float:
        return float(torch.cdist(curve(torch.linspace(0, 1, 41)).flatten(0, 1), ring).amin(1).mean())

    assert off(result.curves) < off(line)
    assert float(result.curves(torch.linspace(0, 1, 41)).norm(dim=-1).min()) > 0.3


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ShapeError, match=r"end has shape \(3, 2\), expected \(2, 2\) as start"):
        geodesics_by_spline(euclidean, torch.zeros(2, 2), torch.ones(3, 2))
    with pytest.raises(VAEError, match=r"the energy is .*nan.* at the start; check that the metric is finite"):
        geodesics_by_spline(euclidean, torch.full((1, 2), torch.nan), torch.ones(1, 2))
