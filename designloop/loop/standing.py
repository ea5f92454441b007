"""Where a campaign stands after a round: its best score, the mean of its ten best, and where the seconds went."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter

from designloop.molecules.chemistry import without_stereo
from designloop.records import Scored


class Standing:
    """The best scores so far, one a stereo-free parent: stereoisomers of one molecule count once.

    Args:
        scores: molecule -> score of what is committed already; None where the status is not ok.
    """

    def __init__(self, scores: Mapping[str, float | None]) -> None:
        self._best_of: dict[str, float] = {}
        for smiles, score in scores.items():
            self._add(smiles, score)

    def after(self, scored: Sequence[Scored]) -> dict[str, float]:
        """``ok`` (rows with a score), ``best`` and ``mean_top_10`` with a round's rows; the last two once there is a score."""
        for row in scored:
            self._add(row.smiles, row.score)
        ten = heapq.nlargest(10, self._best_of.values())
        counted: dict[str, float] = {"ok": sum(row.score is not None for row in scored)}
        return counted | ({"best": ten[0], "mean_top_10": sum(ten) / len(ten)} if ten else {})

    def _add(self, smiles: str, score: float | None) -> None:
        if score is not None:
            parent = without_stereo(smiles)
            self._best_of[parent] = max(score, self._best_of.get(parent, score))


class Clock:
    """Seconds spent in each part of a round: ``with clock("oracle"): …``."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._since = perf_counter()

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Adds the time of the block to a part."""
        began = perf_counter()
        try:
            yield
        finally:
            self._spent[part] = self._spent.get(part, 0.0) + perf_counter() - began

    def lap(self) -> dict[str, float]:
        """``PART_seconds`` of each part and ``seconds`` of everything since the last lap, which starts anew."""
        now = perf_counter()
        lap = {f"{part}_seconds": seconds for part, seconds in self._spent.items()} | {"seconds": now - self._since}
        self._spent, self._since = {}, now
        return lap
