"""What a score is believed to be before it is paid for: a Gaussian process a property, through the known objective.

    score(x) = g(h_1(x), …, h_K(x)),    h_k ~ GP,    g = the campaign's transforms and its aggregate

Properties are smoother in the molecule than the score is (a weight is a sum over groups; a score is 0 wherever any one
property is), and a molecule without any score worth the name still tells of each. Expectation and doubt of the score
are taken over draws of the h_k, the same ones for every molecule.
Sources: Astudillo & Frazier 2019, "Bayesian optimization of composite functions"; Desautels et al. 2014, GP-BUCB
(batches).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats.qmc import Sobol

from designloop.strategies.base import Objective, as_it_is
from designloop.strategies.surrogate import FingerprintGP, Kernels, counts_of, covariances_of, mean_square

_DRAWS = 32
"""Of all properties together, for the expectation of a score."""

_AT_ONCE = 32
"""Bounds that are looked at again at once."""

_OUTLYING = 6.0
"""Robust standard deviations from the median at which a value is cut before a GP sees it: one docking gone wrong must
not be all that it learns."""


def cut(values: np.ndarray) -> np.ndarray:
    """(n, k) values, the outlying ones brought in column by column; a column that is mostly one value stays."""
    middle = np.median(values, 0)
    spread = 1.4826 * np.median(np.abs(values - middle), 0)
    reach = np.where(spread > 0, _OUTLYING * spread, np.inf)
    return np.asarray(np.clip(values, middle - reach, middle + reach))


def even_draws(n: int, dims: int) -> np.ndarray:
    """(n, dims) standard normal draws that lie evenly: shifted Sobol points and their mirror images, n a power of 2.

    Each column has mean 0 and variance 1, so what is linear in the draws has its exact mean and standard deviation.
    """
    shift = np.random.default_rng(0).random(dims)
    half = norm.ppf((Sobol(dims, scramble=False).random(n // 2) + shift) % 1)
    draws = np.concatenate([half, -half])
    return np.asarray(draws / draws.std(0))


@dataclass(frozen=True)
class Part:
    """One property: its GP, fitted on standardised targets, and how a draw of it becomes a desirability."""

    gp: FingerprintGP
    centre: float
    scale: float
    to_desirability: Callable[[np.ndarray], np.ndarray]

    def left_out_error(self, targets: np.ndarray, desirable: np.ndarray) -> float:
        """Mean square error of the desirabilities (n,) that the other molecules foresee, of its own targets (n,)."""
        foreseen = self.to_desirability(self.centre + self.scale * self.gp.left_out(targets))
        return float(np.square(foreseen - desirable).mean())

    def desirability(self, mean: np.ndarray, doubt: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """(draws, m) of posterior means and standard deviations (m,) and standard normal draws (draws,)."""
        return self.to_desirability(self.centre + self.scale * (mean + doubt * noise[:, None]))


@dataclass(frozen=True)
class CompositeSurrogate:
    """Fitted GPs of all properties that count, and the objective that makes a score of them."""

    seen: np.ndarray
    """(n, d) bit rows of the molecules paid for."""
    per: float
    """What the kernel's linear term is divided by."""
    parts: tuple[Part, ...]
    aggregate: Callable[[np.ndarray], np.ndarray]
    noise: np.ndarray
    """(draws, properties) standard normal, each column of mean 0 and variance 1."""

    @classmethod
    def fit(cls, seen: np.ndarray, values: np.ndarray, objective: Objective) -> CompositeSurrogate:
        """Fits each property twice, as its value and as its desirability, and keeps what foresees the latter better.

        Mostly the value: the transform's bend is then known, not learned. A value spread over decades is better learned
        bent. Better is the smaller leave-one-out error.

        Args:
            seen: (n, d) bit rows.
            values: (n, properties) in the order of the objective.
        """
        per = mean_square(seen)
        kernels = Kernels.between(seen, seen, per)
        desirable = np.column_stack([t(values[:, k]) for k, t in enumerate(objective.transforms)])
        raw = np.column_stack([cut(values), desirable])
        centre, scale = raw.mean(0), np.maximum(raw.std(0), 1e-9)
        targets = (raw - centre) / scale
        transforms = [*objective.transforms, *[as_it_is] * values.shape[1]]
        fitted = FingerprintGP.fit(kernels, targets), centre.tolist(), scale.tolist(), transforms
        parts = [Part(*one) for one in zip(*fitted, strict=True)]
        wanted = np.column_stack([desirable, desirable])
        errors = [part.left_out_error(*one) for part, *one in zip(parts, targets.T, wanted.T, strict=True)]
        n = values.shape[1]
        best = tuple(parts[k + n if errors[k + n] < errors[k] else k] for k in range(n))
        return cls(seen, per, best, objective.aggregate, even_draws(_DRAWS, n))

    def scores(self, means: Sequence[np.ndarray], variances: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(m,) means and standard deviations of the score, of each part's posterior means and variances (m,)."""
        doubts = [np.sqrt(np.maximum(one, 0.0)) for one in variances]
        by_part = zip(self.parts, means, doubts, self.noise.T, strict=True)
        desirable = np.stack([part.desirability(*posterior) for part, *posterior in by_part], -1)
        drawn = self.aggregate(desirable.reshape(-1, len(self.parts))).reshape(desirable.shape[:2])
        return drawn.mean(0), drawn.std(0)

    def predict(self, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) expected scores and their standard deviations, of bit rows (m, d)."""
        cross = Kernels.between(new, self.seen, self.per)
        own = Kernels(np.ones(len(new)), np.square(counts_of(new)).sum(1) / self.per)
        gps = [part.gp for part in self.parts]
        return self.scores([gp.predict(cross) for gp in gps], covariances_of(gps, cross, own))

    def bound(self, new: np.ndarray, kappa: float) -> np.ndarray:
        """(m,) upper confidence bounds: expected score + kappa standard deviations."""
        mean, doubt = self.predict(new)
        return np.asarray(mean + kappa * doubt)

    def picks(
        self, new: np.ndarray, kappa: float, admissible: Callable[[int], bool] = lambda at: True
    ) -> Iterator[int]:
        """Indices in the order in which to pay for molecules: the highest upper bound first, one at a time.

        Each pick that is admissible is taken as if its properties were what is expected of them, which shrinks the
        doubt about its kin and so spreads a batch (GP-BUCB); what is not admissible is passed over and teaches nothing.

        Args:
            new: (m, d) bit rows.
            kappa: standard deviations added to the mean.
            admissible: asked about an index when its turn has come.
        """
        cross = Kernels.between(new, self.seen, self.per)
        own = Kernels.between(new, new, self.per)
        gps, n = [part.gp for part in self.parts], len(new)
        means = [gp.predict(cross) for gp in gps]
        covariances = covariances_of(gps, cross, own)
        variances = [np.diagonal(one).copy() for one in covariances]
        # A pick's column of a covariance as it was then, scaled: the covariance is what it was less their squares.
        steps, taken = [np.empty((n, n)) for _ in gps], 0
        bounds, left, fresh = np.full(n, np.inf), np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
        while left.any():
            at = int(np.argmax(np.where(left, bounds, -np.inf)))
            if not fresh[at]:
                # What is known about a molecule only grows, so a bound that was not looked at again is none too low.
                stale = np.flatnonzero(left & ~fresh)
                rows = stale if taken == 0 else stale[np.argsort(-bounds[stale], kind="stable")[:_AT_ONCE]]
                mean, doubt = self.scores([one[rows] for one in means], [one[rows] for one in variances])
                bounds[rows], fresh[rows] = mean + kappa * doubt, True
                continue
            left[at] = False
            if admissible(at):
                yield at
                for gp, covariance, variance, step in zip(gps, covariances, variances, steps, strict=True):
                    column = covariance[:, at] - step[:, :taken] @ step[at, :taken]
                    step[:, taken] = column / np.sqrt(column[at] + (gp.noise + 1e-8) * gp.variance)
                    variance -= np.square(step[:, taken])
                taken += 1
                fresh[:] = False
