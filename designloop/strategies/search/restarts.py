"""Restarts: a search that stands still begins anew, and what it found is set aside.

The first hundred calls decide in which basin a search ends, and one seed differs from the next by more than most
changes of a search do; so where the ten best gain nothing for long, more of the same buys little. The search then
begins again as the campaign began, from its starting molecules or from draws of the pretrained model: of what was paid
for since it knows nothing, and as that is not paid for again, the old basin is closed to it. When it stands still in
its turn and brought some of the ten best of all, everything that is known is searched together; otherwise there is one
more beginning.
Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization" (what a region that
collapsed knew is no part of the next).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from designloop.records import State
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.search.saved import members_of, rows_of
from designloop.strategies.surrogates.faint import in_proportion

BEST = 10
"""Molecules whose mean says whether a search gains."""

GAIN = 0.005
"""What that mean has to grow by, since the last time that it did; while it is faint, by as much of it in proportion."""


class Restarts:
    """What stands aside, and how long the search has gained nothing.

    Args:
        patience: calls without a gain, failures among them, after which the search begins anew.
        forget: sets what learned from the search back to how it was before the campaign.
        empty: an archive of nothing.
        state: what earlier restarts of this campaign gave.
    """

    def __init__(self, patience: int, forget: Callable[[], None], empty: Archive, state: State | None = None) -> None:
        self._patience, self._forget = patience, forget
        data: Mapping[str, Any] = state.data if state is not None else {}
        self.start, self.aside = (empty.add(members_of(data.get(name, ()))) for name in ("start", "aside"))
        """What it begins with each time; and what the search knows nothing of."""
        self.beginnings = int(data.get("beginnings", 0))
        """After the first one."""
        self._gained, self._since = float(data.get("gained", 0.0)), int(data.get("since", 0))

    def archive_after(
        self, archive: Archive, calls: int, starting: Sequence[Member] = (), withdrawn: Collection[str] = ()
    ) -> Archive:
        """The archive that the search goes on with after a round.

        Args:
            archive: of the search, with the round's molecules.
            calls: how many were charged, whether they have a score or failed.
            starting: those of them that the user began with.
            withdrawn: molecules that have no score, though they may have had one.
        """
        # What is told again belongs to the search that hears it.
        self.start = self.start.without(withdrawn).add(starting)
        self.aside = self.aside.without({*archive.smiles, *withdrawn})
        self._since += calls
        best = best_mean(archive.members)
        if best >= self._gained + in_proportion(GAIN, self._gained) and best > self._gained:
            self._gained, self._since = best, 0
        self._gained = min(self._gained, best)  # it falls where a correction takes a high score away
        if self._since < self._patience:
            return archive
        known = self.aside.add(archive.members)
        if len(self.aside) and best_mean(known.members) > best_mean(self.aside.add(self.start.members).members):
            self.aside, archive = self.aside.without(self.aside.smiles), known
        else:
            self.aside, archive = known.without(self.start.smiles), self.start
            self.beginnings += 1
            self._forget()
        self._gained, self._since = best_mean(archive.members), 0
        return archive

    def metrics(self) -> Mapping[str, float]:
        """How often the search began anew, and in how many calls it has gained nothing."""
        return {"restarts": float(self.beginnings), "calls_since_gain": float(self._since)}

    def state(self) -> State:
        """All of it."""
        kept = {"start": rows_of(self.start), "aside": rows_of(self.aside)}
        return State(data=kept | {"beginnings": self.beginnings, "gained": self._gained, "since": self._since})


def best_mean(members: Sequence[Member]) -> float:
    """Mean score of the ten best, each that is missing counted as 0: further members so never lower it."""
    scores = np.sort([member.score for member in members])[-BEST:]
    return float(scores.sum()) / BEST
