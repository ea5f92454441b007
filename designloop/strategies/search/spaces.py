"""Spaces that vectors are sought in, in units of their standard deviation: a cube, and the sphere of latents."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch

from designloop.strategies.search.crank_nicolson import turned
from designloop.strategies.search.trust_region import RegionSettings
from designloop.strategies.surrogates.latent_process import Kept, on_own_spheres

Rng = np.random.Generator

_MOVED = 20.0
"""Axes along which a place in a cube differs from its centre, in the mean: to move all of many seldom helps."""


class Space(Protocol):
    """What lies around a point, and how far one may go from it."""

    regions: RegionSettings
    """How trust regions start and move here."""

    def around(self, centre: np.ndarray, length: float, scale: np.ndarray, n: int, rng: Rng) -> np.ndarray:
        """(n, dims) places in a region around a centre (dims,).

        Args:
            scale: (dims,) how far it reaches along each axis, 1 in the geometric mean.
        """

    def everywhere(self, n: int, dims: int, rng: Rng) -> np.ndarray:
        """(n, dims) places as chance has them."""

    def kept(self, centre: np.ndarray, length: float, scale: np.ndarray) -> Kept:
        """Keeps what is moved within a region."""

    def step(self, length: float, dims: int) -> float:
        """Of what is moved in a region."""


_HALF = 3**0.5
"""Half a side of the cube."""


class Cube:
    """The unit cube about the origin, in standard deviations. A region is a box; its length, a share of the side."""

    regions = RegionSettings(length=0.8, shortest=0.5**7, longest=1.6, factor=2.0, successes=2, failures=2)

    def around(self, centre: np.ndarray, length: float, scale: np.ndarray, n: int, rng: Rng) -> np.ndarray:
        """(n, dims) centres moved along some axes, evenly within the box."""
        low, high = self._box(centre, length, scale)
        places = low + (high - low) * rng.random((n, len(centre)))
        return np.where(rng.random(places.shape) < min(_MOVED / len(centre), 1.0), places, centre)

    def everywhere(self, n: int, dims: int, rng: Rng) -> np.ndarray:
        """(n, dims) points, evenly."""
        return np.asarray(rng.uniform(-_HALF, _HALF, (n, dims)))

    def kept(self, centre: np.ndarray, length: float, scale: np.ndarray) -> Kept:
        """The nearest points of the box."""
        low, high = self._box(centre, length, scale)
        return lambda moved, before: np.clip(moved, low, high)

    def step(self, length: float, dims: int) -> float:
        """A tenth of the box's side."""
        return 0.2 * _HALF * length

    @staticmethod
    def _box(centre: np.ndarray, length: float, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half = _HALF * length * scale
        return np.maximum(centre - half, -_HALF), np.minimum(centre + half, _HALF)


class Sphere:
    """Where latents lie. A region's length is a level of noise, which turns a latent by the angle of this tangent."""

    regions = RegionSettings()

    def around(self, centre: np.ndarray, length: float, scale: np.ndarray, n: int, rng: Rng) -> np.ndarray:
        """(n, dims) centres under noise of this level."""
        noise = torch.from_numpy(rng.standard_normal((n, len(centre))))
        level = torch.full((n,), length, dtype=noise.dtype)
        return np.asarray(turned(torch.from_numpy(centre), level, noise).numpy())

    def everywhere(self, n: int, dims: int, rng: Rng) -> np.ndarray:
        """(n, dims) standard normal latents."""
        return np.asarray(rng.standard_normal((n, dims)))

    def kept(self, centre: np.ndarray, length: float, scale: np.ndarray) -> Kept:
        """As far from the origin as they were."""
        return on_own_spheres

    def step(self, length: float, dims: int) -> float:
        """A twentieth of the radius, in a region of length 1."""
        return 0.05 * length * math.sqrt(dims)
