"""Who earns which share of the pool: proposers by the elites that they brought."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from designloop.records import State
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import PROPOSER_SHARE
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.proposers.weighted import shares_of

FIRST_CREDIT = 20.0
"""Elites of 100 calls that a proposer is believed to bring, had it the pool to itself."""

_KEPT = 0.8
"""Weight of the credit so far, 100 calls later."""


class Credit:
    """A proposer's credit is a running mean of the elites it brought in 100 calls, over its share of the pool.

    Over its share, because one that is hardly asked cannot bring many, however good what it brings. A round before
    which there were fewer than two elites was drawn by one proposer alone, at the beginning of a campaign as after each
    restart: it says nothing of shares, and neither does what was known before and is told again. What failed counts
    once it has a score, if it ever has.

    Args:
        names: of the proposers.
        elites: of what was paid for; the better half of them counts.
        state: what an earlier credit of this campaign gave.
    """

    def __init__(
        self, names: Sequence[str], elites: Callable[[Archive], list[Member]], state: State | None = None
    ) -> None:
        known = state.data["credit"] if state is not None else {}
        self._elites = elites
        self.credit: dict[str, float] = {name: float(known.get(name, FIRST_CREDIT)) for name in names}

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Moves the credit; tells how many elites of this round each proposer brought, and its share from now on."""
        share = shares_of(self.credit)
        elites = self._elites(told_round.archive)
        best = {elite.smiles for elite in elites[: max(len(elites) // 2, 1)]}
        # What failed is for feasibility to learn from: here it would turn the shares, and so all that is drawn.
        new = told_round.firsts(told_round.scored)
        metrics: dict[str, float] = {}
        hundreds = len(new) / 100
        was_shared = len(self._elites(told_round.before)) >= 2
        for name in self.credit:
            brought = sum(row.candidate.proposer == name and row.smiles in best for row in new)
            if was_shared and hundreds:
                kept = _KEPT**hundreds
                self.credit[name] = kept * self.credit[name] + (1 - kept) * brought / hundreds / share[name]
            metrics[f"elites_by_{name}"] = float(brought)
        return metrics | {f"{PROPOSER_SHARE}{name}": value for name, value in shares_of(self.credit).items()}

    def state(self) -> State:
        """The credit by name."""
        return State(data={"credit": dict(self.credit)})
