"""Where a campaign stands after a round: its best score, the mean of its ten best, and where the seconds went."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from designloop.pareto import hypervolume, pareto_ranks
from designloop.records import Scored
from designloop.tables import open_candidates
from designloop.tables.best import TopScores
from designloop.tables.views import desirabilities_of

REMARKS = "remarks"
"""The metric that holds what evaluation remarked of oracles in a round, a line each."""


def remarks_metric(remarks: Sequence[str]) -> dict[str, str]:
    """The metric ``remarks`` of a round; none where nothing was remarked."""
    return {REMARKS: "\n".join(remarks)} if remarks else {}


class TopTen:
    """The ten best scores of a campaign, and what each round adds to them.

    Args:
        scores: molecule -> score of what is committed already and allowed; None where the status is not ok.
    """

    def __init__(self, scores: Mapping[str, float | None]) -> None:
        self._ten = TopScores()
        for smiles, score in scores.items():
            self._ten.add(smiles, score)

    def after(self, scored: Sequence[Scored]) -> dict[str, float]:
        """``ok`` (rows with a score), and once there is a score ``best`` and ``mean_top_10``, with a round's rows.

        Starting molecules that a filter refuses are rows, but not among the best. While there are fewer than ten,
        ``mean_of`` says how many the mean is of.
        """
        for row in scored:
            if row.candidate.allowed:
                self._ten.add(row.smiles, row.score)
        counted: dict[str, float] = {"ok": sum(row.score is not None for row in scored)}
        if (mean := self._ten.mean) is not None:
            ten = self._ten.scores
            counted |= {"best": ten[0], "mean_top_10": mean} | ({"mean_of": len(ten)} if len(ten) < 10 else {})
        return counted


class Front:
    """What no molecule of a campaign is better than in every property, and its hypervolume: told after each round.

    Args:
        goals: property -> reference point; none where one score is maximised, and then nothing is told.
        points: (n, goals) desirabilities of what is committed already, allowed and has a score.
    """

    def __init__(self, goals: Mapping[str, float], points: np.ndarray) -> None:
        self._goals, self._points = goals, points

    @classmethod
    def committed(cls, goals: Mapping[str, float], folder: Path, without: Collection[str] = ()) -> Front:
        """The front of what a campaign's folder holds, but for some molecules of which something else is said now."""
        if not goals:
            return cls(goals, np.zeros((0, 0)))
        rows = open_candidates(folder).to_arrow()
        counts = pc.and_(
            pc.is_valid(rows["pareto_rank"]), pc.invert(pc.is_in(rows["smiles"], pa.array([*without], pa.string())))
        )
        return cls(goals, desirabilities_of(rows.filter(counts), list(goals)))

    def after(self, scored: Sequence[Scored]) -> dict[str, float]:
        """``hypervolume`` and ``front_size``, the molecules of the front, with a round's rows."""
        if not self._goals:
            return {}
        good = [row for row in scored if row.score is not None and row.candidate.allowed]
        new = np.array([[row.desirability[name] for name in self._goals] for row in good], dtype=float)
        points = np.concatenate([self._points, new.reshape(-1, len(self._goals))])
        self._points = points[pareto_ranks(points) == 1]
        volume = hypervolume(self._points, list(self._goals.values()))
        return {"hypervolume": volume, "front_size": float(len(self._points))}


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
