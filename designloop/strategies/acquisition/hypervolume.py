"""Where trade-offs are sought: a batch by the expected improvement of the front's hypervolume.

A hypervolume is a mean over directions from the reference point, of how far the points reach in each:

    HV(Y) = c_K E_λ [ max_y min_k (y_k - r_k)_+^K / λ_k^K ],    λ uniform on the sphere's positive part,

so its improvement is one, too, at the same cost for any number of goals. The mean is taken over some directions and
over joint draws of the candidates' desirabilities; each choice is taken, draw by draw, for what that draw says of it.
Where the posterior is over what was measured, too, each draw has a front of its own: none of them is taken for what a
lucky measurement says.
Sources: Daulton et al. 2020 (expected hypervolume improvement by joint draws); Daulton et al. 2021 (noisy
measurements); Zhang & Golovin 2020 (directions).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gamma, pi

import numpy as np
from scipy.stats import norm

from designloop.pareto import even_points, lengths_along, pareto_order, pareto_ranks, reference_by_rule
from designloop.strategies.acquisition.base import Admissible, Chances, anything, of_rows, worth
from designloop.strategies.surrogates.base import Posterior

_DRAWS = 64
"""Of the desirabilities of all candidates."""

_DIRECTIONS = {2: 64}
"""By number of goals; two need fewer, for angles lie evenly."""

_MANY_DIRECTIONS = 256

_BROAD = 8
"""One in so many directions has to be reached for a point to be near the front."""

_TIES = 0.02
"""What all goals together count along a direction, beside the one that lacks most."""

_LEAST = 1e-3
"""Of a goal that a direction has next to nothing of, and of the whole that is never taken for reached."""

Points = np.ndarray
"""(…, goals) desirabilities."""


@dataclass(frozen=True)
class HypervolumeImprovement:
    """Breeding ranks by non-dominated sorting of upper bounds; the batch is chosen by what each adds to the front."""

    reference: tuple[float, ...]
    """Of the hypervolume, in desirabilities."""
    kappa: float
    """Standard deviations added to the mean of each desirability when molecules to breed from are ranked."""
    moves: bool = False
    """Whether the reference point follows the front by rule, from ``reference`` upwards."""

    def bounds(self, posterior: Posterior, chances: Chances = None) -> np.ndarray:
        """(m, goals) upper confidence bounds of the desirabilities, before anything is chosen.

        What may fail is drawn towards the reference point by its chance, so that it reaches less far in all directions.
        """
        mean, doubt = posterior.goal_moments()
        return self._weighed(np.asarray(mean + self.kappa * doubt), posterior, chances)

    def _weighed(self, bounds: np.ndarray, posterior: Posterior, chances: Chances) -> np.ndarray:
        """(m, goals) bounds in view of the chances."""
        if chances is None:
            return bounds
        reference = np.array(self.reference_of(posterior.known_goals.paid))
        return np.asarray(reference + worth(bounds - reference, chances[:, None]))

    def order(self, bounds: np.ndarray) -> np.ndarray:
        """(m,) rows, those that nothing dominates first, of these the solitary ones."""
        return pareto_order(bounds)

    def reference_of(self, paid: np.ndarray) -> tuple[float, ...]:
        """The reference point after (n, goals) desirabilities were paid for."""
        if not self.moves:
            return self.reference
        return tuple(reference_by_rule(paid[pareto_ranks(paid) == 1], self.reference).tolist())

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows in the order in which they add most; those of which no draw expects anything in that of ``order``."""
        n, paid = posterior.free, posterior.known_goals.paid
        reference, draws = self.reference_of(paid), posterior.goal_samples(_DRAWS, seed)
        reach = reaches(draws[:, :n], reference)
        if posterior.measured:
            best = reaches(draws[:, n:], reference).max(1)
        else:
            best = np.tile(reaches(paid, reference).max(0, initial=0.0), (_DRAWS, 1))
        left, stale, gains = np.ones(n, dtype=bool), True, np.zeros(n)
        while left.any():
            if stale:
                gains = worth(np.maximum(reach - best[:, None], 0.0).mean((0, 2)), chances)
                stale = False
            row = int(np.argmax(np.where(left, gains, -np.inf)))
            if gains[row] <= 0:
                break
            left[row] = False
            if admissible(row):
                yield row
                best, stale = np.maximum(best, reach[:, row]), True
        rows = np.flatnonzero(left)
        if rows.size:
            rows = rows[self.order(self._weighed(self.bounds(posterior)[rows], posterior, of_rows(chances, rows)))]
        yield from filter(admissible, rows.tolist())

    def reason(self, place: int) -> str:
        """The front, for which all are chosen."""
        return "for what it may add to the front, by the surrogate"


