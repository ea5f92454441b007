"""The chance that a molecule gives a value at all, by those that did and those that failed.

    success ~ Bernoulli(sigmoid(f)),    f ~ GP(logit r, a K),    K = parts in common / mean number of parts

Parts are bits of ECFP4 and r is the rate of success so far. K is linear in them: what a part says adds up, so that one
that failures share is seen after a few of them, whatever else they hold. Of the amplitude a three values are averaged
by their evidence; the posterior is Laplace's, the chance its mean.
Source: Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning", algorithms 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import expit, log_expit, logit

from designloop.molecules.chemistry import count_fingerprints

AMPLITUDES = (1.0, 3.0, 9.0)
"""Variances of f that the parts of a molecule of mean size make together."""

_BITS = 2048
_STEPS, _NEAR = 50, 1e-6
"""Newton's, and the change of f from which on it has converged."""


@dataclass(frozen=True)
class _Laplace:
    """Laplace's approximation under one amplitude."""

    amplitude: float
    slopes: np.ndarray
    """(n,) of the log likelihood in f, at the mode."""
    roots: np.ndarray
    """(n,) square roots of its curvatures."""
    lower: np.ndarray
    """(n, n) Cholesky factor of 1 + roots K roots."""
    log_evidence: float


@dataclass(frozen=True)
class SuccessModel:
    """The posterior over f, given n molecules."""

    parts: np.ndarray
    """(n, bits) zeros and ones."""
    size: float
    """Mean number of parts."""
    offset: float
    """logit r."""
    fits: Sequence[_Laplace]

    @classmethod
    def fit(cls, smiles: Sequence[str], succeeded: np.ndarray) -> SuccessModel:
        """The model of molecules of which (n,) say whether they gave a value; some must have, and some not.

        Raises:
            ValueError: all of them did, or none.
        """
        if succeeded.all() or not succeeded.any():
            raise ValueError(f"found {int(succeeded.sum())} successes of {len(succeeded)}, expected some of both")
        parts, rate = _parts(smiles), rate_of(succeeded)
        size = float(parts.sum(1).mean())
        kernel = parts @ parts.T / size
        offset = float(logit(rate))
        fits = [_approximate(amplitude, kernel, offset, succeeded) for amplitude in AMPLITUDES]
        return cls(parts, size, offset, fits)

    def __call__(self, smiles: Sequence[str]) -> np.ndarray:
        """(m,) chances that molecules give a value."""
        parts = _parts(smiles)
        across, own = parts @ self.parts.T / self.size, parts.sum(1) / self.size
        evidences = np.array([fit.log_evidence for fit in self.fits])
        weights = np.exp(evidences - evidences.max())
        chances = [_chances(fit, across, own, self.offset) for fit in self.fits]
        return np.asarray(weights @ np.array(chances) / weights.sum())


def rate_of(succeeded: np.ndarray) -> float:
    """The rate of success by (n,) outcomes, smoothed as if there had been one success and one failure more."""
    return float((succeeded.sum() + 1) / (len(succeeded) + 2))


def _parts(smiles: Sequence[str]) -> np.ndarray:
    return (count_fingerprints(smiles, "ecfp4", _BITS) > 0).astype(np.float64)


def _approximate(amplitude: float, kernel: np.ndarray, offset: float, succeeded: np.ndarray) -> _Laplace:
    """The approximation at the mode of f, which Newton's steps come to."""
    prior, signs = amplitude * kernel, np.where(succeeded, 1.0, -1.0)
    f = np.full(len(signs), offset)
    for _ in range(_STEPS):
        chance = expit(f)
        roots = np.sqrt(chance * (1 - chance))
        lower = cholesky(np.eye(len(signs)) + roots[:, None] * prior * roots, lower=True)
        pull = np.square(roots) * (f - offset) + (succeeded - chance)
        weights = pull - roots * cho_solve((lower, True), roots * (prior @ pull))
        last, f = f, offset + prior @ weights
        if np.abs(f - last).max() < _NEAR:
            break
    evidence = -0.5 * weights @ (f - offset) + log_expit(signs * f).sum() - np.log(np.diagonal(lower)).sum()
    return _Laplace(amplitude, succeeded - expit(f), roots, lower, float(evidence))


def _chances(fit: _Laplace, across: np.ndarray, own: np.ndarray, offset: float) -> np.ndarray:
    """(m,) means of sigmoid(f), by the probit that comes near it (Rasmussen & Williams, eq. 3.25)."""
    prior = fit.amplitude * across
    half = solve_triangular(fit.lower, fit.roots[:, None] * prior.T, lower=True)
    variance = np.maximum(fit.amplitude * own - np.square(half).sum(0), 0.0)
    mean = offset + prior @ fit.slopes
    return np.asarray(expit(mean / np.sqrt(1 + np.pi / 8 * variance)))
