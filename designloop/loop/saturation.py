"""Whether an objective still tells good molecules apart, or calls are spent where nothing can be learned any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from designloop.loop.round_metrics import REMARKS
from designloop.loop.scoring.objective import Objective
from designloop.records import Scored
from designloop.tables.manifest import RoundInfo
from designloop.words import counted

SATURATED = 0.9995
"""A mean of the ten best, or a front's share of all that it can come to, from which on it is written as 1.000."""

FEWEST = 20
"""Scores that say something where all are the same."""

_NOTHING = "there is nothing to search by yet"


class Saturation:
    """What is to be said, once in a campaign, when its ten best, or its front, cannot become better.

    Args:
        objective: the campaign's.
        rounds: those committed before.
    """

    def __init__(self, objective: Objective, rounds: Iterable[RoundInfo]) -> None:
        self._objective = objective
        references = list(objective.goals.values())
        self._largest = float(np.prod(1 - np.array(references))) if references else None
        self._said = any(is_saturated(info.metrics, self._largest) for info in rounds if info.kind != "amendment")

    def after(self, metrics: Mapping[str, float | str], left: int) -> str | None:
        """The line to say after a round with these metrics; None where there is nothing to say.

        Args:
            metrics: the round's.
            left: oracle calls that are left in the budget.
        """
        if self._said or left <= 0 or not is_saturated(metrics, self._largest):
            return None
        self._said = True
        names = ", ".join(item.name for item in self._objective.properties if item.weight > 0)
        if self._largest is not None:
            what = f"the hypervolume of the front is {float(metrics['hypervolume']):.3f} of {self._largest:.3f}"
        else:
            what = f"the mean of the ten best is {float(metrics['mean_top_10']):.3f}"
        return (
            f"{what} with {counted(left, 'call')} left: the objective no longer tells molecules "
            f"apart. Stop, tighten the transforms of {names} (values that are still better must score higher) or add a "
            "property, and begin anew with --fresh; the ledger keeps what was paid for"
        )


class SameScores:
    """What is to be said, once in a campaign, when all molecules are worth the same: nothing is left to search by.

    They are where all have the same score, or, where properties are traded off, where none is above the reference point
    in all of them; scores may there be alike along a whole front.

    Args:
        objective: the campaign's.
        scores: of what is committed already; None where a molecule has none.
        rounds: those committed before.
    """

    def __init__(self, objective: Objective, scores: Iterable[float | None], rounds: Iterable[RoundInfo]) -> None:
        known, before = [score for score in scores if score is not None], list(rounds)
        self._count, self._distinct = len(known), set(known)
        self._goals = objective.goals
        self._reached = any(float(info.metrics.get("hypervolume", 0.0)) > 0 for info in before)
        self._said = any(_NOTHING in str(info.metrics.get(REMARKS, "")) for info in before)

    def after(self, scored: Sequence[Scored], left: int) -> str | None:
        """The line to say after a round with these rows; None where there is nothing to say.

        Args:
            left: oracle calls that are left in the budget.
        """
        good = [row.score for row in scored if row.score is not None]
        self._count += len(good)
        self._distinct |= set(good)
        self._reached = self._reached or any(map(self._is_above, scored))
        all_alike = len(self._distinct) == 1 and min(self._distinct) < SATURATED
        is_same = not self._reached if self._goals else all_alike
        if self._said or left <= 0 or self._count < FEWEST or not is_same:
            return None
        self._said = True
        lower = ", a lower `reference_point`" if any(self._goals.values()) else ""
        return (
            f"{self._what()}: {_NOTHING}, with {counted(left, 'call')} left. If that was not to be expected, stop, "
            "give the transforms ends between which the values lie (`designloop query` shows them)"
            f"{lower}, and begin anew with --fresh; the ledger keeps what was paid for"
        )

    def _what(self) -> str:
        if self._goals:
            point = ", ".join(f"{name} {reference:g}" for name, reference in self._goals.items())
            return f"none of the {self._count:,} molecules scored so far is above the reference point ({point}) in all"
        return f"all {self._count:,} molecules scored so far have the score {min(self._distinct):.3f}"

    def _is_above(self, row: Scored) -> bool:
        desirable = [row.desirability[name] for name in self._goals]
        return row.candidate.allowed and all(
            value is not None and value > reference
            for value, reference in zip(desirable, self._goals.values(), strict=True)
        )


def is_saturated(metrics: Mapping[str, float | str], largest: float | None = None) -> bool:
    """Whether ten molecules, or a front, are as good as the objective can say.

    Args:
        largest: all that a front's hypervolume can come to; None where one score is maximised.
    """
    if largest is not None:
        return float(metrics.get("hypervolume", 0.0)) >= SATURATED * largest
    return "mean_of" not in metrics and float(metrics.get("mean_top_10", 0.0)) >= SATURATED
