"""A Gaussian process over vectors of which kernel and scale are fitted to the values that were paid for.

    T(value(x)) = m + s h(x),    h ~ GP(0, k + noise),    k = (1 - a) M(d) + a M(d / f) + b (x·x' / dims + q q')

M is Matérn 5/2, d the distance |(x - x') / l|, q = (|x|² - dims) / √(2 dims), and x in units of the space's standard
deviation. T is the scale that values are seen on (``scales``). The first part is a landscape with a length l for each
axis. The second is what is rough in the values: it tells of near neighbours alone, f of a length away; without it short
waves on a slope would be all that there is, or noise. The third is a slope and a bowl, which reach beyond what was
seen. The trend is all but what is rough.
m and s are at their closed-form maximum; l, f, a, b, the noise and the power of T have the highest posterior density.
A priori lengths grow with the root of the number of axes, as distances do, and are alike, so that few values are enough
to learn what is common to all axes, and many to tell them apart.
Sources: Rasmussen & Williams 2006, eqs. 2.25-2.30 and 5.9 (posterior, evidence, its slope); Hvarfner et al. 2024,
"Vanilla Bayesian optimization performs great in high dimensions" (lengths by the number of axes); Box & Wilson 1951
(slope and bowl); Snelson et al. 2004, "Warped Gaussian processes" (a scale that is fitted with the kernel).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from scipy.special import expit, logit

from designloop.strategies.surrogates.base import Posterior
from designloop.strategies.surrogates.latent_kernels import distances, matern
from designloop.strategies.surrogates.scales import POWERS, Scale, powered, stretches

_ROOT = 5**0.5

_LENGTH = (2**0.5 - 3 + 0.5 * np.log(12), 3**0.5)
"""Mean and standard deviation of the logarithm of a length, less that of √dims: the mode and the spread of the
log-normal law that the source has for lengths on the unit cube."""

_ALIKE = 0.5
"""Standard deviation of the logarithm of a length around the mean one."""

_OTHERS = np.array([[-8.0, 3.0], [np.log(0.05), 1.0], [-3.0, 2.0], [-3.0, 2.0]])
"""Mean and standard deviation of the logarithms of noise and f, of the log odds of a, and of the logarithm of b."""

_POWER = (1.0, 0.5)
"""Mean and standard deviation of the power of a scale."""

_LENGTHS = (np.log(1e-2), np.log(1e3))
_REACH = [(np.log(1e-6), 0.0), (np.log(1e-3), np.log(0.3)), (-8.0, 3.0), (-12.0, 6.0)]
"""Least and greatest of lengths, and of the others."""

_STEPS = 60
"""Most of a fit."""

_LEAST = 1e-9
"""Variance below which rounding is all that is left."""


@dataclass(frozen=True)
class Shape:
    """What is fitted of a kernel; its points are in units of the space's standard deviation."""

    lengths: np.ndarray
    """(dims,)"""
    noise: float
    """Variance of what is observed."""
    fine: float
    """f"""
    rough: float
    """a"""
    bowl: float
    """b"""
    level: float = 1.0
    """What is left of the first part and the second: less than 1 in a trend."""

    def logs(self) -> np.ndarray:
        """(dims + 4,) numbers without bounds."""
        others = [np.log(self.noise), np.log(self.fine), logit(self.rough), np.log(self.bowl)]
        return np.array([*np.log(self.lengths), *others])

    @classmethod
    def of_logs(cls, logs: np.ndarray) -> Self:
        """The shape that ``logs`` gave."""
        noise, fine, rough, bowl = logs[-4:].tolist()
        return cls(
            np.exp(logs[:-4]), float(np.exp(noise)), float(np.exp(fine)), float(expit(rough)), float(np.exp(bowl))
        )

    def trend(self) -> Self:
        """The kernel without what is rough."""
        return replace(self, rough=0.0, level=self.level * (1 - self.rough))

    def kernel(self, x: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(m, n) between (m, dims) and (n, dims) points."""
        r = distances(x / self.lengths, others / self.lengths)
        near = (1 - self.rough) * matern(r) + (self.rough * matern(r / self.fine) if self.rough else 0.0)
        return np.asarray(self.level * near + self.bowl * _bowl(x) @ _bowl(others).T)

    def variance(self, x: np.ndarray) -> np.ndarray:
        """(m,) of points with themselves."""
        return np.asarray(self.level + self.bowl * np.square(_bowl(x)).sum(1))

    def slopes(self, x: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(m, dims) gradients of ``sum_i weights_i k(x, x_i)``, of (m, n) weights."""
        own, theirs = x / self.lengths, others / self.lengths
        pulls = self.level * weights * self.pull(distances(own, theirs))
        # The kernel falls along x - x_i, so what is summed are pulls towards the points.
        near = (pulls @ theirs - pulls.sum(1, keepdims=True) * own) / self.lengths
        return np.asarray(near + self.bowl * _bowl_slopes(x, weights @ _bowl(others)))

    def variance_slopes(self, x: np.ndarray) -> np.ndarray:
        """(m, dims) gradients of ``variance``."""
        return 2 * self.bowl * _bowl_slopes(x, _bowl(x))

    def pull(self, r: np.ndarray) -> np.ndarray:
        """Minus the slope of both Matérn parts by half the square of distances in lengths."""
        fine = self.rough / self.fine**2 * _pull(r / self.fine) if self.rough else 0.0
        return np.asarray((1 - self.rough) * _pull(r) + fine)


def _bowl(x: np.ndarray) -> np.ndarray:
    """(n, dims + 1) whose products are the third part."""
    dims = x.shape[1]
    depth = (np.square(x).sum(1, keepdims=True) - dims) / (2 * dims) ** 0.5
    return np.concatenate([x / dims**0.5, depth], 1)


def _bowl_slopes(x: np.ndarray, along: np.ndarray) -> np.ndarray:
    """(m, dims) gradients of the product of ``_bowl(x)`` with (m, dims + 1) constants."""
    dims = x.shape[1]
    return np.asarray(along[:, :-1] / dims**0.5 + along[:, -1:] * 2 * x / (2 * dims) ** 0.5)


def _pull(r: np.ndarray) -> np.ndarray:
    """That of Matérn 5/2."""
    return np.asarray(5 / 3 * (1 + _ROOT * r) * np.exp(-_ROOT * r))


@dataclass(frozen=True)
class FittedProcess:
    """The posterior of values over vectors, given those of n."""

    latents: np.ndarray
    """(n, dims)"""
    shape: Shape
    mean: float
    variance: float
    lower: np.ndarray
    """(n, n) Cholesky factor of kernel and noise."""
    weights: np.ndarray
    """(n,) inverse of kernel and noise, times the values less their mean."""
    best: float
    """Of the values, as they are seen."""
    scale: Scale
    """What values are seen on; bounds are of values themselves."""
    part: Shape
    """Of what is foreseen: the whole kernel, or of its trend alone, what is rough being as noise."""

    @classmethod
    def fit(cls, points: np.ndarray, values: np.ndarray, before: Self | None = None) -> Self:
        """The process of highest posterior density.

        Args:
            points: (n, dims) in units of the space's standard deviation.
            values: (n,)
            before: an earlier one, from whose shape and scale on it is sought.
        """
        dims = points.shape[1]
        start = np.concatenate([np.full(dims, _LENGTH[0] + 0.5 * np.log(dims)), _OTHERS[:, 0], [_POWER[0]]])
        if before is not None:
            start = np.append(before.shape.logs(), before.scale.power)
        known = (points, Scale.of(values)(values))
        reach = [*[_LENGTHS] * dims, *_REACH, POWERS]
        solved = minimize(_loss, start, known, "L-BFGS-B", jac=True, bounds=reach, options={"maxiter": _STEPS})
        return cls.of(points, values, Shape.of_logs(solved.x[:-1]), float(solved.x[-1]))

    @classmethod
    def of(cls, points: np.ndarray, values: np.ndarray, shape: Shape, power: float = 1.0) -> Self:
        """The process with a kernel of this shape and a scale of this power."""
        scale = Scale.of(values, power)
        seen = scale(values)
        lower = cholesky(shape.kernel(points, points) + shape.noise * np.eye(len(seen)), lower=True)
        mean, weights = _centred(lower, seen)
        variance = max(float((seen - mean) @ weights) / len(seen), _LEAST**2)
        return cls(points, shape, mean, variance, lower, weights, float(seen.max()), scale, shape)

    def trend(self) -> Self:
        """The posterior of the trend."""
        return replace(self, part=self.shape.trend())

    def __call__(self, points: np.ndarray) -> Posterior:
        """The posterior over (m, dims) points of values as they are seen."""
        across = self.part.kernel(points, self.latents)
        half = solve_triangular(self.lower, across.T, lower=True, check_finite=False)
        mean = self.mean + across @ self.weights

        def variances() -> list[np.ndarray]:
            return [self.variance * np.maximum(self.part.variance(points) - np.square(half).sum(0), _LEAST)]

        def covariances() -> list[np.ndarray]:
            prior = self.part.kernel(points, points) + _LEAST * np.eye(len(points))
            return [self.variance * (prior - half.T @ half)]

        return Posterior([mean], variances, covariances, [self.shape.noise * self.variance], self.best)

    def bounds(self, points: np.ndarray, kappa: np.ndarray | float) -> np.ndarray:
        """(m,) values of which mean and ``kappa`` (m,) standard deviations are seen at (m, dims) points."""
        mean, doubt = self(points).moments()
        return self.scale.values(mean + kappa * doubt)

    def slopes(self, points: np.ndarray, kappa: np.ndarray | float) -> np.ndarray:
        """(m, dims) gradients of the bounds."""
        across = self.part.kernel(points, self.latents)
        half = solve_triangular(self.lower, across.T, lower=True, check_finite=False)
        solved = solve_triangular(self.lower, half, lower=True, trans=1, check_finite=False).T
        left = np.maximum(self.part.variance(points) - np.square(half).sum(0), _LEAST)
        doubt = np.sqrt(self.variance * left)
        share = (self.variance * np.asarray(kappa) / doubt)[:, None]
        rising = self.part.slopes(points, self.latents, self.weights - share * solved)
        rising += 0.5 * share * self.part.variance_slopes(points)
        behind = self.scale.slopes(self.mean + across @ self.weights + kappa * doubt)
        return np.asarray(behind[:, None] * rising)


def _centred(lower: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray]:
    """The most likely mean, and (n,) the inverse of the kernel times the values less it."""
    of_values, of_ones = cho_solve((lower, True), np.column_stack([values, np.ones(len(values))])).T
    mean = float(of_values.sum() / of_ones.sum())
    return mean, of_values - mean * of_ones


def log_density(numbers: np.ndarray, x: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
    """The log posterior density of a shape and a power, but for a constant, and its slope.

    Args:
        numbers: (dims + 5,) logarithms of the shape, and the power.
        x: (n, dims)
        z: (n,) standardized values.
    """
    logs, power = numbers[:-1], float(numbers[-1])
    seen, by_power = powered(z, power)
    likely, rising, by_seen = log_evidence(logs, x, seen)
    prior, steep = log_prior(logs)
    stretch, off = float(stretches(z).sum()), (power - _POWER[0]) / _POWER[1]
    # A density of values is that of what is seen, times how much that rises with them.
    density = likely + (power - 1) * stretch + prior - 0.5 * off**2
    return density, np.append(rising + steep, by_seen @ by_power + stretch - off / _POWER[1])


def _loss(numbers: np.ndarray, x: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
    density, slope = log_density(numbers, x, z)
    return -density, -slope


def log_evidence(logs: np.ndarray, x: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The greatest log density of values over m and s, but for a constant, its slope by a shape, and by values.

    Args:
        logs: (dims + 4,) of the shape.
        x: (n, dims)
        values: (n,) as they are seen.
    """
    n = len(x)
    shape, bowl = Shape.of_logs(logs), _bowl(x)
    scaled = x / shape.lengths
    r = distances(scaled, scaled)
    near, rough = matern(r), matern(r / shape.fine)
    kernel = (1 - shape.rough) * near + shape.rough * rough + shape.bowl * bowl @ bowl.T
    kernel[np.diag_indices(n)] += shape.noise
    lower = cholesky(kernel, lower=True, check_finite=False)
    mean, weights = _centred(lower, values)
    variance = max(float((values - mean) @ weights) / n, _LEAST**2)
    inverse = np.tril(dpotri(lower, lower=1)[0])
    inverse += np.tril(inverse, -1).T
    slack = np.outer(weights, weights) / variance - inverse
    falling = shape.rough / shape.fine**2 * _pull(r / shape.fine)
    pulls = slack * ((1 - shape.rough) * _pull(r) + falling)
    # The sum over pairs of a pull times a squared difference, without making the differences.
    of_lengths = pulls.sum(1) @ np.square(scaled) - np.einsum("ij,ij->j", scaled, pulls @ scaled)
    of_others = [
        shape.noise * np.trace(slack),
        float((slack * falling * np.square(r)).sum()),
        shape.rough * (1 - shape.rough) * float((slack * (rough - near)).sum()),
        shape.bowl * float(((slack @ bowl) * bowl).sum()),
    ]
    evidence = -0.5 * n * np.log(variance) - np.log(np.diag(lower)).sum()
    return float(evidence), np.append(of_lengths, np.multiply(0.5, of_others)), -weights / variance


def log_prior(logs: np.ndarray) -> tuple[float, np.ndarray]:
    """The log density of a shape before anything is known, but for a constant, and its slope."""
    dims = len(logs) - len(_OTHERS)
    middle = logs[:dims].mean()
    apart, high = logs[:dims] - middle, middle - _LENGTH[0] - 0.5 * np.log(dims)
    others = (logs[dims:] - _OTHERS[:, 0]) / _OTHERS[:, 1]
    density = -0.5 * (dims * (high / _LENGTH[1]) ** 2 + (apart @ apart) / _ALIKE**2 + others @ others)
    slope = np.append(-high / _LENGTH[1] ** 2 - apart / _ALIKE**2, -others / _OTHERS[:, 1])
    return float(density), slope
