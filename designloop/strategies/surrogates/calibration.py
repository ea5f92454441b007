"""How wide the intervals that are shown have to be, by how far off earlier ones were.

The doubt that an acquisition goes by is wide by design, many times the errors that are made; who reads it as an error
bar is misled. What is shown is therefore rescaled, by the one factor with which nine in ten of the latest intervals
would have held what was then measured: each as it was foreseen before. The mean stays, and so does the acquisition.
Sources: Dawid 1984, "The prequential approach"; Lei et al. 2018, "Distribution-free predictive inference for
regression" (the rank that nine in ten takes of so many errors).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from scipy.stats import norm

from designloop.records import Scored, State
from designloop.strategies.surrogates.base import Belief, Moments, PropertyBelief, ShownBelief

LATEST = 200
"""Errors that count."""

COVERED = 0.9
"""Share of measurements that the intervals are to hold."""

HALF_WIDTH = float(norm.ppf((1 + COVERED) / 2))
"""Standard deviations from the middle of such an interval to its end."""

_LEAST = 1e-9
"""Standard deviation below which rounding is all that is left."""

_LEAST_OF_SCORES = 1e-3
"""That of a score: one that is at its bound may be doubted by nothing, and yet be off."""


class SeenRound(Protocol):
    """A round by which intervals are judged; that of ``learning.base`` is one."""

    @property
    def belief(self) -> Belief | None:
        """By which candidates were ranked."""

    @property
    def news(self) -> Sequence[Scored]:
        """Those of its rows that were not known with those very values, with their scores."""

    def firsts(self, rows: Sequence[Scored], /) -> list[Scored]:
        """Those of some of its rows whose molecule has its first score: none that was known, and no correction."""


class FeatureView(Protocol):
    """How the surrogate sees molecules by their standard forms."""

    def features(self, names: Sequence[str]) -> np.ndarray:
        """(n, features) of some."""


def moments_of(belief: PropertyBelief, features: np.ndarray, *, has_score: bool, has_properties: bool) -> Moments:
    """What a belief expects of candidates.

    Args:
        has_score: whether its values are scores; those of a round's trade-off are not.
        has_properties: whether properties are wanted; some beliefs fit anew for them.
    """
    moments = dict(belief.property_moments(features)) if has_properties else {}
    if has_score:
        posterior = belief.shown(features) if isinstance(belief, ShownBelief) else belief(features)
        moments["score"] = posterior.moments()
    return moments


class Calibration:
    """The latest errors of what was foreseen, in its own standard deviations: a learner, told every round.

    Args:
        view: how the surrogate sees molecules.
        has_score: whether the surrogate's values are scores.
        has_properties: whether properties are looked after, too.
        state: what an earlier one of this campaign gave.
    """

    def __init__(
        self, view: FeatureView, *, has_score: bool = True, has_properties: bool, state: State | None = None
    ) -> None:
        self._view, self._has_score, self._has_properties = view, has_score, has_properties
        data: Mapping[str, Any] = state.data if state is not None else {"errors": {}}
        self._errors: dict[str, list[float]] = {name: list(latest) for name, latest in data["errors"].items()}
        self._of_ranks: bool = data.get("of_ranks", False)
        """Whether the errors of scores are in standard deviations of ranks."""

    def factor(self, name: str) -> float:
        """By how much a standard deviation of this name is rescaled; 1 while there are too few errors to say."""
        errors = self._errors.get(name, [])
        rank = math.ceil((len(errors) + 1) * COVERED)
        return sorted(errors)[rank - 1] / HALF_WIDTH if rank <= len(errors) else 1.0

    def rescaled(self, moments: Moments, belief: Belief) -> Moments:
        """The same means, and standard deviations as they are shown.

        Errors in deviations of ranks say nothing of deviations of scores: a score that just came to be seen has those
        of the belief.
        """
        shown = dict[str, tuple[np.ndarray, np.ndarray]]()
        for name, (means, deviations) in moments.items():
            is_comparable = name != "score" or _doubts_ranks(belief) == self._of_ranks
            shown[name] = (means, (self.factor(name) if is_comparable else 1.0) * _bounded(name, deviations))
        return shown

    def learn(self, told_round: SeenRound) -> Mapping[str, float]:
        """Takes the errors of a round in; tells what share of its values the intervals held, by what was known before.

        Of several properties that is the mean. A correction says nothing: the belief knew the molecule.
        """
        news = told_round.firsts(told_round.news)
        if not isinstance(told_round.belief, PropertyBelief) or not news:
            return {}
        features = self._view.features([row.smiles for row in news])
        moments = moments_of(
            told_round.belief, features, has_score=self._has_score, has_properties=self._has_properties
        )
        if _doubts_ranks(told_round.belief) != self._of_ranks:
            self._of_ranks = not self._of_ranks
            self._errors.pop("score", None)
        held = []
        for name, (means, deviations) in moments.items():
            values = np.array([_value(row, name) for row in news])
            errors = np.abs(values - means) / _bounded(name, deviations)
            known = self._errors.setdefault(name, [])
            if known:
                held.append(float(np.mean(errors <= HALF_WIDTH * self.factor(name))))
            self._errors[name] = [*known, *errors.tolist()][-LATEST:]
        return {"interval_coverage": float(np.mean(held))} if held else {}

    def state(self) -> State:
        """The latest errors."""
        errors = {name: list(latest) for name, latest in self._errors.items()}
        return State(data={"errors": errors, "of_ranks": self._of_ranks})


def _doubts_ranks(belief: object) -> bool:
    return isinstance(belief, ShownBelief) and belief.doubts_ranks


def _bounded(name: str, deviations: np.ndarray) -> np.ndarray:
    """Standard deviations, none of them less than can be told from nothing."""
    return np.asarray(np.maximum(deviations, _LEAST_OF_SCORES if name == "score" else _LEAST))


def _value(row: Scored, name: str) -> float:
    """What was measured of a row, of a property or as its score; each row that is learned from has all."""
    value = row.score if name == "score" else row.evaluation.results[name].value
    assert value is not None
    return value
