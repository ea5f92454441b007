"""What true emitters can be made of: the best denoising there is, and the emitters of a denoised image."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from designloop.vae.simulators.emitters import Camera, Images

Array = NDArray[np.float64]

PARTICLES, TEMPERATURES, MOVES = 400, 40, 2
"""Of the sequential Monte Carlo that stands for the true posterior."""

STEP = 0.125
"""Of the grid on which emitters of an image are looked for, pixels."""


def true_means(camera: Camera, images: Images, rng: np.random.Generator) -> Array:
    """(images, size, size) E[rate | counts] under the simulator itself, by sequential Monte Carlo.

    Particles go from the prior to the posterior through p(emitters) p(counts | emitters)^β, are drawn anew by their
    weights at each β, and moved by Metropolis steps as long as the particles are spread.
    """
    n, e = len(images.counts), camera.emitters
    counts, scale = images.counts[:, 0, None], images.mean_counts[:, None, None, None]
    low, high = camera.margin, camera.size - camera.margin
    places = rng.uniform(low, high, (n, PARTICLES, e, 2))
    logs = rng.standard_normal((n, PARTICLES, e))

    def rates(places: Array, logs: Array) -> Array:
        return camera.rates(places, camera.mean_flux * np.exp(camera.spread * logs - camera.spread**2 / 2))

    def log_likelihood(rate: Array) -> Array:
        return np.asarray((counts * np.log(rate) - scale * rate).sum((-1, -2)))

    here = log_likelihood(rates(places, logs))
    ladder = np.geomspace(1e-3, 1, TEMPERATURES)
    for before, beta in zip([0.0, *ladder], ladder, strict=False):
        weight = np.exp((beta - before) * (here - here.max(1, keepdims=True)))
        share = np.cumsum(weight / weight.sum(1, keepdims=True), 1)
        wanted = (np.arange(PARTICLES) + rng.random((n, 1))) / PARTICLES  # systematic resampling
        chosen = np.stack(
            [np.searchsorted(row, u).clip(0, PARTICLES - 1) for row, u in zip(share, wanted, strict=True)]
        )
        places = np.take_along_axis(places, chosen[:, :, None, None], 1)
        logs, here = np.take_along_axis(logs, chosen[:, :, None], 1), np.take_along_axis(here, chosen, 1)
        for move in range(MOVES):
            shrink = (1.0, 0.3)[move % 2]
            far = shrink * places.std(1, keepdims=True) * rng.standard_normal(places.shape)
            loud = shrink * logs.std(1, keepdims=True) * rng.standard_normal(logs.shape)
            new_places, new_logs = places + far, logs + loud
            inside = ((new_places > low) & (new_places < high)).all((-1, -2))
            there = log_likelihood(rates(np.clip(new_places, low, high), new_logs))
            log_chance = beta * (there - here) - 0.5 * (new_logs**2 - logs**2).sum(-1)
            taken = inside & (np.log(rng.random(log_chance.shape)) < log_chance)
            places = np.where(taken[..., None, None], new_places, places)
            logs, here = np.where(taken[..., None], new_logs, logs), np.where(taken, there, here)
    return np.asarray(rates(places, logs).mean(1))


def fit_emitters(camera: Camera, rates: Array, sweeps: int = 4) -> tuple[Array, Array]:
    """Positions (images, emitters, 2) and fluxes (images, emitters) at which spots are nearest to images of rates.

    By least squares on a grid, one emitter after the other on what the others leave, in several sweeps.

    Args:
        rates: (images, size, size).
    """
    axis = np.arange(camera.margin, camera.size - camera.margin + STEP / 2, STEP)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 2)
    spots = camera.spots(grid)[:, 0].reshape(len(grid), -1)
    norms, flat = (spots**2).sum(1), (rates - camera.background).reshape(len(rates), -1)
    index = np.zeros((len(rates), camera.emitters), int)
    fluxes = np.zeros((len(rates), camera.emitters))
    for _ in range(sweeps):
        for emitter in range(camera.emitters):
            others = np.einsum("ne,nep->np", fluxes, spots[index]) - fluxes[:, [emitter]] * spots[index[:, emitter]]
            products = (flat - others) @ spots.T
            best = (np.maximum(products, 0) / np.sqrt(norms)).argmax(1)
            index[:, emitter] = best
            fluxes[:, emitter] = np.maximum(products[np.arange(len(best)), best], 0) / norms[best]
    return grid[index, 0], fluxes


def emitter_errors(camera: Camera, images: Images, rates: Array) -> tuple[float, float]:
    """Median distance of the fitted emitters from the true ones, pixels, and median relative error of their fluxes."""
    positions, fluxes = fit_emitters(camera, rates)
    orders = list(permutations(range(camera.emitters)))
    apart = np.stack([np.linalg.norm(positions[:, order] - images.positions, axis=-1) for order in orders])
    best = apart.sum(-1).argmin(0)
    rows = np.arange(len(best))
    matched = np.take_along_axis(fluxes, np.array(orders)[best], 1)
    relative = np.abs(matched / images.fluxes - 1)
    return float(np.median(apart[best, rows])), float(np.median(relative))
