"""A rare type of cell: what samples of a conditional VAE are good for, beside other ways to balance types."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.methods.conditional.expression import (
    GENES,
    TYPES,
    Array,
    log_expression,
    sample,
    sample_independent,
    train,
)
from designloop.vae.model import VAE
from designloop.vae.simulators.neurons import Cells, Integers, Population, cells, population

RARE, COMMON, RARE_STEPS, RARE_DIFFICULTY = 20, 400, 800, 2.0
"""Cells of the rare type and of each other, steps of training, and difficulty, where a type is rare."""

VALIDATION, TEST = 2, 10
"""Cells to choose a classifier's penalty and threshold by, and to judge it by, in units of those trained on."""

PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""Values of C that a classifier is chosen among, by average precision on the validation cells."""

ARMS = {
    "untreated": "nothing done",
    "weighted": "class weighting",
    "oversampled": "random oversampling",
    "independent": "independent negative binomials",
    "model": "samples of the conditional VAE",
    "real": "as many real cells",
}
"""What is done about a rare type, by name."""


def score_a_rare_type(seed: int) -> dict[str, tuple[float, float]]:
    """Scores, by average precision and F1, how well the rare type is recognised, by what was done about it."""
    rng = np.random.default_rng(seed)
    truth = population(rng, RARE_DIFFICULTY, TYPES, GENES)
    training_cells, validation, test = (cells(truth, _one_rare(times), rng) for times in (1, VALIDATION, TEST))
    vae = train(training_cells, seed, RARE_STEPS)
    more = _augment(training_cells, truth, vae, rng, seed)
    fitting, choosing, judging = (
        (log_expression(labelled.counts), labelled.types == 0) for labelled in (training_cells, validation, test)
    )
    scores = {
        "untreated": _score_classifier(fitting, choosing, judging),
        "weighted": _score_classifier(fitting, choosing, judging, class_weight="balanced"),
    }
    for name, counts in more.items():
        x = np.concatenate([fitting[0], log_expression(counts)])
        rare = np.concatenate([fitting[1], np.ones(len(counts), bool)])
        scores[name] = _score_classifier((x, rare), choosing, judging)
    return scores


def _augment(
    training_cells: Cells, truth: Population, vae: VAE, rng: np.random.Generator, seed: int
) -> dict[str, Integers]:
    """Returns (COMMON − RARE, genes) further counts of the rare type, in each way there is."""
    rows = rng.integers(RARE, size=COMMON - RARE)  # rows of the rare type, which come first
    types, sizes = np.zeros(COMMON - RARE, int), training_cells.library_sizes[rows]
    return {
        "oversampled": training_cells.counts[rows],
        "independent": sample_independent(training_cells, types, sizes, rng),
        "model": sample(vae, types, sizes, seed),
        "real": cells(truth, types, rng).counts,
    }


def _one_rare(times: int) -> Integers:
    return np.concatenate([np.zeros(RARE * times, int), np.repeat(np.arange(1, TYPES), COMMON * times)])


Labelled = tuple[Array, NDArray[np.bool_]]


def _score_classifier(
    train: Labelled, validation: Labelled, test: Labelled, class_weight: str | None = None
) -> tuple[float, float]:
    """Returns average precision, and F1 at the threshold that is best on the validation cells, as the penalty is."""
    best: tuple[float, Pipeline] | None = None
    for penalty in PENALTIES:
        classifier = LogisticRegression(C=penalty, max_iter=1000, class_weight=class_weight)
        fitted = make_pipeline(StandardScaler(), classifier).fit(*train)
        precision = float(average_precision_score(validation[1], fitted.decision_function(validation[0])))
        if best is None or precision > best[0]:
            best = precision, fitted
    assert best is not None
    precisions, recalls, thresholds = precision_recall_curve(validation[1], best[1].decision_function(validation[0]))
    f1 = 2 * precisions * recalls / np.maximum(precisions + recalls, 1e-12)
    scores = best[1].decision_function(test[0])
    return (
        float(average_precision_score(test[1], scores)),
        float(f1_score(test[1], scores >= thresholds[f1[:-1].argmax()])),
    )


def rare_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Measures what samples are good for: paired differences, with 95 % intervals."""
    scores = [score_a_rare_type(seed) for seed in seeds]
    for number, what in enumerate(("average precision", "F1")):
        values = {arm: np.array([of_seed[arm][number] for of_seed in scores]) for arm in ARMS}
        ceiling, floor = float(values["real"].mean()), float(values["untreated"].mean())
        measure = f"rare type: {what} with {ARMS['model']}"
        yield mean_row(measure, list(values["model"]), ceiling=ceiling, floor=floor)
        for arm in ("weighted", "oversampled", "independent"):
            gain = values["model"] - values[arm]
            error = float(gain.std(ddof=1)) / math.sqrt(len(gain))
            least = gain.mean() - stats.t.ppf(0.975, len(gain) - 1) * error
            measure = f"rare type: {what}, gain over {ARMS[arm]}"
            yield mean_row(measure, list(gain), bar="95 % interval above 0", holds=bool(least > 0))
