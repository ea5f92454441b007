"""The member of a committee that sees latents alone: it says what to hope for where nothing was written from yet.

Its bound has a slope, so that places can be sought by gradient before a decoder, which is dear, is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.linalg import solve_triangular

from designloop.strategies.surrogates.base import Belief
from designloop.strategies.surrogates.committee import CommitteeModel
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.latent_kernels import LatentMatern, LatentSimilarity, points_of_latents


@dataclass(frozen=True)
class LatentProcess:
    """A fixed process whose kernel is of latents alone."""

    gp: FixedGP
    similarity: LatentSimilarity

    @classmethod
    def of(cls, belief: Belief) -> Self | None:
        """The one among a committee's members; None where there is none."""
        for process in belief.processes.values() if isinstance(belief, CommitteeModel) else ():
            if isinstance(process.kernel, LatentMatern):
                return cls(process, process.kernel.to(process.molecules))
        return None

    @property
    def latents(self) -> np.ndarray:
        """(n, latent) of the molecules that it was fitted on."""
        return self.similarity.latents

    def bounds(self, latents: np.ndarray, kappa: np.ndarray | float) -> np.ndarray:
        """(m,) mean and ``kappa`` (m,) standard deviations at (m, latent) latents."""
        mean, doubt = self.gp(points_of_latents(latents)).moments()
        return np.asarray(mean + kappa * doubt)

    def slopes(self, latents: np.ndarray, kappa: np.ndarray | float) -> np.ndarray:
        """(m, latent) gradients of the bounds."""
        variance = self.gp.scale.variance
        across = np.float32(variance) * self.similarity(points_of_latents(latents))
        half = solve_triangular(self.gp.lower, across.T, lower=True, check_finite=False)
        both = np.column_stack([self.gp.white, half])
        # L⁻ᵀ [w, L⁻¹ k]: what the mean, and what half the variance that is taken away, are sums of kernels with.
        weights = solve_triangular(self.gp.lower, both, lower=True, trans=1, check_finite=False).T.astype(np.float64)
        doubt = np.sqrt(np.maximum(variance - np.square(half).sum(0), 1e-6 * variance)).astype(np.float64)
        rising = weights[0] - (np.asarray(kappa) / doubt)[:, None] * weights[1:]
        return self.similarity.slopes(latents, variance * rising)


class Sloping(Protocol):
    """What places can be sought by: a process whose bounds have slopes."""

    @property
    def latents(self) -> np.ndarray:
        """(n, latent) that it was fitted on."""

    def bounds(self, latents: np.ndarray, kappa: np.ndarray | float, /) -> np.ndarray:
        """(m,) mean and ``kappa`` (m,) standard deviations at (m, latent) latents."""

    def slopes(self, latents: np.ndarray, kappa: np.ndarray | float, /) -> np.ndarray:
        """(m, latent) gradients of the bounds."""


Kept = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(m, latent) latents that were moved, and what they were before, to where they may go."""


def on_own_spheres(moved: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(m, latent) latents as far from the origin as they were before."""
    radius = np.linalg.norm(before, axis=1, keepdims=True)
    return np.asarray(moved * (radius / np.linalg.norm(moved, axis=1, keepdims=True)))


def favourites(process: Sloping, places: np.ndarray, kappa: np.ndarray) -> np.ndarray:
    """(k,) rows of (m, latent) places: of each doubt (k,) in turn the highest bound of what is left."""
    left, chosen = np.ones(len(places), dtype=bool), list[int]()
    for doubt in kappa:
        chosen.append(int(np.argmax(np.where(left, process.bounds(places, doubt), -np.inf))))
        left[chosen[-1]] = False
    return np.array(chosen, dtype=int)


def ascended(
    process: Sloping,
    latents: np.ndarray,
    kappa: np.ndarray,
    *,
    steps: int,
    length: float,
    scale: np.ndarray | float = 1.0,
    kept: Kept = on_own_spheres,
) -> np.ndarray:
    """(m, latent) latents after steps along the slope of their bounds, each of ``length``.

    A step that lowers a bound is not taken, and the next one from there is half as long.

    Args:
        scale: (latent,) of the axes, or (m, latent, latent) symmetric, of each latent: the slope is that by latents in
            these units, and so is the step.
        kept: brings a step back to where it may go.
    """

    def scaled(rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("mij,mj->mi", scale, rows) if np.ndim(scale) == 3 else scale * rows)

    z, best = latents.copy(), process.bounds(latents, kappa)
    reach = np.full(len(z), length)
    for _ in range(steps):
        slope = scaled(process.slopes(z, kappa))
        norm = np.linalg.norm(slope, axis=1, keepdims=True)
        ahead = kept(z + reach[:, None] * scaled(slope) / np.where(norm > 0, norm, 1.0), z)
        theirs = process.bounds(ahead, kappa)
        higher = theirs > best
        z, best = np.where(higher[:, None], ahead, z), np.where(higher, theirs, best)
        reach = np.where(higher, reach, reach / 2)
    return z
