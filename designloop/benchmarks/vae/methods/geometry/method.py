"""Geometry: metrics, lengths and distances that are known, data with a hole, and how fast a metric is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.benchmarks.common.machine import fp32_matmul_tflops, median_seconds
from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, worst_row
from designloop.benchmarks.vae.methods.geometry.hole import hole_rows
from designloop.vae.geometry.geodesics import distance, geodesics_by_graph, geodesics_by_spline
from designloop.vae.geometry.graph import grid_graph, shortest_paths
from designloop.vae.geometry.metric import FisherRao, metric_tensor, pullback_metric
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder, mlp
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.surfaces import SURFACES, Surface

TITLE = "The Latent Riemannian Manifold"
FILE = "designloop/vae/geometry/"
PAGE = "geometry.md"

PAIRS = 20
"""Of each surface and likelihood, a seed."""

SIDE = 41
"""Points along each side of a grid."""

POINTS, HIDDEN, FEATURES = 10_000, 200, 784
"""Of the metric that is timed: points, width of its two hidden layers, outputs."""

REPEATS = 5
"""Of which the median is taken."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures the geometry's rows."""
    rows: list[Row] = []
    for what, rows_of_part in (
        ("surfaces whose geometry is known", _measure_surfaces(seeds)),
        ("Fisher–Rao distances", _measure_distances(seeds)),
        ("grids", _measure_grids()),
        ("data with a hole", hole_rows(seeds)),
        ("how fast a metric is", _measure_speed(seeds)),
    ):
        say(f"  {what}")
        rows += rows_of_part
    return rows


class Function(nn.Module):
    """A decoder that is a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch, latent) -> (batch, params)."""
        return self.function(z)


def _vae(function: Callable[[Tensor], Tensor], likelihood: Likelihood, latent: int) -> VAE:
    return VAE(MLPEncoder(1, latent), Function(function), likelihood, StandardNormal(latent)).double().eval()


def _measure_surfaces(seeds: Sequence[int]) -> Iterator[Row]:
    """Measures metrics and lengths on each surface, by spline and by graph."""
    agree: list[Tensor] = []
    raw: list[Tensor] = []
    for surface in SURFACES:
        metric = FisherRao(_vae(surface.place, Gaussian(3, 1.0, learned=False), 2))
        metric_errors, misses = [], []
        for seed in seeds:
            start, end, expected = (
                torch.from_numpy(values) for values in surface.pairs(PAIRS, np.random.default_rng(seed))
            )
            true = surface.metric(start)
            metric_errors.append(((metric_tensor(metric, start) - true).abs().amax((1, 2)) / true.amax((1, 2))).max())
            by_spline = geodesics_by_spline(metric, start, end)
            misses.append((by_spline.lengths / expected - 1).abs())
            graph = grid_graph(metric, *_box(surface, start, end), like=start)
            by_graph = geodesics_by_graph(graph, start, end)
            agree.append(by_graph.lengths / by_spline.lengths)
            raw.append(shortest_paths(graph, start, end).lengths / by_graph.lengths)
        yield worst_row(
            f"{surface.name}: metric − closed form, relative, greatest",
            torch.stack(metric_errors).tolist(),
            bar="< 0.00001",
            limit=1e-5,
        )
        yield worst_row(
            f"{surface.name}: length − geodesic's, relative, greatest",
            torch.cat(misses).tolist(),
            bar="< 1 %",
            limit=0.01,
        )
    yield worst_row(
        "surfaces: relaxed graph and spline, relative difference, greatest",
        (torch.cat(agree) - 1).abs().tolist(),
        bar="< 2 %",
        limit=0.02,
    )
    least, most = (float(value) for value in torch.cat(raw).aminmax())
    yield Row(
        measure="surfaces: raw graph's length over the relaxed one, least",
        bar="> 0.995",
        value=least,
        seeds=len(torch.cat(raw)),
        holds=least > 0.995,
    )
    yield Row(
        measure="surfaces: raw graph's length over the relaxed one, greatest", value=most, seeds=len(torch.cat(raw))
    )


def _box(surface: Surface, start: Tensor, end: Tensor) -> tuple[list[float], list[float], list[int]]:
    """Returns a box about the pairs with a margin, and a grid's shape."""
    both = torch.cat([start, end])
    margin = 0.15 * (both.amax(0) - both.amin(0))
    return (both.amin(0) - margin).tolist(), (both.amax(0) + margin).tolist(), [SIDE, SIDE]


