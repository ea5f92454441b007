"""Photon-count images of point emitters, as a camera behind a microscope or a telescope takes them.

    x_p ~ Poisson(mean_count · rate_p),   rate_p = background + Σ_j flux_j ∫_p N(u; position_j, width² I) du

Emitters lie anywhere in the image but for a margin, their fluxes are log-normal, and rates are scaled so that a pixel
counts ``mean_count`` photons on average. That is the difficulty: at 20 a pixel emitters are plain to see, at 1 nearly
all of an image is noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Camera:
    """What images are taken of, and with."""

    size: int = 16
    """Pixels a side."""
    emitters: int = 2
    """In each image."""
    width: float = 1.5
    """Standard deviation of the spot that a point makes, pixels."""
    margin: float = 2.0
    """Least distance of an emitter from the edge, pixels."""
    background: float = 0.2
    """Rate of a pixel without emitters; the rates of an image are 1 on average, but for light that falls beside."""
    spread: float = 0.5
    """Standard deviation of a flux's natural logarithm."""

    @property
    def mean_flux(self) -> float:
        """Of an emitter, on average: the sum of its rates over all pixels."""
        return (1 - self.background) * self.size**2 / self.emitters

    def spots(self, positions: Array) -> Array:
        """(..., emitters, size, size) shares of an emitter's photons in each pixel, of positions (..., emitters, 2)."""
        edges = np.arange(self.size + 1)
        shares = np.diff(ndtr((edges - positions[..., None]) / self.width), axis=-1)  # (..., emitters, 2, size)
        spots: Array = shares[..., 0, :, None] * shares[..., 1, None, :]
        return spots

    def rates(self, positions: Array, fluxes: Array) -> Array:
        """(..., size, size) rate of each pixel.

        Args:
            positions: (..., emitters, 2) row and column from the image's corner, pixels.
            fluxes: (..., emitters) sums of rates.
        """
        rates: Array = np.einsum("...e,...eij->...ij", fluxes, self.spots(positions)) + self.background
        return rates


@dataclass(frozen=True, slots=True)
class Images:
    """Images and what they were made of."""

    counts: Integers
    """(images, 1, size, size) photons."""
    rates: Array
    """(images, 1, size, size) of each pixel; times the mean count these are the photons expected."""
    mean_counts: Array
    """(images,) photons a pixel, on average."""
    positions: Array
    """(images, emitters, 2) row and column from the image's corner, pixels."""
    fluxes: Array
    """(images, emitters) sums of rates."""


def emitters(n: int, rng: np.random.Generator, camera: Camera, mean_count: float | Array = 5.0) -> Images:
    """Images of emitters that were drawn anew for each.

    Args:
        n: images.
        mean_count: photons a pixel, a number or one an image, (n,): how long the camera looks.
    """
    positions = rng.uniform(camera.margin, camera.size - camera.margin, (n, camera.emitters, 2))
    log_relative = camera.spread * rng.standard_normal((n, camera.emitters)) - camera.spread**2 / 2
    fluxes = camera.mean_flux * np.exp(log_relative)
    rates, mean_counts = camera.rates(positions, fluxes)[:, None], np.broadcast_to(mean_count, (n,)).astype(float)
    return Images(rng.poisson(rates * mean_counts[:, None, None, None]), rates, mean_counts, positions, fluxes)
