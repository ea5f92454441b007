"""Anomaly: scores that repeat, p-values that hold what they promise, and a ranking among PyOD's detectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
import torch
from scipy.stats import kstest, rankdata
from sklearn.metrics import roc_auc_score
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, row_over
from designloop.benchmarks.vae_methods._outliers import (
    FLOOR,
    OURS,
    detector_of,
    mean_z,
    peers,
    problems,
    rows_of,
)
from designloop.vae.anomaly.conformal import conformal_p_values, false_positive_law
from designloop.vae.anomaly.scores import SCORES, anomaly_score
from designloop.vae.linear.linear_gaussian import log_evidence, ppca
from designloop.vae.model import VAE
from designloop.vae.simulators.anomalies import (
    Array,
    Planted,
    flipped_signs,
    off_the_ring,
    one_against_rest,
    overdispersed,
)
from designloop.vae.simulators.ring import ring

TITLE = "Anomaly and Outlier Detection"
FILE = "designloop/vae/anomaly/"
PAGE = "anomaly.md"

LEVELS = (0.01, 0.05, 0.1)
CALIBRATION, TESTED, DRAWS = 1000, 1000, 200
"""Of p-values: calibration rows and rows tested, fresh at each of so many draws."""

FEW = 20
"""Calibration rows of the wrong formula."""

CONFORMAL_SEEDS = (0, 1, 2)

SPLITS = 10
"""Of each problem that we did not plant."""

ROWS = 300
"""To learn from, of each planted problem."""

TRUE_ROWS = 20_000
"""Normal rows from which a ceiling is taken."""

PLANTED: Mapping[str, Callable[[int, np.random.Generator], Planted]] = {
    "flipped signs": flipped_signs,
    "overdispersed counts": overdispersed,
    "one class of four": one_against_rest,
    "off the ring": off_the_ring,
}


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """The rows of the bars."""
    rivals = peers()
    say("  scores that repeat, planted problems")
    rows = [*_repeats(seeds[0]), *_planted(seeds)]
    say("  conformal p-values")
    rows += _conformal()
    say("  problems that nobody planted")
    return [*rows, *_ranking(rivals, say)]


def _repeats(seed: int) -> Iterator[Row]:
    """Every score twice, in two batches, in float64."""
    apart, moved = [], []
    for make in (one_against_rest, overdispersed):
        problem = make(ROWS, np.random.default_rng(seed))
        detector = detector_of(problem, seed, torch.float64)
        x = rows_of(problem.test, torch.float64)
        for score in SCORES.values():
            torch.manual_seed(seed)
            once = detector.score(x, score)
            apart.append(float((detector.score(x, score) - once).abs().max()))
            alone = torch.cat([detector.score(some, score) for some in x.flip(0).split(7)]).flip(0)
            moved.append(float(((alone - once).abs() / once.abs().clamp_min(1)).max()))
    n = len(apart)
    yield Row("every score, called twice: greatest difference", "0", max(apart), None, n, max(apart) == 0)
    yield Row("every score, beside other rows: greatest difference, relative (float64)", "< 1e-9", max(moved), None, n,
              max(moved) < 1e-9)  # fmt: skip


def _planted(seeds: Sequence[int]) -> Iterator[Row]:
    """Clean rows to learn from; every score beside the mean z-score, and beside the true density where it is known."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in seeds:
        for name, make in PLANTED.items():
            problem = make(ROWS, np.random.default_rng(seed))
            detector = detector_of(problem, seed)
            for which, score in SCORES.items():
                found[name, which].append(auroc(problem, detector.score(rows_of(problem.test), score)))
            found[name, FLOOR].append(auroc(problem, mean_z(problem)))
        found["flipped signs", "true"].append(_true_covariance(seed))
    ours = {name: found[name, "negative evidence"] for name in PLANTED}
    floor = {name: fmean(found[name, FLOOR]) for name in PLANTED}
    signs, blind = ours["flipped signs"], found["flipped signs", FLOOR]
    yield row_over("flipped signs (correlations alone): AUROC of the mean z-score", "0.5 within 0.05: it is blind",
                   blind, abs(fmean(blind) - 0.5) < 0.05)  # fmt: skip
    least = min(a - b for a, b in zip(signs, blind, strict=True))
    yield row_over("flipped signs: AUROC of anomaly_score", "above the mean z-score's by 0.15 on each seed", signs,
                   least > 0.15, fmean(found["flipped signs", "true"]), floor["flipped signs"])  # fmt: skip
    nll, squared = (found["overdispersed counts", which] for which in ("decoder NLL", "reconstruction error"))
    above = all(a > b for a, b in zip(nll, squared, strict=True))
    yield row_over("overdispersed counts: AUROC of the negative binomial's decoder NLL",
                   "above the squared error's on each seed", nll, above, None, fmean(squared))  # fmt: skip
    for name in PLANTED:
        for which in SCORES:
            yield row_over(f"where scores disagree: {name}, {which}, AUROC", "", found[name, which], None, None,
                           floor[name])  # fmt: skip


