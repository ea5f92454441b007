"""Tables whose conditional expectations are known, and the ways in which entries of a table go missing.

    x = W2 bent(W1 z) + noise · ε,   bent(h) = tanh(bend · h) / bend,   z ~ N(0, I)          the table
    s_i = 1 where x_i is observed: what its chance may depend on                           the mask

    MCAR   on nothing
    MAR    on entries that are always observed
    MNAR   on the entry itself, here: P(missing | x_i) = sigmoid(sign · steepness · (x_i − threshold))

The difficulty of the table is ``bend``: at 0 it is linear-Gaussian, and a linear regression on what is observed is the
best that can be done. That of the mask is the share of what is missing. Source of the three kinds: Rubin 1976,
"Inference and missing data"; of the self-masking one Ipsen et al. 2021, "not-MIWAE".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
"""(rows, features) True where an entry is observed."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What the rows of a table are drawn from."""

    inner: Array
    """(hidden, latent) W1"""
    outer: Array
    """(features, hidden) W2"""
    bend: float
    """0 is linear."""
    noise: float
    """Standard deviation of each entry about the surface; the surface's own is about 1."""

    def mean(self, z: Array) -> Array:
        """(..., features) the surface at z (..., latent)."""
        h = z @ self.inner.T
        bent = np.tanh(self.bend * h) / self.bend if self.bend else h
        surface: Array = bent @ self.outer.T
        return surface

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """(n, features) rows."""
        on = self.mean(rng.standard_normal((n, self.inner.shape[1])))
        return on + self.noise * rng.standard_normal(on.shape)


def surface(
    rng: np.random.Generator, features: int = 12, latent: int = 2, bend: float = 2.0, noise: float = 0.3
) -> Surface:
    """A surface that is as wide in every feature.

    Args:
        features: width of a row. latent: dimensions of the surface.
        bend: how far it is from a plane; not negative.
        noise: standard deviation of each entry about it.
    """
    hidden = 4 * latent
    raw = Surface(rng.standard_normal((hidden, latent)), rng.standard_normal((features, hidden)), bend, noise)
    spread = raw.mean(rng.standard_normal((20_000, latent))).std(0)
    return Surface(raw.inner, raw.outer / spread[:, None], bend, noise)


def mcar(shape: tuple[int, int], rng: np.random.Generator, share: float) -> Mask:
    """A mask that depends on nothing.

    Args:
        shape: rows and features.
        share: of entries that are missing; a row that would lose all keeps one.
    """
    return _keep_one(rng.random(shape) >= share, rng)


def mar(x: Array, rng: np.random.Generator, share: float, always: int = 3, steepness: float = 2.0) -> Mask:
    """A mask that depends on the first features, which are always observed.

    Each of the other features is missing where a random direction of those is large, by a logistic law.

    Args:
        x: (rows, features).
        share: of the other features' entries that are missing.
        always: features that are always observed.
        steepness: of the logistic law, in standard deviations of the direction; 0 is MCAR.
    """
    known = (x[:, :always] - x[:, :always].mean(0)) / x[:, :always].std(0)
    directions = rng.standard_normal((always, x.shape[1] - always))
    pull = known @ (directions / np.linalg.norm(directions, axis=0))
    lift = brentq(lambda b: float(expit(steepness * pull + b).mean()) - share, -60, 60)
    missing = rng.random(pull.shape) < expit(steepness * pull + lift)
    return np.concatenate([np.ones((len(x), always), bool), ~missing], 1)


def self_masked(
    x: Array,
    rng: np.random.Generator,
    threshold: float | Array = 0.0,
    steepness: float = 5.0,
    sign: int = 1,
    columns: int | None = None,
) -> Mask:
    """A mask by which entries hide themselves: the large ones for a sign of 1, the small ones for −1.

    Args:
        x: (rows, features).
        threshold: where half are missing, a number or one a column.
        steepness: of the logistic law; not negative.
        columns: the first so many hide themselves, the others are observed; None for all but the last.
    """
    own = x[:, : x.shape[1] - 1 if columns is None else columns]
    missing = rng.random(own.shape) < expit(sign * steepness * (own - threshold))
    return np.concatenate([~missing, np.ones((len(x), x.shape[1] - own.shape[1]), bool)], 1)


def _keep_one(mask: Mask, rng: np.random.Generator) -> Mask:
    blind = ~mask.any(1)
    mask[blind, rng.integers(mask.shape[1], size=int(blind.sum()))] = True
    return mask
