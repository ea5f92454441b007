"""Data with a hole: a ring in many dimensions.

    x = A (r cos a, r sin a) + s ε,    a uniform on the circle,  r = 1 + thickness · ε',  A of orthonormal columns

The difficulty is the noise s beside the hole's width: the wider the noise, the less there is a hole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ring:
    """Rows and what they were made of."""

    x: Array
    """(rows, features)"""
    angle: Array
    """(rows,) radians"""
    frame: Array
    """(features, 2) the plane of the ring."""


def ring(n: int, rng: np.random.Generator, noise: float = 0.05, thickness: float = 0.1, features: int = 12) -> Ring:
    """Rows drawn from the ring.

    Args:
        n: rows.
        noise: standard deviation of each feature, beside a radius of 1.
        thickness: standard deviation of the radius.
        features: width of a row, at least 2.
    """
    frame, _ = np.linalg.qr(rng.standard_normal((features, 2)))
    angle = rng.uniform(0, 2 * np.pi, n)
    radius = 1 + thickness * rng.standard_normal(n)
    flat = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return Ring(flat @ frame.T + noise * rng.standard_normal((n, features)), angle, frame)
