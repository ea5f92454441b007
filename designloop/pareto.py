"""Several goals at once: what is dominated by what, and the hypervolume, the one number that measures a front.

Points are rows, goals are columns, and everything is maximised. A point dominates another where it is at least as good
in every goal and better in one; equal points do not dominate each other.
Sources: Deb et al. 2002 (non-dominated sorting, crowding); Zhang et al. 2015 (efficient sorting); Zitzler & Thiele 1998
(the hypervolume); While et al. 2006 (by slicing); Deng & Zhang 2019, Zhang & Golovin 2020 (by directions).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

EXACT_GOALS = 4
"""With more, exact hypervolumes take too long to be told after every round, and are estimated."""

MOST_GOALS = 8
"""With more, hardly any molecule is dominated, so that a front tells nothing apart."""

_ESTIMATED_BY = 2**16
"""Directions that an estimate looks in; the same ones each time, so that a front that grows never loses."""

_AT_ONCE = 16
"""Points that are looked at together: so many times the directions take a few megabytes."""

_BEYOND = 0.1
"""Of its range in a goal: how far below the worst of a front its reference point lies by rule."""


def pareto_ranks(points: np.ndarray) -> np.ndarray:
    """(n,) whole numbers: 1 of what nothing dominates, 2 of what nothing but rank 1 dominates, and so on.

    Args:
        points: (n, goals) finite numbers.
    """
    if not len(points):
        return np.zeros(0, dtype=int)
    distinct, twin = np.unique(points, axis=0, return_inverse=True)
    # Sorted downwards, a point can only be dominated by those before it, and the fronts are nested.
    fronts: list[_Front] = []
    ranks = np.zeros(len(distinct), dtype=int)
    for row in range(len(distinct) - 1, -1, -1):
        point = distinct[row]
        place = bisect_left(fronts, True, key=lambda front: not front.dominates(point))
        if place == len(fronts):
            fronts.append(_Front(points.shape[1]))
        fronts[place].add(point)
        ranks[row] = place + 1
    return np.asarray(ranks[twin.reshape(-1)])


class _Front:
    """Points that do not dominate each other, which come in the order of their first goal, the greatest first."""

    def __init__(self, goals: int) -> None:
        self._points, self._count = np.empty((16, goals)), 0

    def add(self, point: np.ndarray) -> None:
        if self._count == len(self._points):
            self._points = np.concatenate([self._points, np.empty_like(self._points)])
        self._points[self._count] = point
        self._count += 1

    def dominates(self, point: np.ndarray) -> bool:
        """Whether one of them is as good in every goal as a point that comes after them and differs."""
        # With two goals the last of them has the greatest second one.
        first = self._count - 1 if len(point) == 2 else 0
        return bool((self._points[first : self._count, 1:] >= point[1:]).all(1).any())


def crowding(points: np.ndarray) -> np.ndarray:
    """(n,) sizes of the gaps between the neighbours of each point, summed over goals; infinite at the ends."""
    gaps = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        width = max(float(np.ptp(column)), np.finfo(float).tiny) if len(points) else 1.0
        gaps[order[[0, -1]] if len(points) else []] = np.inf
        gaps[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / width
    return gaps


def pareto_order(points: np.ndarray) -> np.ndarray:
    """(n,) rows by rank, and within a rank those that stand alone first: the choice of NSGA-II."""
    ranks, gaps = pareto_ranks(points), np.zeros(len(points))
    for rank in np.unique(ranks):
        gaps[ranks == rank] = crowding(points[ranks == rank])
    return np.lexsort((-gaps, ranks))


def hypervolume(points: np.ndarray, reference: Sequence[float] | np.ndarray) -> float:
    """The volume of all that is above a reference point and that some point dominates.

    Exact of up to four goals. Of more it is an estimate: of five and six mostly within a hundredth of itself, of seven
    and eight within a sixth. It never falls as points are added.

    Args:
        points: (n, goals); what is not above the reference in every goal adds nothing.
        reference: (goals,)
    """
    heights = np.asarray(points, dtype=float).reshape(-1, len(reference)) - np.asarray(reference, dtype=float)
    above = heights[(heights > 0).all(1)]
    return _volume(above) if len(reference) <= EXACT_GOALS else _estimated_volume(above)


def reference_by_rule(front: np.ndarray, least: Sequence[float] | np.ndarray) -> np.ndarray:
    """(goals,) a tenth of the front's range below the worst that it has in each goal, and not below ``least``.

    Source: Ishibuchi et al. 2011, "Many-objective test problems to visually examine the behavior of multiobjective
    evolution in a decision space"; BoTorch's ``infer_reference_point``, which this is, but for ``least``, and for a
    goal in which all of the front are alike: its range is taken for that one value.

    Args:
        front: (n, goals) points that nothing dominates; of none the answer is ``least``.
        least: (goals,)
    """
    floor = np.asarray(least, dtype=float)
    if not len(front):
        return floor
    width = np.ptp(front, axis=0)
    width = np.where(width > 0, width, np.abs(front[0]))  # of one value its size, else nothing would be above the point
    return np.asarray(np.maximum(front.min(0) - _BEYOND * width, floor))


def _estimated_volume(heights: np.ndarray) -> float:
    """The volume under (n, goals) points above 0, as the mean over directions of how far the furthest one reaches.

    A direction's greatest coordinate is 1, and V = mean over directions of (max over points of reach)^goals. What a
    point adds is never lost to another one, and a small volume is told as well as a large one.
    """
    goals, directions = heights.shape[1], _directions(heights.shape[1])
    furthest = np.zeros(len(directions))
    for first in range(0, len(heights), _AT_ONCE):
        furthest = np.maximum(furthest, lengths_along(directions, heights[first : first + _AT_ONCE]).max(0))
    return float((furthest**goals).mean())


def lengths_along(directions: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(…, directions) how far one can go along (directions, goals) below points of (…, goals) above 0."""
    lengths: np.ndarray = heights[..., 0, None] / directions[:, 0]
    for k in range(1, directions.shape[1]):
        lengths = np.minimum(lengths, heights[..., k, None] / directions[:, k])
    return lengths


