"""Whether an objective still tells good molecules apart, or calls are spent where nothing can be learned any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from designloop.loop.scoring.objective import Objective
from designloop.tables.manifest import RoundInfo

SATURATED = 0.9995
"""A mean of the ten best, or a front's share of all that it can come to, from which on it is written as 1.000."""


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
            f"{what} with {left:,} calls left: the objective no longer tells molecules "
            f"apart. Stop, tighten the transforms of {names} (values that are still better must score higher) or add a "
            "property, and begin anew with --fresh; the ledger keeps what was paid for"
        )


def is_saturated(metrics: Mapping[str, float | str], largest: float | None = None) -> bool:
    """Whether ten molecules, or a front, are as good as the objective can say.

    Args:
        largest: all that a front's hypervolume can come to; None where one score is maximised.
    """
    if largest is not None:
        return float(metrics.get("hypervolume", 0.0)) >= SATURATED * largest
    return "mean_of" not in metrics and float(metrics.get("mean_top_10", 0.0)) >= SATURATED
