"""Neuron expression by electrophysiological type: how far a conditional VAE's samples are like cells, and of use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from designloop.benchmarks.common.rows import Row, row_over
from designloop.vae.conditional import (
    ConditionalDecoder,
    ConditionalEncoder,
    LogExpression,
    LogSize,
    OneHot,
    SoftmaxScale,
)
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder, mlp
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.simulators.neurons import Cells, Integers, Population, cells, population
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

Array = NDArray[np.float64]

TYPES, GENES = 6, 120
LATENT, HIDDEN, RATE, BATCH = 10, 128, 0.02, 128
"""Of every model of cells here."""

A_TYPE, HELD_OUT, STEPS = 1000, 6000, 1500
"""Cells of each type that are trained on and that samples are compared with, and steps of training."""

RARE, COMMON, RARE_STEPS, RARE_DIFFICULTY = 20, 400, 800, 2.0
"""Cells of the rare type and of each other, steps of training, and difficulty, where a type is rare."""

VALIDATION, TEST = 2, 10
"""Cells to choose a classifier's penalty and threshold by, and to judge it by, in units of those trained on."""

PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""Values of C that a classifier is chosen among, by average precision on the validation cells."""


def model(seed: int) -> VAE:
    """A conditional VAE of counts: a linear decoder of log means and log dispersions, so that types share factors.

    A library size is a cell's own total. So the means are shares of it, and as what is in z moves the total too, the
    prior reads the size: z of a cell with many counts is not that of one with few.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = MLPEncoder(GENES + TYPES, LATENT, [HIDDEN]), MLPDecoder(LATENT + TYPES, 2 * GENES)
        by_size = nn.Sequential(LogSize(), mlp([1, 2 * LATENT]))
    one_hot = OneHot(TYPES)
    return VAE(
        ConditionalEncoder(encoder, one_hot, transform=LogExpression()),
        SoftmaxScale(ConditionalDecoder(decoder, one_hot), GENES),
        NegativeBinomial(GENES, dispersion=4.0, decoded=True),
        ConditionalNormal(LATENT, by_size, key="library_size"),
    )


def as_tensors(some: Cells) -> tuple[Tensor, dict[str, Tensor]]:
    """Counts, and the context with type and library size."""
    sizes = torch.from_numpy(some.library_sizes).float()
    return torch.from_numpy(some.counts).float(), {"condition": torch.from_numpy(some.types), "library_size": sizes}


def trained(some: Cells, seed: int, steps: int) -> VAE:
    """The model fitted to cells; a batch has as many of each type in the mean, however rare."""
    generator = torch.Generator().manual_seed(seed)
    (x, context), vae = as_tensors(some), model(seed)
    chance = (1 / torch.bincount(context["condition"], minlength=TYPES))[context["condition"]]

    def batches() -> Iterator[Batch]:
        for _ in range(steps):
            rows = torch.multinomial(chance, BATCH, replacement=True, generator=generator)
            yield Batch(x[rows], context={name: value[rows] for name, value in context.items()})

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches(), optimizer, generator=generator, schedule=cosine(steps, 50), clip=100.0)
    return vae


def sampled(vae: VAE, types: Integers, sizes: Array, seed: int) -> Integers:
    """(cells, genes) counts drawn for types (cells,) and library sizes (cells,)."""
    context = {"condition": torch.from_numpy(types), "library_size": torch.from_numpy(sizes).float()}
    drawn = vae.sample(len(types), context, torch.Generator().manual_seed(seed))
    return drawn.numpy().astype(np.int64)


def independent(some: Cells, types: Integers, sizes: Array, rng: np.random.Generator) -> Integers:
    """(cells, genes) counts of one negative binomial a type and gene, by moments; genes do not know each other."""
    counts = np.empty((len(types), some.counts.shape[1]), int)
    for one in np.unique(types):
        own, s = some.counts[some.types == one], some.library_sizes[some.types == one, None]
        mean = np.maximum((own / s).mean(0), 1e-3)
        excess = ((own - mean * s) ** 2 - mean * s).mean(0) / (mean**2 * (s**2).mean())
        r = 1 / np.maximum(excess, 1e-2)
        rows = types == one
        wide = (int(rows.sum()), len(mean))
        counts[rows] = rng.poisson(sizes[rows, None] * mean * rng.gamma(r, 1 / r, wide))
    return counts


