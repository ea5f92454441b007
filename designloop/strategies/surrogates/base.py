"""What a surrogate is, and the posterior that it gives over candidates: all that an acquisition knows.

    score(x) = g(h_1(x), …, h_K(x)),    h_k jointly Gaussian over the candidates

Expectation and doubt of a score are taken over draws of the h_k, the same ones for every candidate.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from botorch.exceptions.warnings import BotorchWarning
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from linear_operator import to_linear_operator
from linear_operator.utils.warnings import NumericalWarning
from scipy.linalg import cholesky, solve_triangular
from scipy.stats import norm
from scipy.stats.qmc import Sobol

from designloop.randomness import seeded
from designloop.records import Candidate
from designloop.strategies.archive.archive import Archive, Member

_DRAWS = 32
"""Of all latent values together, for the expectation of a score."""

_DRAWS_EACH = 8
"""At least so many for each latent value: of fewer, even draws of many are anything but independent."""

_JOINT_DRAWS = 512
"""For the covariance of scores."""


@contextmanager
def quiet() -> Iterator[None]:
    """Drops BoTorch's remarks on jitter and on L-BFGS stopping at its limit: neither is a failure here."""
    with warnings.catch_warnings():
        for category in (BotorchWarning, NumericalWarning):
            warnings.simplefilter("ignore", category)
        yield


def normal_posterior(mean: torch.Tensor, covariance: torch.Tensor) -> GPyTorchPosterior:
    """BoTorch's posterior of jointly normal values; twins among them are no error, jitter tells them apart."""
    return GPyTorchPosterior(MultivariateNormal(mean, to_linear_operator(covariance)))


class View(Protocol):
    """How a surrogate sees molecules."""

    def names(self, drawn: Sequence[Candidate]) -> Sequence[str | None]:
        """By which SMILES it knows each; None for what it cannot see."""

    def features(self, names: Sequence[str]) -> np.ndarray:
        """(n, features) of molecules that ``names`` gave."""

    def features_of(self, members: Sequence[Member]) -> np.ndarray:
        """(n, features) of molecules of an archive."""


class Surrogate(Protocol):
    """A kind of belief, not yet fitted."""

    @property
    def view(self) -> View:
        """How its candidates are seen."""

    def fit(self, archive: Archive, seed: int) -> Belief | None:
        """The belief after what an archive holds; None where that is too little to tell molecules apart."""


Moments = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Property -> (m,) means and (m,) standard deviations of what would be measured of some candidates."""


@runtime_checkable
class PropertyBelief(Protocol):
    """What a belief may be, too: one in the unit of the score that says what it expects of each property, too."""

    def __call__(self, features: np.ndarray, /) -> Posterior:
        """The posterior over candidates."""

    def property_moments(self, features: np.ndarray) -> Moments:
        """What it expects of candidates, in the units of the properties."""


@runtime_checkable
class ShownBelief(Protocol):
    """What a belief may be, too: one whose doubt is too wide to be shown of a score."""

    @property
    def doubts_ranks(self) -> bool:
        """Whether this doubt is that of ranks, whose unit is not the scores'."""

    def shown(self, features: np.ndarray, /) -> Posterior:
        """The posterior over candidates with what of its doubt is near the errors that are made."""


@dataclass(frozen=True)
class Goals:
    """What a score is made of, for who trades it off."""

    of_draws: Callable[[Sequence[np.ndarray]], np.ndarray]
    """Draws (draws, m) of each h_k to desirabilities (draws, m, goals)."""
    paid: np.ndarray
    """(n, goals) desirabilities of the molecules paid for; those that are expected of them where they are noisy."""


