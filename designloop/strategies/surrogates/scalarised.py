"""A trade-off that is drawn anew a round: several goals become one value by Chebyshev's scalarisation (ParEGO).

    value(y) = 1 - (max_k w_k m_k(y) + α Σ_k w_k m_k(y)) / (max_k w_k + α),    w uniform on the simplex

m_k is what y lacks in a goal: 1 at the worst that was paid for, 0 at the best.
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
    high: np.ndarray
    """(goals,) desirabilities that lack nothing."""
    width: np.ndarray
    """(goals,) from what lacks all to these."""

    @classmethod
    def drawn(cls, paid: np.ndarray, seed: int) -> Chebyshev:
        """The trade-off that a seed gives, in the units of (n, goals) desirabilities of what was paid for."""
        width = np.ptp(paid, axis=0)
        weights = rng_of(seed, "trade-off").dirichlet(np.ones(paid.shape[1]))
        return cls(weights, paid.max(0), np.where(width > 0, width, 1.0))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(…,) values of desirabilities (…, goals): from 0, the worst paid for in every goal, to 1, the best."""
        lacking = self.weights * (self.high - points) / self.width
        lacked = lacking.max(-1) + AUGMENTED * lacking.sum(-1)
        return np.asarray(1 - lacked / (self.weights.max() + AUGMENTED))


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
