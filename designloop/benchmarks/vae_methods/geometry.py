"""Geometry: metrics, lengths and distances that are known, data with a hole, and how fast a metric is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.benchmarks.common.machine import fp32_matmul_tflops
from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row
from designloop.vae.geometry.curves import Spline, length, straight
from designloop.vae.geometry.geodesics import distance, geodesics_by_graph, geodesics_by_spline
from designloop.vae.geometry.graph import grid_graph, shortest_paths
from designloop.vae.geometry.metric import ExpectedEuclidean, FisherRao, Metric, metric_tensor, pullback_metric
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder, RBFPrecisionDecoder, mlp, rbf_centres
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.ring import Ring, ring
from designloop.vae.simulators.surfaces import SURFACES, Surface
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine, ramp

TITLE = "The Latent Riemannian Manifold"
FILE = "designloop/vae/geometry/"
PAGE = "geometry.md"

PAIRS = 20
"""Of each surface and likelihood, a seed."""

SIDE = 41
"""Points along each side of a grid."""

ROWS, STEPS, RATE, BATCH = 2000, 1500, 3e-3, 200
"""Of the ring: rows, and Adam's steps, rate before the cosine and rows a step."""

CENTRES, STRETCH = 32, 2.0
"""Of its precision network."""

KNOTS = 32
"""Of the ring's curves."""

POINTS, HIDDEN, FEATURES = 10_000, 200, 784
"""Of the metric that is timed: points, width of its two hidden layers, outputs."""

REPEATS = 5
"""Of which the median is taken."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """The rows of the geometry's bars."""
    rows: list[Row] = []
    for what, some in (
        ("surfaces whose geometry is known", _surfaces(seeds)),
        ("Fisher–Rao distances", _distances(seeds)),
        ("grids", _grids()),
        ("data with a hole", _hole(seeds)),
        ("how fast a metric is", _speed(seeds)),
    ):
        say(f"  {what}")
        rows += some
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


def _surfaces(seeds: Sequence[int]) -> Iterator[Row]:
    """Metrics and lengths on each surface, by spline and by graph."""
    agree: list[Tensor] = []
    raw: list[Tensor] = []
    for surface in SURFACES:
        metric = FisherRao(_vae(surface.place, Gaussian(3, 1.0, learned=False), 2))
        off, misses = [], []
        for seed in seeds:
            start, end, wanted = (torch.from_numpy(one) for one in surface.pairs(PAIRS, np.random.default_rng(seed)))
            true = surface.metric(start)
            off.append(((metric_tensor(metric, start) - true).abs().amax((1, 2)) / true.amax((1, 2))).max())
            by_spline = geodesics_by_spline(metric, start, end)
            misses.append((by_spline.lengths / wanted - 1).abs())
            graph = grid_graph(metric, *_box(surface, start, end), like=start)
            by_graph = geodesics_by_graph(graph, start, end)
            agree.append(by_graph.lengths / by_spline.lengths)
            raw.append(shortest_paths(graph, start, end).lengths / by_graph.lengths)
        yield _worst(f"{surface.name}: metric − closed form, relative, greatest", "< 0.00001", torch.stack(off), 1e-5)
        yield _worst(f"{surface.name}: length − geodesic's, relative, greatest", "< 1 %", torch.cat(misses), 0.01)
    yield _worst("surfaces: relaxed graph and spline, relative difference, greatest", "< 2 %",
                 (torch.cat(agree) - 1).abs(), 0.02)  # fmt: skip
    least, most = (float(one) for one in torch.cat(raw).aminmax())
    yield Row("surfaces: raw graph's length over the relaxed one, least", "> 0.995", least, None, len(torch.cat(raw)),
              least > 0.995)  # fmt: skip
    yield Row("surfaces: raw graph's length over the relaxed one, greatest", "", most, None, len(torch.cat(raw)), None)


def _box(surface: Surface, start: Tensor, end: Tensor) -> tuple[list[float], list[float], list[int]]:
    """A box about the pairs with a margin, and a grid's shape."""
    both = torch.cat([start, end])
    margin = 0.15 * (both.amax(0) - both.amin(0))
    return (both.amin(0) - margin).tolist(), (both.amax(0) + margin).tolist(), [SIDE, SIDE]