def even_points(n: int, dims: int) -> np.ndarray:
    """(n, dims) points that lie evenly in the unit cube, the same ones each time."""
    from scipy.stats.qmc import Sobol  # half a second, of many goals alone

    return np.asarray((Sobol(dims, scramble=False).random(n) + np.random.default_rng(0).random(dims)) % 1)


@lru_cache(maxsize=2)
def _directions(goals: int) -> np.ndarray:
    """(directions, goals) points that lie evenly on those faces of the unit cube that do not touch 0."""
    even = even_points(_ESTIMATED_BY, goals - 1)
    faces = np.arange(_ESTIMATED_BY) * goals // _ESTIMATED_BY
    directions = np.ones((_ESTIMATED_BY, goals))
    directions[np.arange(goals) != faces[:, None]] = np.maximum(even, 1e-12).ravel()
    return directions


def _volume(heights: np.ndarray) -> float:
    """The volume under (n, goals) points above 0: slabs of the last goal, each as wide as what reaches up to it."""
    if not len(heights):
        return 0.0
    if heights.shape[1] == 1:
        return float(heights.max())
    heights = heights[np.argsort(-heights[:, -1], kind="stable")]
    floors = np.append(heights[1:, -1], 0.0)
    if heights.shape[1] == 2:
        return float(np.maximum.accumulate(heights[:, 0]) @ (heights[:, 1] - floors))
    total, widest, area = 0.0, np.zeros((0, heights.shape[1] - 1)), 0.0
    for point, floor in zip(heights, floors, strict=True):
        base = point[:-1]
        if not (widest >= base).all(1).any():
            widest = np.vstack([widest[~(base >= widest).all(1)], base])
            area = _volume(widest)
        total += area * float(point[-1] - floor)
    return total