def log_expression(counts: Integers) -> Array:
    """(cells, genes) log(1 + count / library size), each cell by its own total."""
    size = counts.sum(1).clip(1) / counts.shape[1]
    return np.asarray(np.log1p(counts / size[:, None]), dtype=float)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How samples compare with held-out cells, type by type."""

    recognised: Array
    """(types,) points by which more samples than cells are recognised as what they are."""
    changes: float
    """Correlation of log-fold changes of mean expression over all pairs of types and genes."""
    spread_log: float
    """Share of types' genes whose variance of log expression is 0.8 to 1.25 times the cells'."""
    spread_counts: float
    """The same for the counts themselves."""
    correlations: float
    """Correlation of the gene–gene correlations of log expression, mean over types."""


def likeness(samples: Integers, held: Cells, recogniser: Pipeline) -> Likeness:
    """Samples (cells, genes), of the same types row by row as the held-out cells, beside these."""
    types = held.types
    ours, theirs = log_expression(samples), log_expression(held.counts)
    kinds = range(int(types.max()) + 1)
    right = [np.equal(recogniser.predict(rows), types) for rows in (ours, theirs)]
    upper = np.triu_indices(samples.shape[1], 1)
    within, alike = [], []
    for kind in kinds:
        of = types == kind
        ratios = [a[of].var(0) / b[of].var(0) for a, b in ((ours, theirs), (samples, held.counts))]
        within.append([np.mean((ratio > 0.8) & (ratio < 1.25)) for ratio in ratios])
        a, b = (np.corrcoef(rows[of].T)[upper] for rows in (ours, theirs))
        alike.append(np.corrcoef(a, b)[0, 1])
    spread_log, spread_counts = np.mean(within, 0)
    return Likeness(
        np.array([100 * (right[0][types == kind].mean() - right[1][types == kind].mean()) for kind in kinds]),
        float(np.corrcoef(_changes(samples, types), _changes(held.counts, types))[0, 1]),
        float(spread_log),
        float(spread_counts),
        float(np.mean(alike)),
    )


def _changes(counts: Integers, types: Integers) -> Array:
    """(pairs · genes,) log-fold changes of mean expression, a cell's total taken out."""
    share = counts / counts.sum(1, keepdims=True).clip(1)
    log = np.log(np.stack([share[types == kind].mean(0) for kind in range(int(types.max()) + 1)]) + 1e-9)
    return np.concatenate([log[i] - log[j] for i in range(len(log)) for j in range(i)])


def on_cells(seed: int) -> dict[str, Likeness]:
    """Likeness of the model's samples, of fresh cells, and of independent negative binomials."""
    rng = np.random.default_rng(seed)
    truth, every = population(rng, types=TYPES, genes=GENES), np.arange(TYPES)
    seen, others = (cells(truth, np.repeat(every, A_TYPE), rng) for _ in range(2))
    held, fresh = (cells(truth, np.repeat(every, HELD_OUT), rng) for _ in range(2))
    recogniser = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    recogniser.fit(log_expression(others.counts), others.types)
    vae = trained(seen, seed, STEPS)
    donors = np.concatenate([rng.choice(np.flatnonzero(seen.types == kind), HELD_OUT) for kind in every])
    sizes = seen.library_sizes[donors]  # that a type's cells have
    drawn = {
        "model": sampled(vae, held.types, sizes, seed),
        "ceiling": fresh.counts,
        "floor": independent(seen, held.types, sizes, rng),
    }
    return {name: likeness(counts, held, recogniser) for name, counts in drawn.items()}


