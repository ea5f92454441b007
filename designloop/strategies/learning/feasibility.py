"""Which molecules give no value: a chance of success, that counts once it has foreseen failures.

A failure ("could not be made", an oracle that stops) is no poor score, and no surrogate learns from it; but it is paid
for. What molecules that failed have in common a classifier says. It is judged as the committee's members are, by what
it foresaw of molecules before they were paid for:

    evidence = sum of log p(outcome by the classifier) - log p(outcome by the rate of success so far)

If nothing but the rate can be foreseen, and the rate were known, this ratio of likelihoods would be a martingale, which
comes to 20 at any time in a campaign with a chance of at most 1/20 (Ville's inequality). Below that, the classifier is
not heeded.
Source: Dawid 1984, "Present position and potential developments: the prequential approach".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log

import numpy as np

from designloop.records import Scored, State
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.surrogates.success import SuccessModel, rate_of

TRUSTED = log(20.0)
"""Evidence from which on the classifier counts."""

LIMIT = 500
"""Molecules that are remembered, the latest; the classifier is fitted on them."""

ChancesOf = Callable[[Sequence[str]], np.ndarray]
"""(m,) chances that molecules in standard form give a value."""


class Feasibility:
    """The learner of success and failure. Without a failure it does nothing.

    Args:
        state: what an earlier one of this campaign gave.
    """

    def __init__(self, state: State | None = None) -> None:
        kept: Mapping[str, object] = {} if state is None else state.data
        self._outcomes: dict[str, bool] = dict(kept.get("outcomes", []))  # type: ignore[call-overload]  # JSON pairs
        self._evidence = float(kept.get("evidence", 0.0))  # type: ignore[arg-type]  # a JSON number
        self._model: SuccessModel | None = None
        self._fitted = False

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Judges what was foreseen of the molecules that are told for the first time, then takes all outcomes in."""
        failed, good = ([row.smiles for row in rows] for rows in (told_round.failed, told_round.scored))
        told = dict.fromkeys(failed, False) | dict.fromkeys(good, True)
        new = [smiles for smiles in told if smiles not in self._outcomes]
        if new and (model := self._fit()) is not None:
            succeeded = np.array([told[smiles] for smiles in new])
            rate = rate_of(np.array([*self._outcomes.values()]))
            chances = model(new)
            self._evidence += float(np.log(np.where(succeeded, chances / rate, (1 - chances) / (1 - rate))).sum())
        for smiles, is_success in told.items():
            self._outcomes.pop(smiles, None)  # what is told again is the latest
            self._outcomes[smiles] = is_success
        self._outcomes = dict([*self._outcomes.items()][-LIMIT:])
        self._fitted = False
        if all(self._outcomes.values()):
            return {}
        return {"failures_evidence": self._evidence, "failures_foreseen": float(self._evidence >= TRUSTED)}

    def chances(self) -> ChancesOf | None:
        """The classifier; None where it has not shown that it foresees failures, or there are none to learn from."""
        return self._fit() if self._evidence >= TRUSTED else None

    def _fit(self) -> SuccessModel | None:
        """The classifier of all outcomes, fitted once a round; None where all are alike."""
        if not self._fitted:
            succeeded = np.array([*self._outcomes.values()], dtype=bool)
            both = succeeded.any() and not succeeded.all()
            self._model = SuccessModel.fit([*self._outcomes], succeeded) if both else None
            self._fitted = True
        return self._model

    def state(self) -> State:
        """The outcomes in the order told, and the evidence."""
        return State(data={"outcomes": [[*pair] for pair in self._outcomes.items()], "evidence": self._evidence})


def failed_rows(scored: Sequence[Scored]) -> list[Scored]:
    """Those rows of a round that were tried and gave no value; what was not run yet is none of them."""
    return [row for row in scored if row.status in ("failed", "timeout")]
