"""Data with a hole: geodesics of a VAE of a ring, beside straight lines and the raw graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from designloop.benchmarks.common.rows import Row
from designloop.vae.geometry.curves import Spline, length, straight
from designloop.vae.geometry.geodesics import geodesics_by_graph
from designloop.vae.geometry.graph import grid_graph, shortest_paths
from designloop.vae.geometry.metric import ExpectedEuclidean, FisherRao, Metric
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder, RBFPrecisionDecoder, rbf_centres
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.ring import Ring, ring
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine, ramp

SIDE = 41
"""Points along each side of the grid over the latents."""

ROWS, STEPS, RATE, BATCH = 2000, 1500, 3e-3, 200
"""Of the ring: rows, and Adam's steps, rate before the cosine and rows a step."""

CENTRES, STRETCH = 32, 2.0
"""Of its precision network."""

KNOTS = 32
"""Of the ring's curves."""


def fit_ring(data: Ring, seed: int) -> tuple[VAE, Tensor]:
    """Fits a VAE of the ring whose variance grows away from the data; returns it and the data's latents."""
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
    fit(
        plain,
        ELBO(ramp(0, 1, STEPS // 5)),
        batches(STEPS),
        optimizer,
        generator=generator,
        schedule=cosine(STEPS),
        clip=1.0,
    )
    with torch.no_grad():
        z, variance = plain.encode(x).mean, float(noise.variance(x)[0, 0])
    decoder = RBFPrecisionDecoder(mean, *rbf_centres(z, CENTRES, STRETCH, seed), features, precision=1 / variance)
    vae = VAE(plain.encoder, decoder, HeteroscedasticGaussian(), plain.prior)
    optimizer = torch.optim.Adam([decoder.log_weights], lr=10 * RATE)
    fit(vae, ELBO(), batches(STEPS // 3), optimizer, generator=generator, schedule=cosine(STEPS // 3), clip=1.0)
    return vae, z


def opposite_pairs(data: Ring, vae: VAE, n: int = 10) -> tuple[Tensor, Tensor]:
    """Returns latents of pairs of the ring that the hole lies between, (n, 2) each."""
    angle = np.pi * np.arange(n) / n
    starts, ends = (_latents_at(data, vae, angles) for angles in (angle, angle + np.pi))
    return starts, ends


def _latents_at(data: Ring, vae: VAE, angle: np.ndarray) -> Tensor:
    """Returns (n, 2) posterior means of noiseless rows."""
    x = np.stack([np.cos(angle), np.sin(angle)], -1) @ data.frame.T
    with torch.no_grad():
        return vae.encode(torch.from_numpy(x).float()).mean


def hole_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares geodesics between opposite points of a ring with straight lines."""
    results: dict[str, dict[str, list[float]]] = {"expected Euclidean": {}, "Fisher–Rao": {}}
    for seed in seeds:
        data = ring(ROWS, np.random.default_rng(seed))
        vae, z = fit_ring(data, seed)
        start, end = opposite_pairs(data, vae)
        for name, metric in (("expected Euclidean", ExpectedEuclidean(vae)), ("Fisher–Rao", FisherRao(vae))):
            for measure, value in compare_with_lines(metric, z, start, end).items():
                results[name].setdefault(measure, []).append(value)
    for name, measures in results.items():
        for measure, bar, holds in (
            ("length over the straight line's, mean, worst seed", "< 0.9", lambda value: value < 0.9),
            ("distance to the data over the straight line's, mean, worst seed", "< 1", lambda value: value < 1),
            ("raw graph's length over the relaxed one, least", "> 0.995", lambda value: value > 0.995),
        ):
            key = measure.split(",")[0]
            value = min(measures[key]) if measure.endswith("least") else max(measures[key])
            floor = None if measure.endswith("least") else 1.0
            yield Row(
                measure=f"ring, {name}: {measure}",
                bar=bar,
                value=value,
                seeds=len(seeds),
                holds=holds(value),
                floor=floor,
            )


def compare_with_lines(metric: Metric, z: Tensor, start: Tensor, end: Tensor) -> dict[str, float]:
    """Compares geodesics round a hole with straight lines, and the graph's with the spline's."""
    reach = 1.3 * float(z.abs().max())
    graph = grid_graph(metric, [-reach, -reach], [reach, reach], [SIDE, SIDE], like=z)
    raw, line = shortest_paths(graph, start, end), straight(start, end, KNOTS)
    relaxed = geodesics_by_graph(graph, start, end, knots=KNOTS)
    return {
        "length over the straight line's": float((relaxed.lengths / length(metric, line).detach()).mean()),
        "distance to the data over the straight line's": distance_to_data(relaxed.curves, z)
        / distance_to_data(line, z),
        "raw graph's length over the relaxed one": float((raw.lengths / relaxed.lengths).min()),
    }


def distance_to_data(curves: Spline, z: Tensor) -> float:
    """Returns the mean distance of the curves' points to the nearest latent of the data."""
    points = curves(torch.linspace(0, 1, 101)).detach().flatten(0, 1)
    return float(torch.cdist(points, z).amin(1).mean())