def _distances(seeds: Sequence[int]) -> Iterator[Row]:
    """Fisher–Rao distances of two features, or of the simplex of three classes, with closed forms."""

    def bernoulli(one: Tensor, other: Tensor) -> Tensor:
        return (2 * (one.sigmoid().sqrt().asin() - other.sigmoid().sqrt().asin())).square().sum(1).sqrt()

    def poisson(one: Tensor, other: Tensor) -> Tensor:
        return (2 * ((one / 2).exp() - (other / 2).exp())).square().sum(1).sqrt()

    def categorical(one: Tensor, other: Tensor) -> Tensor:
        return 2 * (_simplex(one).softmax(1) * _simplex(other).softmax(1)).sqrt().sum(1).acos()

    def gaussian(one: Tensor, other: Tensor) -> Tensor:
        """Mean and log variance of one feature: √2 times the half plane's distance at (μ / √2, σ)."""
        (x, y), (u, v) = ((at[:, 0] / math.sqrt(2), (at[:, 1] / 2).exp()) for at in (one, other))
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
        yield _worst(
            f"Fisher–Rao distance, {name}: − closed form, relative, greatest", "< 1 %", torch.cat(misses), 0.01
        )


def _simplex(z: Tensor) -> Tensor:
    """Logits of which the last is zero, so that the latents fill the simplex."""
    return functional.pad(z, (0, 1))


def _grids() -> Iterator[Row]:
    """How much too long paths from a corner of a flat grid are, at two finenesses."""
    for neighbours, bound in ((8, 1.0824), (16, 1.0275), (32, 1.0131)):
        worst = []
        for side in (SIDE, 2 * SIDE - 1):
            graph = grid_graph(_flat, [0, 0], [1, 1], [side, side], neighbours=neighbours)
            rim = graph.points[(graph.points.amax(1) > 1 - 1e-6) & (graph.points.amin(1) > 0)]
            found = shortest_paths(graph, torch.zeros_like(rim), rim, neighbours=1).lengths
            worst.append(float((found / rim.norm(dim=1)).max()) - 1)
        measure = f"flat grid, {neighbours} neighbours: excess length, greatest, of {SIDE}² and {2 * SIDE - 1}² points"
        share = bound - 1
        holds = all(0.98 * share < one < share + 1e-4 for one in worst)
        yield Row(measure, f"{share:.1%}, at any fineness", max(worst), None, 2, holds)


def _flat(z: Tensor, tangents: Tensor) -> Tensor:
    return tangents @ tangents.transpose(-1, -2)