def reaches(points: Points, reference: tuple[float, ...]) -> np.ndarray:
    """(…, directions) by each direction what a point alone adds to the mean that is a hypervolume."""
    goals = len(reference)
    directions = directions_of(goals)
    above = np.maximum(points - np.array(reference), 0.0)
    lengths = lengths_along(directions, above)
    # The ball's volume, of which the part between the axes is one in 2^goals.
    return np.asarray(pi ** (goals / 2) / gamma(goals / 2 + 1) / 2**goals * lengths**goals)


def nearness(points: Points, reference: tuple[float, ...]) -> np.ndarray:
    """(n,) how near each of (n, goals) points comes to the front of them all, from 0 to 1.

    In each direction from the reference point it is the share of the furthest reach, and what counts is the mean over
    those eighth of the directions that suit the point best: a point that is good in one goal alone reaches the front in
    hardly any. A little of the goals' mean tells apart what does not reach beyond the reference point.
    """
    points = np.asarray(points, dtype=float)
    lengths = reaches(points, reference) ** (1 / len(reference))
    furthest = lengths.max(0, initial=0.0)
    shares = np.divide(lengths, furthest, out=np.zeros_like(lengths), where=furthest > 0)
    broad = shares.shape[1] // _BROAD
    own = np.sort(shares, axis=1)[:, -broad:].mean(1)
    return np.asarray((1 - _TIES) * own + _TIES * points.mean(1))


@lru_cache(maxsize=4)
def directions_of(goals: int) -> np.ndarray:
    """(directions, goals) unit vectors without a negative entry that lie evenly."""
    n = _DIRECTIONS.get(goals, _MANY_DIRECTIONS)
    if goals == 2:
        angles = (np.arange(n) + 0.5) / n * pi / 2
        return np.column_stack([np.cos(angles), np.sin(angles)])
    drawn = np.maximum(norm.ppf((1 + even_points(n, goals)) / 2), 1e-12)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Direction:
    """How far points reach from the reference point in one direction, and a little of all that they reach beside."""

    along: np.ndarray
    """(goals,) a unit vector without an entry below ``_LEAST``."""
    reference: tuple[float, ...]

    def __call__(self, points: Points) -> np.ndarray:
        """(…,) of desirabilities (…, goals); below 0 where the reference point is not reached."""
        above = points - np.array(self.reference)
        return np.asarray((above / self.along).min(-1) + _TIES * above.sum(-1))


def draw_directions(rng: np.random.Generator, n: int, paid: Points, reference: tuple[float, ...]) -> list[Direction]:
    """Random directions, each the likelier the more of the whole hypervolume is missing in it; in random order.

    Args:
        n: of them; they lie as evenly as their chances allow.
        paid: (m, goals) desirabilities of what was paid for.
        reference: (goals,) below 1.
    """
    goals = len(reference)
    whole, best = reaches(np.ones(goals), reference), reaches(paid, reference).max(0, initial=0.0)
    missing = np.maximum(whole - best, 0.0) + _LEAST * whole
    places = (np.arange(n) + rng.random(n)) / n
    rows = np.searchsorted(np.cumsum(missing) / missing.sum(), places)
    drawn = directions_of(goals)[rng.permutation(np.minimum(rows, len(missing) - 1))]
    return [Direction(np.maximum(row, _LEAST), reference) for row in drawn]
