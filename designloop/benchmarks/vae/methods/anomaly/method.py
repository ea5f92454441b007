"""Anomaly: scores that repeat, p-values that hold what they promise, and a ranking among PyOD's detectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy.stats import kstest
from torch import Tensor

from designloop.benchmarks.common.machine import machine
from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.common.trials import ROOT, Trial, TrialResult, digest_of, run_trials
from designloop.benchmarks.vae.methods.anomaly.keel import fresh_problems
from designloop.benchmarks.vae.methods.anomaly.outliers import (
    FLOOR,
    Problem,
    as_rows,
    fit_detector_of,
    load_rivals,
    mean_z,
    problems,
)
from designloop.benchmarks.vae.methods.anomaly.ranking import (
    Rivals,
    auroc,
    measure_problem,
    ranking_of,
    rows_of_fresh,
    rows_of_known,
)
from designloop.vae.anomaly.conformal import conformal_p_values, false_positive_law
from designloop.vae.anomaly.detector import Detector, NeuralDetector, fit_neural
from designloop.vae.anomaly.scores import SCORES, anomaly_score
from designloop.vae.linear.linear_gaussian import log_evidence, ppca
from designloop.vae.model import VAE
from designloop.vae.simulators.anomalies import (
    Array,
    Planted,
    clustered,
    flipped_signs,
    long_tails,
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

DECIDING = ("designloop/vae", "designloop/benchmarks/vae/methods/anomaly")
"""The folders of code that decide what is measured."""

PLANTED: Mapping[str, Callable[[int, np.random.Generator], Planted]] = {
    "flipped signs": flipped_signs,
    "overdispersed counts": overdispersed,
    "one class of four": one_against_rest,
    "off the ring": off_the_ring,
}

CONTAMINATED: Mapping[str, Callable[[int, np.random.Generator], Planted]] = {
    "clustered contamination": partial(clustered, contamination=0.1),
    "clustered contamination, no farther off than normal rows": partial(clustered, apart=4.0, contamination=0.1),
    "long tails, contaminated": partial(long_tails, contamination=0.1),
}

WORSE = 0.01
"""Area by which the default may be below the neural detector on clean rows."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures the rows of anomaly detection at one go."""
    with TemporaryDirectory() as folder:
        return run_kept(seeds, say, Path(folder))[0]


def run_kept(seeds: Sequence[int], say: Say, folder: Path) -> tuple[list[Row], float]:
    """Measures the rows piece by piece: planted problems, p-values, and each problem that nobody planted.

    What the same code has measured on the same machine is not measured again.

    Args:
        folder: of the pieces.

    Returns:
        The rows, and the seconds of all pieces.
    """
    rivals = load_rivals()
    known, fresh = ({problem.name: problem for problem in make()} for make in (problems, fresh_problems))
    work: dict[str, Callable[[Path], TrialResult]] = {
        "planted": partial(_piece_of_rows, partial(_rows_of_planted, tuple(seeds))),
        "p-values": partial(_piece_of_rows, _test_conformal),
    }
    for group, problems_by_name in (("known", known), ("fresh", fresh)):
        work |= {
            _arm(group, name): partial(_piece_of_problem, problem, rivals) for name, problem in problems_by_name.items()
        }
    identity = {"seeds": list(seeds), "splits": SPLITS, "versions": _versions(), "cpu": machine()["cpu"]}
    code = digest_of(path for place in DECIDING for path in sorted((ROOT / place).rglob("*.py")))
    trials = [Trial(arm, 0, piece, identity, code) for arm, piece in work.items()]
    pieces = {arm: results[0] for arm, results in run_trials(trials, folder, 1, say).items()}
    rows = [Row(**row) for arm in ("planted", "p-values") for row in pieces[arm]["rows"]]
    measured = {name: pieces[_arm("known", name)] for name in known}
    rows += rows_of_known(ranking_of(measured, list(rivals), SPLITS, ""))
    measured = {name: pieces[_arm("fresh", name)] for name in fresh}
    rows += rows_of_fresh(ranking_of(measured, list(rivals), SPLITS, ", KEEL's tables"))
    return rows, sum(piece["seconds"] for piece in pieces.values())


def _arm(group: str, name: str) -> str:
    return f"{group}-{name}".replace(" ", "-")


def _versions() -> dict[str, str]:
    """Versions of what else decides a detector's scores."""
    return {name: version(name) for name in ("numpy", "pyod", "scikit-learn", "scipy", "torch")}


def _piece_of_rows(measure: Callable[[], Iterator[Row]], folder: Path) -> TrialResult:
    return {"rows": [asdict(row) for row in measure()]}


def _piece_of_problem(problem: Problem, rivals: Rivals, folder: Path) -> TrialResult:
    return measure_problem(problem, SPLITS, rivals)


