"""A trade-off that is drawn anew a round: several goals become one value by Chebyshev's scalarisation (ParEGO).

    value(y) ∝ min_k w_k n_k(y) + α Σ_k w_k n_k(y),    w uniform on the simplex,    n_k: 0 to 1 over what was paid for

Source: Knowles 2006, "ParEGO: a hybrid algorithm with on-line landscape approximation for expensive multiobjective
optimization problems".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from designloop.randomness import rng_of
from designloop.strategies.archive.archive import Archive
from designloop.strategies.surrogates.base import Belief, Posterior, Surrogate, View

AUGMENTED = 0.05
"""α: what keeps a point that is as good in the worst goal, and better in another, above."""


@dataclass(frozen=True)
class Chebyshev:
    """One trade-off between goals."""

    weights: np.ndarray
    """(goals,) that add to 1."""
    low: np.ndarray
    """(goals,) desirabilities that count as 0."""
    width: np.ndarray
    """(goals,) up to what counts as 1."""

    @classmethod
    def drawn(cls, paid: np.ndarray, seed: int) -> Chebyshev:
        """The trade-off that a seed gives, in the units of (n, goals) desirabilities of what was paid for."""
        width = np.ptp(paid, axis=0)
        weights = rng_of(seed, "trade-off").dirichlet(np.ones(paid.shape[1]))
        return cls(weights, paid.min(0), np.where(width > 0, width, 1.0))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(…,) values of desirabilities (…, goals): 1 of what is as good in every goal as anything paid for."""
        weighted = self.weights * (points - self.low) / self.width
        return np.asarray((weighted.min(-1) + AUGMENTED * weighted.sum(-1)) / (self.weights.min() + AUGMENTED))


@dataclass(frozen=True)
class ScalarisedSurrogate:
    """The belief of another surrogate that knows several goals, as one of a trade-off between them."""

    inner: Surrogate

    @property
    def view(self) -> View:
        """That of the other one."""
        return self.inner.view

    def fit(self, archive: Archive, seed: int) -> Belief | None:
        """The belief after what an archive holds; the trade-off follows from the seed, which each round has its own."""
        belief = self.inner.fit(archive, seed)
        return None if belief is None else lambda features: scalarised(belief(features), seed)


def scalarised(posterior: Posterior, seed: int) -> Posterior:
    """A posterior of several goals with the value of the trade-off that a seed gives; its goals stay as they are."""
    goals = posterior.known_goals
    trade_off = Chebyshev.drawn(goals.paid, seed)

    def value(draws: Sequence[np.ndarray]) -> np.ndarray:
        return trade_off(goals.of_draws(draws))

    return replace(posterior, value=value, best=float(trade_off(goals.paid).max()))
