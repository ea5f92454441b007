"""Planted anomalies: data to learn from, rows to be told apart, and which of these are anomalous.

    flipped_signs       x = L f + s ε; an anomaly is such a row with the signs of some features flipped at random
    overdispersed       x ~ NB(mean exp(b + L f), dispersion r); an anomaly expresses what is silent in all others
    one_against_rest    classes with factors and skewed margins of their own; one is normal, the others are not
    off_the_ring        a ring in many dimensions (``simulators.ring``); an anomaly lies in its hole
    clustered           factors and noise as in flipped_signs; all anomalies lie close together, off to one side
    long_tails          factors and noise, Student's t in every margin; an anomaly has its features from different rows

Each has a knob for difficulty. ``contamination`` puts anomalies among the rows to learn from, as nobody has told them
apart there; features come in an order and a scale that say nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designloop.vae.simulators.ring import ring

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Planted:
    """One problem."""

    train: Array
    """(rows, features) to learn from; the last ``contamination`` of them are anomalies."""
    test: Array
    """(rows, features)"""
    anomalous: NDArray[np.bool_]
    """(rows,) of ``test``; for the judge only."""


def flipped_signs(
    n: int, rng: np.random.Generator, flipped: int = 3, features: int = 12, factors: int = 3, noise: float = 0.5,
    contamination: float = 0.0,
) -> Planted:  # fmt: skip
    """Anomalies that are in the correlations alone.

    Flipping signs changes no |x|, and no margin, as all margins are symmetric: whatever looks at one feature at a time,
    or at a row's mean |z| or z², is right as often as a coin.

    Args:
        n: rows to learn from, and normal rows of the test; anomalies there are as many.
        flipped: features of an anomalous row whose signs change; few are hard to see.
        noise: standard deviation of what the factors do not explain, beside loadings of about 1 in all.
    """
    loadings = rng.standard_normal((features, factors)) / np.sqrt(factors)

    def normal(rows: int) -> Array:
        scores = rng.standard_normal((rows, factors))
        x: Array = scores @ loadings.T + noise * rng.standard_normal((rows, features))
        return x

    def anomaly(rows: int) -> Array:
        order = rng.random((rows, features)).argsort(1)
        return np.where(order < flipped, -1, 1) * normal(rows)

    return _planted(n, normal, anomaly, contamination)


def overdispersed(
    n: int, rng: np.random.Generator, fold: float = 4.0, genes: int = 60, factors: int = 3, dispersion: float = 2.0,
    contamination: float = 0.0,
) -> Planted:  # fmt: skip
    """Counts from 0.2 to 200 a gene on average; an anomaly has six of the twenty rarest genes up.

    A squared error is that of the few abundant genes, whose spread is as large as their mean; a negative binomial knows
    of each count how far it may lie.

    Args:
        fold: by which the six are up; the nearer to 1, the harder.
        dispersion: r of all genes; the smaller, the noisier.
    """
    levels = np.geomspace(0.2, 200, genes)
    loadings = 0.4 * rng.standard_normal((genes, factors))
    rare = rng.permutation(20)[:6]

    def draw(rows: int, up: float) -> Array:
        mean = levels * np.exp(rng.standard_normal((rows, factors)) @ loadings.T)
        mean[:, rare] *= up
        rate = mean * rng.gamma(dispersion, 1 / dispersion, mean.shape)
        return rng.poisson(rate).astype(np.float64)

    return _planted(n, lambda rows: draw(rows, 1.0), lambda rows: draw(rows, fold), contamination)


def one_against_rest(
    n: int, rng: np.random.Generator, apart: float = 0.5, *, features: int = 12, factors: int = 3, classes: int = 4,
    skew: float = 0.5, contamination: float = 0.0,
) -> Planted:  # fmt: skip
    """A class as others know it: classes share half of their loadings, and a third of the features is skewed.

    Args:
        apart: standard deviation of a class's centre in each feature, beside a spread within it of about 1.
        skew: standard deviation of the logarithm of a skewed feature.
        classes: of which the first is normal and the others are not.
    """
    shared = rng.standard_normal((features, factors))
    own = rng.standard_normal((classes, features, factors))
    loadings = (shared + own) / np.sqrt(2 * factors)
    centres = apart * rng.standard_normal((classes, features))
    noise = rng.uniform(0.3, 1.0, features)
    skewed = rng.random(features) < 1 / 3
    units = np.exp(2 * rng.standard_normal(features))

    def draw(kind: NDArray[np.int_]) -> Array:
        scores = rng.standard_normal((len(kind), factors))
        x: Array = centres[kind] + np.einsum("nf,ndf->nd", scores, loadings[kind])
        x += noise * rng.standard_normal(x.shape)
        x[:, skewed] = np.expm1(skew * x[:, skewed]) / skew if skew else x[:, skewed]
        x *= units
        return x

    return _planted(
        n,
        lambda rows: draw(np.zeros(rows, dtype=int)),
        lambda rows: draw(rng.integers(1, classes, rows)),
        contamination,
    )


def off_the_ring(n: int, rng: np.random.Generator, noise: float = 0.1, contamination: float = 0.0) -> Planted:
    """A ring of radius 1 in twelve dimensions; anomalies have its noise and lie within half its radius.

    Args:
        noise: standard deviation of each feature; the wider, the less there is a hole.
    """
    whole = ring(4 * n, rng, noise)
    rows = iter(whole.x)

    def normal(count: int) -> Array:
        return np.stack([next(rows) for _ in range(count)])

    def anomaly(count: int) -> Array:
        angle, radius = rng.uniform(0, 2 * np.pi, count), 0.5 * np.sqrt(rng.random(count))
        flat = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
        return flat @ whole.frame.T + noise * rng.standard_normal((count, len(whole.frame)))

    return _planted(n, normal, anomaly, contamination)


def clustered(
    n: int, rng: np.random.Generator, apart: float = 8.0, *, features: int = 12, factors: int = 3, noise: float = 0.5,
    width: float = 0.3, contamination: float = 0.0,
) -> Planted:  # fmt: skip
    """Anomalies at one place: what is learnt from rows with some of them easily takes them for a class of its own.

    Args:
        apart: distance of their centre from the normal rows', in a direction that is drawn; the less, the harder.
        width: standard deviation of each of their features about that centre.
    """
    loadings = rng.standard_normal((features, factors)) / np.sqrt(factors)
    direction = rng.standard_normal(features)
    centre = apart * direction / np.linalg.norm(direction)

    def normal(rows: int) -> Array:
        x: Array = rng.standard_normal((rows, factors)) @ loadings.T + noise * rng.standard_normal((rows, features))
        return x

    return _planted(
        n, normal, lambda rows: centre + width * rng.standard_normal((rows, features)), contamination
    )  # fmt: skip


def long_tails(
    n: int, rng: np.random.Generator, degrees: float = 3.0, *, features: int = 12, factors: int = 3, noise: float = 0.3,
    contamination: float = 0.0,
) -> Planted:  # fmt: skip
    """Normal rows with far values of their own; an anomaly has the same margins, but no correlations.

    Args:
        degrees: of freedom of Student's t; the fewer, the longer the tails.
        noise: standard deviation of what the factors do not explain, beside loadings of about 1 in all.
    """
    loadings = rng.standard_normal((features, factors)) / np.sqrt(factors)

    def normal(rows: int) -> Array:
        x: Array = rng.standard_normal((rows, factors)) @ loadings.T + noise * rng.standard_normal((rows, features))
        return x / np.sqrt(rng.chisquare(degrees, (rows, 1)) / degrees)

    def anomaly(rows: int) -> Array:
        return np.stack([column[rng.permutation(rows)] for column in normal(rows).T], 1)

    return _planted(n, normal, anomaly, contamination)


def _planted(n: int, normal: Callable[[int], Array], anomaly: Callable[[int], Array], contamination: float) -> Planted:
    within = round(contamination * n)
    train = np.concatenate([normal(n - within), anomaly(within)]) if within else normal(n)
    return Planted(train, np.concatenate([normal(n), anomaly(n)]), np.arange(2 * n) >= n)