def _rows_of_planted(seeds: Sequence[int]) -> Iterator[Row]:
    yield from _repeat_scores(seeds[0])
    yield from _detect_planted(seeds)
    yield from _detect_contaminated(seeds)


def _repeat_scores(seed: int) -> Iterator[Row]:
    """Takes every score twice, in two batches, in float64."""
    differences, relative_differences = [], []
    for make in (one_against_rest, overdispersed):
        problem = make(ROWS, np.random.default_rng(seed))
        detector = fit_detector_of(problem, seed, torch.float64)
        x = as_rows(problem.test, torch.float64)
        for score in SCORES.values():
            torch.manual_seed(seed)
            once = detector.score(x, score)
            differences.append(float((detector.score(x, score) - once).abs().max()))
            alone = torch.cat([detector.score(rows, score) for rows in x.flip(0).split(7)]).flip(0)
            relative_differences.append(float(((alone - once).abs() / once.abs().clamp_min(1)).max()))
    n = len(differences)
    yield Row(
        measure="every score, called twice: greatest difference",
        bar="0",
        value=max(differences),
        seeds=n,
        holds=max(differences) == 0,
    )
    yield Row(
        measure="every score, beside other rows: greatest difference, relative (float64)",
        bar="< 1e-9",
        value=max(relative_differences),
        seeds=n,
        holds=max(relative_differences) < 1e-9,
    )


def _detect_planted(seeds: Sequence[int]) -> Iterator[Row]:
    """Learns from clean rows; sets every score beside the mean z-score and, where it is known, the true density."""
    aurocs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in seeds:
        for name, make in PLANTED.items():
            problem = make(ROWS, np.random.default_rng(seed))
            detector = fit_detector_of(problem, seed)
            for which, score in SCORES.items():
                aurocs[name, which].append(auroc(problem, detector.score(as_rows(problem.test), score)))
            aurocs[name, FLOOR].append(auroc(problem, mean_z(problem)))
            aurocs[name, "neural"].append(auroc(problem, _neural(detector, problem, seed).score(as_rows(problem.test))))
        aurocs["flipped signs", "true"].append(_true_covariance(seed))
    ours = {name: aurocs[name, "negative evidence"] for name in PLANTED}
    floor = {name: fmean(aurocs[name, FLOOR]) for name in PLANTED}
    signs, blind = ours["flipped signs"], aurocs["flipped signs", FLOOR]
    yield mean_row(
        "flipped signs (correlations alone): AUROC of the mean z-score",
        blind,
        bar="0.5 within 0.05: it is blind",
        holds=abs(fmean(blind) - 0.5) < 0.05,
    )
    least = min(a - b for a, b in zip(signs, blind, strict=True))
    yield mean_row(
        "flipped signs: AUROC of anomaly_score",
        signs,
        bar="above the mean z-score's by 0.15 on each seed",
        holds=least > 0.15,
        ceiling=fmean(aurocs["flipped signs", "true"]),
        floor=floor["flipped signs"],
    )
    nll, squared = (aurocs["overdispersed counts", which] for which in ("decoder NLL", "reconstruction error"))
    above = all(a > b for a, b in zip(nll, squared, strict=True))
    yield mean_row(
        "overdispersed counts: AUROC of the negative binomial's decoder NLL",
        nll,
        bar="above the squared error's on each seed",
        holds=above,
        floor=fmean(squared),
    )
    for name in PLANTED:
        below = fmean(aurocs[name, "neural"]) - fmean(ours[name])
        yield mean_row(
            f"clean rows, {name}: AUROC of the default",
            ours[name],
            bar=f"at most {WORSE:g} below the neural detector's",
            holds=below <= WORSE,
            ceiling=fmean(aurocs[name, "neural"]),
            floor=floor[name],
        )
    for name in PLANTED:
        for which in SCORES:
            yield mean_row(f"where scores disagree: {name}, {which}, AUROC", aurocs[name, which], floor=floor[name])


def _neural(detector: Detector, problem: Planted, seed: int) -> NeuralDetector:
    """Returns the detector if it is the neural one, else that of the same rows."""
    if isinstance(detector, NeuralDetector):
        return detector
    return fit_neural(as_rows(problem.train), generator=torch.Generator().manual_seed(seed))


