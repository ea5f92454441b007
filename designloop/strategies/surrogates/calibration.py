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
from typing import Protocol

import numpy as np
from scipy.stats import norm

from designloop.records import Scored, State
from designloop.strategies.archive.archive import Archive
from designloop.strategies.surrogates.base import Belief, Moments, PropertyBelief, ShownBelief

LATEST = 200
"""Errors that count."""

COVERED = 0.9
"""Share of measurements that the intervals are to hold."""

HALF_WIDTH = float(norm.ppf((1 + COVERED) / 2))
"""Standard deviations from the middle of such an interval to its end."""

_LEAST = 1e-9
"""Standard deviation below which rounding is all that is left."""


class SeenRound(Protocol):
    """A round by which intervals are judged; that of ``learning.base`` is one."""

    @property
    def belief(self) -> Belief | None:
        """By which candidates were ranked."""

    @property
    def news(self) -> Sequence[Scored]:
        """Those of its rows that were not known with those very values, with their scores."""

    @property
    def before(self) -> Archive:
        """What the belief was fitted on."""


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
        errors: Mapping[str, Sequence[float]] = state.data["errors"] if state is not None else {}
        self._errors = {name: list(latest) for name, latest in errors.items()}

    def factor(self, name: str) -> float:
        """By how much a standard deviation of this name is rescaled; 1 while there are too few errors to say."""
        errors = self._errors.get(name, [])
        rank = math.ceil((len(errors) + 1) * COVERED)
        return sorted(errors)[rank - 1] / HALF_WIDTH if rank <= len(errors) else 1.0

    def rescaled(self, moments: Moments) -> Moments:
        """The same means, and standard deviations as they are shown."""
        return {name: (means, self.factor(name) * deviations) for name, (means, deviations) in moments.items()}

    def learn(self, told_round: SeenRound) -> Mapping[str, float]:
        """Takes the errors of a round in; tells what share of its values the intervals held, by what was known before.

        Of several properties that is the mean. A correction says nothing: the belief knew the molecule.
        """
        known_before = set(told_round.before.smiles)
        news = [row for row in told_round.news if row.smiles not in known_before]
        if not isinstance(told_round.belief, PropertyBelief) or not news:
            return {}
        features = self._view.features([row.smiles for row in news])
        moments = moments_of(
            told_round.belief, features, has_score=self._has_score, has_properties=self._has_properties
        )
        held = []
        for name, (means, deviations) in moments.items():
            values = np.array([_value(row, name) for row in news])
            errors = np.abs(values - means) / np.maximum(deviations, _LEAST)
            known = self._errors.setdefault(name, [])
            if known:
                held.append(float(np.mean(errors <= HALF_WIDTH * self.factor(name))))
            self._errors[name] = [*known, *errors.tolist()][-LATEST:]
        return {"interval_coverage": float(np.mean(held))} if held else {}

    def state(self) -> State:
        """The latest errors."""
        return State(data={"errors": {name: list(errors) for name, errors in self._errors.items()}})


def _value(row: Scored, name: str) -> float:
    """What was measured of a row, of a property or as its score; each row that is learned from has all."""
    value = row.score if name == "score" else row.evaluation.results[name].value
    assert value is not None
    return value