@dataclass(frozen=True)
class Posterior:
    """Belief about the values of m candidates: of the score, or of what has the order of the score."""

    means: Sequence[np.ndarray]
    """(m,) of each h_k."""
    variances: Callable[[], Sequence[np.ndarray]]
    """Gives (m,) of each."""
    covariances: Callable[[], Sequence[np.ndarray]]
    """Gives (m, m) of each: dear for many candidates, so only where it is needed."""
    noises: Sequence[float]
    """Variance of what is observed of each around it."""
    best: float
    """Greatest value among the molecules that it was fitted on."""
    value: Callable[[Sequence[np.ndarray]], np.ndarray] | None = None
    """g: draws (draws, m) of each h_k to values (draws, m). None: there is one h, and it is the value."""
    goals: Goals | None = None
    """What the value is made of, where that is known."""
    measured: int = 0
    """So many of its molecules, the last ones, are no candidates: they were measured, and how noisily it allows for."""

    def __len__(self) -> int:
        return len(self.means[0])

    @property
    def free(self) -> int:
        """How many of its molecules, the first ones, are candidates."""
        return len(self) - self.measured

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """(m,) means and standard deviations."""
        return self.moments_of(self.means, self.variances())

    def moments_of(self, means: Sequence[np.ndarray], variances: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(m,) means and standard deviations of values, of means and variances (m,) of each h_k."""
        doubts = [np.sqrt(np.maximum(variance, 0.0)) for variance in variances]
        if self.value is None:
            return means[0], doubts[0]
        drawn = self.value(_marginal_draws(means, doubts))
        return drawn.mean(0), drawn.std(0)

    @property
    def noise(self) -> float:
        """Variance of what is observed of the value around it, a mean over the candidates."""
        if self.value is None:
            return float(self.noises[0])
        spread = [np.full(len(mean), np.sqrt(noise)) for mean, noise in zip(self.means, self.noises, strict=True)]
        return float(self.value(_marginal_draws(self.means, spread)).var(0).mean())

    def goal_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """(m, goals) means and standard deviations of the desirabilities."""
        doubts = [np.sqrt(np.maximum(variance, 0.0)) for variance in self.variances()]
        drawn = self.known_goals.of_draws(_marginal_draws(self.means, doubts))
        return drawn.mean(0), drawn.std(0)

    def goal_samples(self, n: int, seed: int) -> np.ndarray:
        """(n, m, goals) joint draws of the desirabilities."""
        return self.known_goals.of_draws(self._joint_draws(n, seed))

    @property
    def known_goals(self) -> Goals:
        """What the value is made of.

        Raises:
            ValueError: nothing is known of it.
        """
        if self.goals is None:
            raise ValueError("found a posterior of one value, expected one of several goals: fit a CompositeSurrogate")
        return self.goals

    def samples(self, n: int, seed: int) -> np.ndarray:
        """(n, m) joint draws."""
        draws = self._joint_draws(n, seed)
        return draws[0] if self.value is None else self.value(draws)

    @torch.no_grad()
    def _joint_draws(self, n: int, seed: int) -> list[np.ndarray]:
        """(n, m) of each h_k."""
        draws = []
        with seeded(seed), quiet():
            for mean, covariance in zip(self.means, self._covariances, strict=True):
                normal = normal_posterior(torch.from_numpy(mean), torch.from_numpy(covariance))
                draws.append(normal.rsample(torch.Size([n])).squeeze(-1).numpy())
        return draws

    def joint(self) -> tuple[np.ndarray, np.ndarray]:
        """(m,) means and (m, m) covariance of the values: exact for one h, of draws for more."""
        if self.value is None:
            return self.means[0], self._covariances[0]
        drawn = self.samples(_JOINT_DRAWS, 0)
        return drawn.mean(0), np.atleast_2d(np.cov(drawn.T))

    @cached_property
    def _covariances(self) -> Sequence[np.ndarray]:
        return self.covariances()


Belief = Callable[[np.ndarray], Posterior]
"""A fitted surrogate: features of candidates, as its view gives them, to a posterior over these."""


class Fantasies:
    """A posterior that is told outcomes, one molecule after another, as if they were what is expected of them.

    An observed value's column of the covariance as it was then, scaled, is kept: the covariance is what it was less the
    products of these columns (a Cholesky factor, made column by column). Means stay, for what was told was expected.
    """

    def __init__(self, posterior: Posterior) -> None:
        self._posterior, self._covariances = posterior, posterior._covariances
        self._variances = [np.diagonal(covariance).copy() for covariance in self._covariances]
        self._columns = [np.empty(covariance.shape) for covariance in self._covariances]
        self._count = 0

    def moments(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(k,) means and standard deviations of the candidates in these rows, after what was told."""
        means = [mean[rows] for mean in self._posterior.means]
        return self._posterior.moments_of(means, [variance[rows] for variance in self._variances])

    def tell(self, row: int) -> None:
        """Takes a candidate's expectation for its outcome: doubt about its kin shrinks."""
        count = self._count
        known = zip(self._covariances, self._variances, self._columns, self._posterior.noises, strict=True)
        for covariance, variance, columns, noise in known:
            column = covariance[:, row] - columns[:, :count] @ columns[row, :count]
            columns[:, count] = column / np.sqrt(column[row] + noise)
            variance -= np.square(columns[:, count])
        self._count += 1


def _marginal_draws(means: Sequence[np.ndarray], doubts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """(draws, m) of each h_k, the same noise for every candidate."""
    enough = 2 ** math.ceil(math.log2(_DRAWS_EACH * len(means)))
    noises = even_draws(max(_DRAWS, enough), len(means)).T
    return [m + d * noise[:, None] for m, d, noise in zip(means, doubts, noises, strict=True)]


@lru_cache(maxsize=8)
def even_draws(n: int, dims: int) -> np.ndarray:
    """(n, dims) standard normal draws that lie evenly: shifted Sobol points and their mirror images, n a power of 2.

    Each column has mean 0 and variance 1, and no two are correlated: so what is linear in the draws has its exact mean
    and standard deviation. That takes at least as many pairs of mirror images as columns.
    """
    shift = np.random.default_rng(0).random(dims)
    half = norm.ppf((Sobol(dims, scramble=False).random(n // 2) + shift) % 1)
    draws = np.concatenate([half, -half])
    return np.asarray(solve_triangular(cholesky(draws.T @ draws / n, lower=True), draws.T, lower=True).T)
