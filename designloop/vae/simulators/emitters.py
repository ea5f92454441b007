"""Photon-count images of point emitters, as a camera behind a microscope or a telescope takes them.

    x_p ~ Poisson(rate_p),   rate_p = background + Σ_j flux_j ∫_p N(u; position_j, width² I) du

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

    mean_count: float = 5.0
    """Photons a pixel, on average over pixels and images, but for light that falls beside the image."""
    size: int = 16
    """Pixels a side."""
    emitters: int = 2
    """In each image."""
    width: float = 1.5
    """Standard deviation of the spot that a point makes, pixels."""
    margin: float = 2.0
    """Least distance of an emitter from the edge, pixels."""
    background: float = 0.2
    """Share of the photons that comes from no emitter."""
    spread: float = 0.5
    """Standard deviation of a flux's natural logarithm."""

    @property
    def background_rate(self) -> float:
        """Photons a pixel."""
        return self.background * self.mean_count

    @property
    def mean_flux(self) -> float:
        """Photons of an emitter, on average."""
        return (1 - self.background) * self.mean_count * self.size**2 / self.emitters

    def spots(self, positions: Array) -> Array:
        """(..., emitters, size, size) shares of an emitter's photons in each pixel, of positions (..., emitters, 2)."""
        edges = np.arange(self.size + 1)
        shares = np.diff(ndtr((edges - positions[..., None]) / self.width), axis=-1)  # (..., emitters, 2, size)
        spots: Array = shares[..., 0, :, None] * shares[..., 1, None, :]
        return spots

    def rates(self, positions: Array, fluxes: Array) -> Array:
        """(..., size, size) photons expected in each pixel.

        Args:
            positions: (..., emitters, 2) row and column from the image's corner, pixels.
            fluxes: (..., emitters) photons.
        """
        return np.einsum("...e,...eij->...ij", fluxes, self.spots(positions)) + self.background_rate


@dataclass(frozen=True, slots=True)
class Images:
    """Images and what they were made of."""

    counts: Integers
    """(images, 1, size, size) photons."""
    rates: Array
    """(images, 1, size, size) photons expected."""
    positions: Array
    """(images, emitters, 2) row and column from the image's corner, pixels."""
    fluxes: Array
    """(images, emitters) photons."""


def emitters(n: int, rng: np.random.Generator, camera: Camera) -> Images:
    """Images of emitters that were drawn anew for each."""
    positions = rng.uniform(camera.margin, camera.size - camera.margin, (n, camera.emitters, 2))
    log_relative = camera.spread * rng.standard_normal((n, camera.emitters)) - camera.spread**2 / 2
    fluxes = camera.mean_flux * np.exp(log_relative)
    rates = camera.rates(positions, fluxes)[:, None]
    return Images(rng.poisson(rates), rates, positions, fluxes)