def _true_covariance(seed: int) -> float:
    """AUROC of flipped signs under the covariance of very many normal rows: the loadings are the first draw."""
    problem = flipped_signs(ROWS, np.random.default_rng(seed))
    many = flipped_signs(TRUE_ROWS, np.random.default_rng(seed)).train
    return auroc(problem, -log_evidence(ppca(torch.from_numpy(many), 3), torch.from_numpy(problem.test)))


def auroc(problem: Planted, scores: Tensor | Array) -> float:
    """Area under the receiver's operating curve."""
    return float(roc_auc_score(problem.anomalous, np.asarray(scores)))


def _conformal() -> Iterator[Row]:
    """One model a seed, fresh rows for calibration and test at each draw, and how many of them are called anomalous."""
    smallest = dict.fromkeys(LEVELS, 1.0)
    counts: dict[float, list[float]] = {level: [] for level in LEVELS}
    lowest = dict.fromkeys(LEVELS, -np.inf)
    wrong: list[float] = []
    for seed in CONFORMAL_SEEDS:
        rng = np.random.default_rng([seed, 7])
        x = ring(ROWS + DRAWS * (CALIBRATION + TESTED), rng).x
        detector = detector_of(Planted(x[:ROWS], x[:0], np.zeros(0, dtype=bool)), seed)
        scores = torch.cat([detector.score(some, _sixteen) for some in rows_of(x[ROWS:]).split(4096)])
        pairs = scores.view(DRAWS, CALIBRATION + TESTED)
        for level in LEVELS:
            called = np.array([
                int((conformal_p_values(one[CALIBRATION:], one[:CALIBRATION]) <= level).sum()) for one in pairs
            ])  # fmt: skip
            smallest[level] = min(smallest[level], uniformity(called, TESTED, CALIBRATION, level, rng))
            counts[level] += (called / TESTED).tolist()
            error = float(called.std(ddof=1)) / TESTED / np.sqrt(len(called))
            lowest[level] = max(lowest[level], float(called.mean()) / TESTED - 3 * error)
            if int((FEW + 1) * level):
                called = np.array([int((wrong_p_values(one[CALIBRATION:], one[:FEW]) <= level).sum()) for one in pairs])
                wrong.append(uniformity(called, TESTED, FEW, level, rng))
    n = len(CONFORMAL_SEEDS)
    for level in LEVELS:
        yield Row(f"p ≤ {level:g} of {TESTED:,} normal rows, {DRAWS} draws: false positives against BetaBinomial("
                  f"{TESTED}, l, {CALIBRATION + 1} − l), least KS p of the seeds", "> 0.001", smallest[level], None, n,
                  smallest[level] > 0.001)  # fmt: skip
        yield Row(f"p ≤ {level:g}: mean share of false positives", f"at most {level:g} + 3 s.e. on each seed",
                  fmean(counts[level]), float(np.std(counts[level], ddof=1) / np.sqrt(len(counts[level]))), n,
                  lowest[level] <= level)  # fmt: skip
    yield Row(f"the wrong p = #(≥) / n at n = {FEW}, 5 and 10 %: greatest KS p in the same test",
              "≤ 0.001: it must fail",
              max(wrong), None, len(wrong), max(wrong) <= 0.001)  # fmt: skip