def fit_ring(data: Ring, seed: int, steps: int = STEPS) -> tuple[VAE, Tensor]:
    """A VAE of the ring whose variance grows away from the data, and the data's latents."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(data.x).float()
    features = x.shape[1]

    def batches(n: int) -> Iterator[Batch]:
        return (Batch(x[torch.randint(len(x), (BATCH,), generator=generator)]) for _ in range(n))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, noise = MLPDecoder(2, features, [64]), Gaussian(features, 0.05)
        plain = VAE(MLPEncoder(features, 2, [64]), mean, noise, StandardNormal(2))
    optimizer = torch.optim.Adam(plain.parameters(), lr=RATE)
    fit(plain, ELBO(ramp(0, 1, steps // 5)), batches(steps), optimizer, generator=generator, schedule=cosine(steps))
    with torch.no_grad():
        z, variance = plain.encode(x).mean, float(noise.variance(x)[0, 0])
    decoder = RBFPrecisionDecoder(mean, *rbf_centres(z, CENTRES, STRETCH, seed), features, precision=1 / variance)
    vae = VAE(plain.encoder, decoder, HeteroscedasticGaussian(), plain.prior)
    optimizer = torch.optim.Adam([decoder.log_weights], lr=10 * RATE)
    fit(vae, ELBO(), batches(steps // 3), optimizer, generator=generator, schedule=cosine(steps // 3))
    return vae, z


def opposite(data: Ring, vae: VAE, n: int = 10) -> tuple[Tensor, Tensor]:
    """Latents of pairs of the ring that the hole lies between, (n, 2) each."""
    angle = np.pi * np.arange(n) / n
    starts, ends = (_at(data, vae, one) for one in (angle, angle + np.pi))
    return starts, ends


def _at(data: Ring, vae: VAE, angle: np.ndarray) -> Tensor:
    """(n, 2) posterior means of noiseless rows."""
    x = np.stack([np.cos(angle), np.sin(angle)], -1) @ data.frame.T
    with torch.no_grad():
        return vae.encode(torch.from_numpy(x).float()).mean


def _hole(seeds: Sequence[int]) -> Iterator[Row]:
    """Geodesics between opposite points of a ring, beside straight lines."""
    found: dict[str, dict[str, list[float]]] = {"expected Euclidean": {}, "Fisher–Rao": {}}
    for seed in seeds:
        data = ring(ROWS, np.random.default_rng(seed))
        vae, z = fit_ring(data, seed)
        start, end = opposite(data, vae)
        for name, metric in (("expected Euclidean", ExpectedEuclidean(vae)), ("Fisher–Rao", FisherRao(vae))):
            for measure, value in hole(metric, z, start, end).items():
                found[name].setdefault(measure, []).append(value)
    for name, measures in found.items():
        for measure, bar, holds in (
            ("length over the straight line's, mean, worst seed", "< 0.9", lambda one: one < 0.9),
            ("distance to the data over the straight line's, mean, worst seed", "< 1", lambda one: one < 1),
            ("raw graph's length over the relaxed one, least", "> 0.995", lambda one: one > 0.995),
        ):
            key = measure.split(",")[0]
            value = min(measures[key]) if measure.endswith("least") else max(measures[key])
            floor = None if measure.endswith("least") else 1.0
            yield Row(f"ring, {name}: {measure}", bar, value, None, len(seeds), holds(value), floor=floor)


def hole(metric: Metric, z: Tensor, start: Tensor, end: Tensor) -> dict[str, float]:
    """What geodesics round a hole have over straight lines, and graph over spline."""
    reach = 1.3 * float(z.abs().max())
    graph = grid_graph(metric, [-reach, -reach], [reach, reach], [SIDE, SIDE], like=z)
    raw, line = shortest_paths(graph, start, end), straight(start, end, KNOTS)
    relaxed = geodesics_by_graph(graph, start, end, knots=KNOTS)
    return {
        "length over the straight line's": float((relaxed.lengths / length(metric, line).detach()).mean()),
        "distance to the data over the straight line's": off_data(relaxed.curves, z) / off_data(line, z),
        "raw graph's length over the relaxed one": float((raw.lengths / relaxed.lengths).min()),
    }


def off_data(curves: Spline, z: Tensor) -> float:
    """Mean distance of the curves' points to the nearest latent of the data."""
    points = curves(torch.linspace(0, 1, 101)).detach().flatten(0, 1)
    return float(torch.cdist(points, z).amin(1).mean())


def _speed(seeds: Sequence[int]) -> Iterator[Row]:
    """Seconds of the metric at many points, beside what its products alone take."""
    widths = (2, HIDDEN, HIDDEN, FEATURES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds[0])
        net = mlp(widths, nn.Tanh)
    likelihood = Gaussian(FEATURES, 1.0, learned=False)
    vae = VAE(MLPEncoder(FEATURES, 2), Function(net), likelihood, StandardNormal(2)).eval()
    z = torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(seeds[0]))
    seconds = _median_seconds(lambda: pullback_metric(vae, z))
    # Values and two tangents through each layer, then four inner products.
    products = 2 * POINTS * (3 * sum(one * other for one, other in pairwise(widths)) + 4 * FEATURES)
    least = products / fp32_matmul_tflops() / 1e12
    what = f"metric at {POINTS:,} points of a {' → '.join(map(str, widths))} MLP"
    yield Row(f"{what}, seconds", "", seconds, None, REPEATS, None)
    yield Row(f"{what}, over its matrix products alone at the machine's fp32 speed", "", seconds / least, None,
              REPEATS, None)  # fmt: skip


def _median_seconds(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(REPEATS):
        began = perf_counter()
        work()
        seconds.append(perf_counter() - began)
    return float(np.median(seconds))


def _worst(measure: str, bar: str, values: Tensor, below: float) -> Row:
    """The row of a bar that every value has to keep."""
    worst = float(values.max())
    return Row(measure, bar, worst, None, values.numel(), worst < below)
