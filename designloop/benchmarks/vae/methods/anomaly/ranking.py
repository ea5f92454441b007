"""A ranking of detectors by mean AUROC over the splits of each problem: 1 is best, ties share their mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from torch import Tensor

from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.methods.anomaly.outliers import (
    FLOOR,
    OURS,
    Problem,
    as_rows,
    fit_detector_of,
    mean_z,
)
from designloop.vae.anomaly.detector import NeuralDetector
from designloop.vae.anomaly.scores import SCORES
from designloop.vae.simulators.anomalies import Array, Planted

HIGHEST_RANK = 3.0
"""The bar of the average rank on the problems that were known when the detector was composed."""

Rivals = Mapping[str, Callable[[Planted, int], Array]]


def auroc(problem: Planted, scores: Tensor | Array) -> float:
    """Returns the area under the receiver's operating curve; an infinite score is above, or below, all finite ones."""
    return float(roc_auc_score(problem.anomalous, rankdata(np.asarray(scores), nan_policy="raise")))


@dataclass(frozen=True, slots=True)
class Ranking:
    """AUROC of every detector on every split of some problems."""

    names: tuple[str, ...]
    table: Mapping[str, Mapping[str, list[float]]]
    """Problem -> detector or score -> AUROC of each split."""
    neural: int
    """Splits whose rows asked for the neural detector."""
    splits: int
    ending: str
    """Of every measure, to tell two rankings apart."""

    @property
    def ranks(self) -> Array:
        """Returns the rank, (problems, detectors), of each detector on each problem."""
        aurocs = [[-round(fmean(self.table[problem][name]), 6) for name in self.names] for problem in self.table]
        return np.array([rankdata(row) for row in aurocs])

    @property
    def fits(self) -> int:
        """Returns the number of splits of all problems."""
        return len(self.table) * self.splits

    def rows(self) -> Iterator[Row]:
        """Yields ranks, mean areas, and the areas of each problem; no bar."""
        ranks, fits = self.ranks, self.fits
        average = dict(zip(self.names, ranks.mean(0).tolist(), strict=True))
        error = dict(zip(self.names, (ranks.std(0, ddof=1) / np.sqrt(len(ranks))).tolist(), strict=True))
        place = 1 + sum(average[name] < average[OURS] for name in self.names)
        yield Row(measure=f"its place by average rank{self.ending}", value=place, seeds=fits)
        yield Row(
            measure=f"share of splits that ask for the neural detector{self.ending}",
            value=self.neural / fits,
            seeds=fits,
        )
        for name in sorted(self.names[1:], key=lambda detector_name: average[detector_name]):
            whose = name if name == FLOOR else f"PyOD's {name}"
            yield Row(
                measure=f"average rank of {whose}{self.ending}", value=average[name], spread=error[name], seeds=fits
            )
        for name in (*self.names, *(which for which in SCORES if which != "negative evidence")):
            means = [fmean(aurocs[name]) for aurocs in self.table.values()]
            remark = "" if name in self.names else ", a score outside the ranking"
            yield Row(
                measure=f"mean AUROC over the problems: {name}{remark}{self.ending}", value=fmean(means), seeds=fits
            )
        for problem, aurocs in self.table.items():
            others = ", ".join(f"{name} {fmean(aurocs[name]):.3f}" for name in self.names[1:] if name != FLOOR)
            yield mean_row(
                f"{problem} against rest: AUROC of {OURS} ({others}){self.ending}",
                aurocs[OURS],
                floor=fmean(aurocs[FLOOR]),
            )


def measure_problem(problem: Problem, splits: int, rivals: Rivals) -> dict[str, Any]:
    """Fits every detector to every split of a problem.

    Returns:
        "aurocs": detector or score -> AUROC of each split; "neural": splits whose rows asked for the neural detector.
    """
    aurocs: dict[str, list[float]] = defaultdict(list)
    neural = 0
    for number in range(splits):
        split = problem.split(number)
        detector = fit_detector_of(split, number)
        neural += isinstance(detector, NeuralDetector)
        x = as_rows(split.test)
        for which, score in SCORES.items():
            aurocs[which].append(auroc(split, detector.score(x, score)))
        aurocs[OURS].append(auroc(split, detector.score(x)))
        aurocs[FLOOR].append(auroc(split, mean_z(split)))
        for name, rival in rivals.items():
            aurocs[name].append(auroc(split, rival(split, number)))
    return {"aurocs": dict(aurocs), "neural": neural}


def ranking_of(measured: Mapping[str, Mapping[str, Any]], names: Sequence[str], splits: int, ending: str) -> Ranking:
    """Ranks detectors by what was measured.

    Args:
        measured: problem -> what ``measure_problem`` returned. names: of the rivals.
        ending: of every measure.
    """
    table = {problem: piece["aurocs"] for problem, piece in measured.items()}
    neural = sum(piece["neural"] for piece in measured.values())
    return Ranking((OURS, *names, FLOOR), table, neural, splits, ending)


def rows_of_known(ranking: Ranking) -> Iterator[Row]:
    """Yields the rows of problems that were known, with the bar of the average rank."""
    ours = ranking.ranks[:, 0]
    what = f"{len(ours)} problems, {ranking.splits} splits each"
    yield Row(
        measure=f"average rank of {OURS} (anomaly_score, defaults) among {len(ranking.names)}, {what}{ranking.ending}",
        bar=f"≤ {HIGHEST_RANK}",
        value=float(ours.mean()),
        spread=float(ours.std(ddof=1) / np.sqrt(len(ours))),
        seeds=ranking.fits,
        holds=bool(ours.mean() <= HIGHEST_RANK),
    )
    yield from ranking.rows()


def rows_of_fresh(ranking: Ranking) -> Iterator[Row]:
    """Yields the rows of problems that nobody had looked at, with the bar of the distance to the best peer."""
    ranks = ranking.ranks
    best = int(ranks.mean(0)[1:].argmin()) + 1
    behind = ranks[:, 0] - ranks[:, best]
    error = float(behind.std(ddof=1) / np.sqrt(len(behind)))
    what = f"{len(ranks)} problems, {ranking.splits} splits each"
    yield Row(
        measure=f"average rank of {OURS} (anomaly_score, defaults) among {len(ranking.names)}, {what}{ranking.ending}",
        value=float(ranks[:, 0].mean()),
        spread=float(ranks[:, 0].std(ddof=1) / np.sqrt(len(ranks))),
        seeds=ranking.fits,
    )
    yield Row(
        measure=f"by which it is behind the best peer, {ranking.names[best]}{ranking.ending}",
        bar="at most 1.96 s.e.",
        value=float(behind.mean()),
        spread=error,
        seeds=ranking.fits,
        holds=bool(behind.mean() <= 1.96 * error),
    )
    yield from ranking.rows()
