"""Campaigns side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from designloop.report.pictures import calls_of
from designloop.tables.best import course
from designloop.tables.manifest import HYPERVOLUME, RoundInfo
from designloop.tables.query import Candidates


@dataclass(frozen=True, slots=True)
class Standings:
    """How one campaign did, to be set beside others."""

    campaign: str
    objective: str
    """Digest of its objective: scores compare where it is the same."""
    calls: int
    failed: int
    """Calls that gave no score."""
    best: float | None
    mean_top_10: float | None
    """None where no call gave a score."""
    mean_of: int
    """Molecules that it is the mean of: at most ten, one a stereo-free parent."""
    auc_top_10: float
    """Area under the mean of the ten best against oracle calls, over the calls of the campaign of the same objective
    that made most: PMO's measure (Gao et al. 2022), which rewards being soon."""
    hypervolume: float | None = None
    """Of the front, where properties are traded off: it is what such campaigns are compared by."""
    front_size: int | None = None
    """Molecules of the front."""


def compare(candidates: Candidates) -> list[Standings]:
    """Compare how the opened campaigns did, those of one objective together, in the order in which they were opened."""
    opened = candidates.campaigns()
    objectives = {campaign.label: campaign.objective for campaign in opened}
    rounds = {campaign.label: campaign.rounds for campaign in opened}
    none: dict[str, list[tuple[str, float | None]]] = {label: [] for label in objectives}
    table = candidates.to_arrow()
    calls = none | calls_of(table)
    failed = pc.and_(pc.is_null(table["score"]), pc.is_valid(table["call"]))  # one whose values were given is no call
    failures = Counter(table.filter(failed)["campaign"].to_pylist())
    most_of: dict[str, int] = {}
    for label, scores in calls.items():
        most_of[objectives[label]] = max(most_of.get(objectives[label], 0), len(scores))
    order = list(most_of)
    rows = []
    for label in sorted(calls, key=lambda name: order.index(objectives[name])):
        scores, objective = calls[label], objectives[label]
        rise = course(scores)
        last = [points[-1][1] if points else None for points in (rise.best, rise.mean)]
        auc = rise.auc(most_of[objective])
        front = [_last(rounds[label], name) for name in (HYPERVOLUME, "front_size")]
        rows.append(
            Standings(
                campaign=label,
                objective=objective,
                calls=len(scores),
                failed=failures[label],
                best=last[0],
                mean_top_10=last[1],
                mean_of=rise.mean_of,
                auc_top_10=auc,
                hypervolume=front[0],
                front_size=None if front[1] is None else int(front[1]),
            )
        )
    return rows


def _last(rounds: Sequence[RoundInfo], name: str) -> float | None:
    """A metric of the last round that has it."""
    return next((float(info.metrics[name]) for info in reversed(rounds) if name in info.metrics), None)