def _detect_contaminated(seeds: Sequence[int]) -> Iterator[Row]:
    """Learns from rows of which a tenth is anomalous; sets the default beside the neural detector."""
    for name, make in CONTAMINATED.items():
        ours, neural, floor = [], [], []
        for seed in seeds:
            problem = make(ROWS, np.random.default_rng(seed))
            x = as_rows(problem.test)
            detector = fit_detector_of(problem, seed)
            ours.append(auroc(problem, detector.score(x)))
            neural.append(auroc(problem, _neural(detector, problem, seed).score(x)))
            floor.append(auroc(problem, mean_z(problem)))
        yield mean_row(
            f"{name}: AUROC of the default",
            ours,
            bar=f"at most {WORSE:g} below the neural detector's",
            holds=fmean(neural) - fmean(ours) <= WORSE,
            floor=fmean(floor),
        )
        yield mean_row(f"{name}: AUROC of the neural detector", neural, floor=fmean(floor))


def _true_covariance(seed: int) -> float:
    """Returns the AUROC of flipped signs under the covariance of very many normal rows, of the same loadings."""
    problem = flipped_signs(ROWS, np.random.default_rng(seed))
    many = flipped_signs(TRUE_ROWS, np.random.default_rng(seed)).train
    return auroc(problem, -log_evidence(ppca(torch.from_numpy(many), 3), torch.from_numpy(problem.test)))


def _test_conformal() -> Iterator[Row]:
    """Counts rows called anomalous: one model for each seed, fresh rows for calibration and test at each draw."""
    smallest = dict.fromkeys(LEVELS, 1.0)
    counts: dict[float, list[float]] = {level: [] for level in LEVELS}
    lowest = dict.fromkeys(LEVELS, -np.inf)
    wrong: list[float] = []
    for seed in CONFORMAL_SEEDS:
        rng = np.random.default_rng([seed, 7])
        x = ring(ROWS + DRAWS * (CALIBRATION + TESTED), rng).x
        detector = fit_detector_of(Planted(x[:ROWS], x[:0], np.zeros(0, dtype=bool)), seed)
        scores = torch.cat([detector.score(rows, _cheap_anomaly_score) for rows in as_rows(x[ROWS:]).split(4096)])
        pairs = scores.view(DRAWS, CALIBRATION + TESTED)
        for level in LEVELS:
            called = np.array([
                int((conformal_p_values(pair[CALIBRATION:], pair[:CALIBRATION]) <= level).sum()) for pair in pairs
            ])  # fmt: skip
            smallest[level] = min(smallest[level], uniformity(called, TESTED, CALIBRATION, level, rng))
            counts[level] += (called / TESTED).tolist()
            error = float(called.std(ddof=1)) / TESTED / np.sqrt(len(called))
            lowest[level] = max(lowest[level], float(called.mean()) / TESTED - 3 * error)
            if int((FEW + 1) * level):
                called = np.array(
                    [int((wrong_p_values(pair[CALIBRATION:], pair[:FEW]) <= level).sum()) for pair in pairs]
                )
                wrong.append(uniformity(called, TESTED, FEW, level, rng))
    n = len(CONFORMAL_SEEDS)
    for level in LEVELS:
        yield Row(
            measure=f"p ≤ {level:g} of {TESTED:,} normal rows, {DRAWS} draws: false positives against BetaBinomial("
            f"{TESTED}, l, {CALIBRATION + 1} − l), least KS p of the seeds",
            bar="> 0.001",
            value=smallest[level],
            seeds=n,
            holds=smallest[level] > 0.001,
        )
        yield Row(
            measure=f"p ≤ {level:g}: mean share of false positives",
            bar=f"at most {level:g} + 3 s.e. on each seed",
            value=fmean(counts[level]),
            spread=float(np.std(counts[level], ddof=1) / np.sqrt(len(counts[level]))),
            seeds=n,
            holds=lowest[level] <= level,
        )
    yield Row(
        measure=f"the wrong p = #(≥) / n at n = {FEW}, 5 and 10 %: greatest KS p in the same test",
        bar="≤ 0.001: it must fail",
        value=max(wrong),
        seeds=len(wrong),
        holds=max(wrong) <= 0.001,
    )


def _cheap_anomaly_score(vae: VAE, x: Tensor, mask: Tensor | None = None, context: object = None) -> Tensor:
    """Takes the default score by 16 draws: p-values hold for any score, and a million of them are needed."""
    return anomaly_score(vae, x, k=16)


def wrong_p_values(scores: Tensor, calibration: Tensor) -> Tensor:
    """Returns (rows,) p-values that do not count the row itself: too small by about 1 / n."""
    right = conformal_p_values(scores, calibration)
    return (right * (len(calibration) + 1) - 1).round() / len(calibration)


def uniformity(called: Array, rows: int, calibration: int, level: float, rng: np.random.Generator) -> float:
    """Tests false positives against their law: Kolmogorov–Smirnov p-value of the randomised probability integral."""
    law = false_positive_law(rows, calibration, level)
    below, upto = law.cdf(called - 1), law.cdf(called)
    return float(kstest(below + rng.random(len(called)) * (upto - below), "uniform").pvalue)