def _sixteen(vae: VAE, x: Tensor, mask: Tensor | None = None, context: object = None) -> Tensor:
    """The default score by fewer draws: p-values hold for any score, and a million of them are asked for."""
    return anomaly_score(vae, x, k=16)


def wrong_p_values(scores: Tensor, calibration: Tensor) -> Tensor:
    """(rows,) without the one that stands for the row itself: too small by about 1 / n."""
    right = conformal_p_values(scores, calibration)
    return (right * (len(calibration) + 1) - 1).round() / len(calibration)


def uniformity(called: Array, rows: int, calibration: int, level: float, rng: np.random.Generator) -> float:
    """The Kolmogorov–Smirnov p-value of false positives against their law, by the randomised probability integral."""
    law = false_positive_law(rows, calibration, level)
    below, upto = law.cdf(called - 1), law.cdf(called)
    return float(kstest(below + rng.random(len(called)) * (upto - below), "uniform").pvalue)


def _ranking(rivals: Mapping[str, Callable[[Planted, int], Array]], say: Say) -> Iterator[Row]:
    """Mean AUROC over the splits of each problem, and ranks of these: 1 is best, ties share their mean."""
    names = (OURS, *rivals, FLOOR)
    table: dict[str, dict[str, list[float]]] = {}
    for problem in problems():
        here = table.setdefault(problem.name, defaultdict(list))
        for number in range(SPLITS):
            split = problem.split(number)
            detector = detector_of(split, number)
            x = rows_of(split.test)
            for which, score in SCORES.items():
                here[which].append(auroc(split, detector.score(x, score)))
            here[OURS].append(auroc(split, detector.score(x)))
            here[FLOOR].append(auroc(split, mean_z(split)))
            for name, rival in rivals.items():
                here[name].append(auroc(split, rival(split, number)))
        say(f"    {problem.name}: " + ", ".join(f"{name} {fmean(here[name]):.3f}" for name in names))
    ranks = np.array([rankdata([-round(fmean(here[name]), 6) for name in names]) for here in table.values()])
    average = dict(zip(names, ranks.mean(0).tolist(), strict=True))
    error = dict(zip(names, (ranks.std(0, ddof=1) / np.sqrt(len(ranks))).tolist(), strict=True))
    place = 1 + sum(average[name] < average[OURS] for name in names)
    what = f"{len(table)} problems, {SPLITS} splits each"
    yield Row(f"average rank of {OURS} (anomaly_score, defaults) among {len(names)}, {what}", "the lowest of all",
              average[OURS], error[OURS], len(table) * SPLITS, place == 1)  # fmt: skip
    yield Row("its place by average rank", "", place, None, len(table) * SPLITS, None)
    for name in sorted(names[1:], key=lambda one: average[one]):
        whose = name if name == FLOOR else f"PyOD's {name}"
        yield Row(f"average rank of {whose}", "", average[name], error[name], len(table) * SPLITS, None)
    for name in (*names, *(which for which in SCORES if which != "negative evidence")):
        means = [fmean(here[name]) for here in table.values()]
        how = "" if name in names else ", a score outside the ranking"
        yield Row(f"mean AUROC over the problems: {name}{how}", "", fmean(means), None, len(table) * SPLITS, None)
    for problem_name, here in table.items():
        others = ", ".join(f"{name} {fmean(here[name]):.3f}" for name in rivals)
        yield row_over(f"{problem_name} against rest: AUROC of {OURS} ({others})", "", here[OURS], None, None,
                       fmean(here[FLOOR]))  # fmt: skip