def _measure_distances(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares Fisher–Rao distances of two features, or of the simplex of three classes, with closed forms."""

    def bernoulli(a: Tensor, b: Tensor) -> Tensor:
        return (2 * (a.sigmoid().sqrt().asin() - b.sigmoid().sqrt().asin())).square().sum(1).sqrt()

    def poisson(a: Tensor, b: Tensor) -> Tensor:
        return (2 * ((a / 2).exp() - (b / 2).exp())).square().sum(1).sqrt()

    def categorical(a: Tensor, b: Tensor) -> Tensor:
        return 2 * (_simplex(a).softmax(1) * _simplex(b).softmax(1)).sqrt().sum(1).acos()

    def gaussian(a: Tensor, b: Tensor) -> Tensor:
        """Takes mean and log variance of one feature: √2 times the half plane's distance at (μ / √2, σ)."""
        (x, y), (u, v) = ((params[:, 0] / math.sqrt(2), (params[:, 1] / 2).exp()) for params in (a, b))
        return math.sqrt(2) * (1 + ((x - u).square() + (y - v).square()) / (2 * y * v)).acosh()

    cases: tuple[tuple[str, Likelihood, Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]], ...] = (
        ("Bernoulli", Bernoulli(), lambda z: z, bernoulli),
        ("Poisson", Poisson(), lambda z: z, poisson),
        ("categorical", Categorical(3), _simplex, categorical),
        ("Gaussian of free mean and variance", HeteroscedasticGaussian(0.0), lambda z: z, gaussian),
    )
    for name, likelihood, decode, closed in cases:
        metric, misses = FisherRao(_vae(decode, likelihood, 2)), []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            start, end = 4 * torch.rand(2, PAIRS, 2, dtype=torch.float64, generator=generator) - 2
            misses.append((distance(metric, start, end) / closed(start, end) - 1).abs())
        yield worst_row(
            f"Fisher–Rao distance, {name}: − closed form, relative, greatest",
            torch.cat(misses).tolist(),
            bar="< 1 %",
            limit=0.01,
        )


def _simplex(z: Tensor) -> Tensor:
    """Returns logits of which the last is zero, so that the latents fill the simplex."""
    return functional.pad(z, (0, 1))


def _measure_grids() -> Iterator[Row]:
    """Measures how much too long paths from a corner of a flat grid are, at two finenesses."""
    for neighbours, bound in ((8, 1.0824), (16, 1.0275), (32, 1.0131)):
        worst = []
        for side in (SIDE, 2 * SIDE - 1):
            graph = grid_graph(_flat, [0, 0], [1, 1], [side, side], neighbours=neighbours)
            rim = graph.points[(graph.points.amax(1) > 1 - 1e-6) & (graph.points.amin(1) > 0)]
            lengths = shortest_paths(graph, torch.zeros_like(rim), rim, neighbours=1).lengths
            worst.append(float((lengths / rim.norm(dim=1)).max()) - 1)
        measure = f"flat grid, {neighbours} neighbours: excess length, greatest, of {SIDE}² and {2 * SIDE - 1}² points"
        share = bound - 1
        holds = all(0.98 * share < excess < share + 1e-4 for excess in worst)
        yield Row(measure=measure, bar=f"{share:.1%}, at any fineness", value=max(worst), seeds=2, holds=holds)


def _flat(z: Tensor, tangents: Tensor) -> Tensor:
    return tangents @ tangents.transpose(-1, -2)


def _measure_speed(seeds: Sequence[int]) -> Iterator[Row]:
    """Times the metric at many points, beside what its products alone take."""
    widths = (2, HIDDEN, HIDDEN, FEATURES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds[0])
        net = mlp(widths, nn.Tanh)
    likelihood = Gaussian(FEATURES, 1.0, learned=False)
    vae = VAE(MLPEncoder(FEATURES, 2), Function(net), likelihood, StandardNormal(2)).eval()
    z = torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(seeds[0]))
    seconds = median_seconds(lambda: pullback_metric(vae, z), REPEATS)
    # Values and two tangents through each layer, then four inner products.
    products = 2 * POINTS * (3 * sum(inputs * outputs for inputs, outputs in pairwise(widths)) + 4 * FEATURES)
    least = products / fp32_matmul_tflops() / 1e12
    what = f"metric at {POINTS:,} points of a {' → '.join(map(str, widths))} MLP"
    yield Row(measure=f"{what}, seconds", value=seconds, seeds=REPEATS)
    yield Row(
        measure=f"{what}, over its matrix products alone at the machine's fp32 speed",
        value=seconds / least,
        seeds=REPEATS,
    )
