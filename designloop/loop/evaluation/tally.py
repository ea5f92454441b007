"""How many molecules of a call of the evaluator have been answered so far."""

from __future__ import annotations

from collections.abc import Mapping

from designloop.records import Status


class Tally:
    """Counts molecules; one counts once every oracle that is asked about it has answered for good."""

    def __init__(self, oracles: Mapping[str, int]) -> None:
        """Begins with none.

        Args:
            oracles: molecule -> how many are asked about it.
        """
        self._left = dict(oracles)
        self._failing: set[str] = set()
        self.wanted = len(self._left)
        self.scored = 0
        """Molecules that have all their values."""
        self.failed = 0
        """Molecules that all oracles have answered, and one or more without a value."""

    def settle(self, smiles: str, status: Status) -> None:
        """Takes in the last word of one oracle on one molecule."""
        self._left[smiles] -= 1
        if status != "ok":
            self._failing.add(smiles)
        if not self._left[smiles]:
            self.failed += smiles in self._failing
            self.scored += smiles not in self._failing
