"""How well scores are foreseen, judged by molecules that nobody chose.

Inside a chosen batch no measure of it means anything: what was chosen is alike in what is expected of it, and was
chosen for being expected to be so good. So some of what is paid for is drawn uniformly from the better half of the free
molecules, and by what was said of the last of these before they were paid for the surrogate is judged: by the rank
correlation of expected and true scores, and by the share of scores within the 90 % intervals that were shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from designloop.records import STARTING, UNIFORM, State
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.surrogates.calibration import HALF_WIDTH, LATEST

_ROUNDING = 1e-9
"""What a product of the rate may fall short of a whole number by."""


class Judged:
    """How many of a batch are drawn uniformly, and what those that were say: a learner, told every round.

    Args:
        rate: share of the molecules that come to have a score which is drawn so. What failed does not count: a strategy
            that is told of it proposes as if it were not. Where most of such draws fail, more are made.
        state: what an earlier one of this campaign gave.
    """

    def __init__(self, rate: float, state: State | None = None) -> None:
        data: Mapping[str, Any] = {"paid": 0, "latest": []} if state is None else state.data
        self._rate, self._paid = rate, int(data["paid"])
        latest: Sequence[tuple[str, float, float, float]] = data["latest"]
        self._latest = {smiles: (mean, deviation, score) for smiles, mean, deviation, score in latest}
        """Molecule -> expected score, standard deviation as it was shown, and score."""

    @property
    def paid(self) -> int:
        """Molecules so far that were proposed, paid for, and have a score."""
        return self._paid

    def wanted(self, batch: int, pending: int = 0) -> int:
        """How many of the coming batch are drawn uniformly: the share holds over all batches, however small they are.

        Args:
            batch: molecules wanted.
            pending: molecules that were given out, and of which nothing was told yet.
        """
        before = self._paid + pending
        return self._due(before + batch) - self._due(before)

    def _due(self, paid: int) -> int:
        """How many of the first so many molecules are to be drawn uniformly."""
        return math.floor(self._rate * paid + _ROUNDING)

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Counts what is told for the first time; tells how well the last ones that nobody chose were foreseen.

        A molecule without a score counts for nothing; of one that is told again the last word counts.
        """
        firsts = [row for row in told_round.firsts(told_round.scored) if row.smiles not in self._latest]
        self._paid += sum(row.candidate.proposer not in STARTING for row in firsts)
        for row in told_round.failed:
            self._latest.pop(row.smiles, None)  # it may have had a score before
        for row in told_round.scored:
            candidate = row.candidate
            mean, deviation, score = candidate.predicted_mean, candidate.predicted_sd, row.score
            if candidate.chosen == UNIFORM and mean is not None and deviation is not None and score is not None:
                self._latest[row.smiles] = (mean, deviation, score)
        self._latest = dict(list(self._latest.items())[-LATEST:])
        return self._measures()

    def _measures(self) -> dict[str, float]:
        """The measures, each where it is defined."""
        if not self._latest:
            return {}
        mean, deviation, score = np.array(list(self._latest.values())).T
        measures = {
            "judged_molecules": float(len(score)),
            "judged_coverage": float(np.mean(np.abs(score - mean) <= HALF_WIDTH * deviation)),
        }
        correlation = rank_correlation(mean, score)
        return measures if correlation is None else measures | {"judged_rank_correlation": correlation}

    def state(self) -> State:
        """The count, and the latest of those that were drawn uniformly."""
        return State(data={"paid": self._paid, "latest": [[smiles, *row] for smiles, row in self._latest.items()]})


def rank_correlation(predicted: np.ndarray, scores: np.ndarray) -> float | None:
    """Spearman's correlation of (n,) predictions and scores; None where it is undefined: fewer than 3, or all alike."""
    if len(scores) < 3 or np.ptp(scores) == 0 or np.ptp(predicted) == 0:
        return None
    return float(spearmanr(predicted, scores).statistic)