def likeness_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """The bars on samples of cells."""
    found = [on_cells(seed) for seed in seeds]
    apart = {name: np.mean([one[name].recognised for one in found], 0) for name in found[0]}
    worst = {name: float(np.abs(each).max()) for name, each in apart.items()}
    measure = (
        "cells: samples of a type recognised as it, − held-out cells, points, either way, of the type that is worst off"
    )
    bar, holds = "within 2", worst["model"] <= 2
    yield Row(measure, bar, worst["model"], None, len(seeds), holds, worst["ceiling"], worst["floor"])
    for field, measure, least in (
        ("changes", "cells: correlation of log-fold changes between types, samples and held-out cells", 0.9),
        ("spread_log", "cells: share of genes, type by type, whose variance is 0.8 to 1.25 of held-out cells'", 0.9),
        ("spread_counts", "cells: the same of raw counts, without logarithm and library size", 0.9),
        ("correlations", "cells: correlation of gene–gene correlations within types, samples and held-out cells", 0.8),
    ):
        values = {name: [getattr(one[name], field) for one in found] for name in found[0]}
        ceiling, floor = float(np.mean(values["ceiling"])), float(np.mean(values["floor"]))
        holds = float(np.mean(values["model"])) >= least
        yield row_over(measure, f"≥ {least}", values["model"], holds, ceiling, floor)


ARMS = {
    "untreated": "nothing done",
    "weighted": "class weighting",
    "oversampled": "random oversampling",
    "independent": "independent negative binomials",
    "model": "samples of the conditional VAE",
    "real": "as many real cells",
}
"""What is done about a rare type, by name."""


def on_a_rare_type(seed: int) -> dict[str, tuple[float, float]]:
    """Average precision and F1 of finding the rare type among all others, by what was done about it."""
    rng = np.random.default_rng(seed)
    truth = population(rng, RARE_DIFFICULTY, TYPES, GENES)
    seen, validation, test = (cells(truth, _one_rare(times), rng) for times in (1, VALIDATION, TEST))
    vae = trained(seen, seed, RARE_STEPS)
    more = _more(seen, truth, vae, rng, seed)
    own, choosing, judging = ((log_expression(some.counts), some.types == 0) for some in (seen, validation, test))
    scores = {
        "untreated": _judged(own, choosing, judging),
        "weighted": _judged(own, choosing, judging, class_weight="balanced"),
    }
    for name, counts in more.items():
        x = np.concatenate([own[0], log_expression(counts)])
        rare = np.concatenate([own[1], np.ones(len(counts), bool)])
        scores[name] = _judged((x, rare), choosing, judging)
    return scores


def _more(seen: Cells, truth: Population, vae: VAE, rng: np.random.Generator, seed: int) -> dict[str, Integers]:
    """(COMMON − RARE, genes) further counts of the rare type, in each way there is."""
    again = rng.integers(RARE, size=COMMON - RARE)  # rows of the rare type, which come first
    types, sizes = np.zeros(COMMON - RARE, int), seen.library_sizes[again]
    return {
        "oversampled": seen.counts[again],
        "independent": independent(seen, types, sizes, rng),
        "model": sampled(vae, types, sizes, seed),
        "real": cells(truth, types, rng).counts,
    }


def _one_rare(times: int) -> Integers:
    return np.concatenate([np.zeros(RARE * times, int), np.repeat(np.arange(1, TYPES), COMMON * times)])


Labelled = tuple[Array, NDArray[np.bool_]]


def _judged(
    train: Labelled, validation: Labelled, test: Labelled, class_weight: str | None = None
) -> tuple[float, float]:
    """Average precision, and F1 at the threshold that is best on the validation cells, as the penalty is."""
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
    """The bars on what samples are good for: paired differences, with 95 % intervals."""
    found = [on_a_rare_type(seed) for seed in seeds]
    for number, what in enumerate(("average precision", "F1")):
        values = {arm: np.array([one[arm][number] for one in found]) for arm in ARMS}
        ceiling, floor = float(values["real"].mean()), float(values["untreated"].mean())
        measure = f"rare type: {what} with {ARMS['model']}"
        yield row_over(measure, "", list(values["model"]), None, ceiling, floor)
        for arm in ("weighted", "oversampled", "independent"):
            gain = values["model"] - values[arm]
            error = float(gain.std(ddof=1)) / math.sqrt(len(gain))
            least = gain.mean() - stats.t.ppf(0.975, len(gain) - 1) * error
            measure = f"rare type: {what}, gain over {ARMS[arm]}"
            yield row_over(measure, "95 % interval above 0", list(gain), bool(least > 0))
