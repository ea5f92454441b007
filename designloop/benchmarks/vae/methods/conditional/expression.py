"""Neuron expression by electrophysiological type: how far a conditional VAE's samples are like cells, and of use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from designloop.benchmarks.common.rows import Row, mean_row
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
from designloop.vae.simulators.neurons import Cells, Integers, cells, population
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


def build_model(seed: int) -> VAE:
    """Builds a conditional VAE of counts: a linear decoder of log means and log dispersions; so types share factors.

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


def as_tensors(sample_cells: Cells) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns counts, and the context with type and library size."""
    sizes = torch.from_numpy(sample_cells.library_sizes).float()
    return torch.from_numpy(sample_cells.counts).float(), {
        "condition": torch.from_numpy(sample_cells.types),
        "library_size": sizes,
    }


def train(training_cells: Cells, seed: int, steps: int) -> VAE:
    """Fits the model to cells; a batch has as many of each type in the mean, however rare."""
    generator = torch.Generator().manual_seed(seed)
    (x, context), vae = as_tensors(training_cells), build_model(seed)
    chance = (1 / torch.bincount(context["condition"], minlength=TYPES))[context["condition"]]

    def batches() -> Iterator[Batch]:
        for _ in range(steps):
            rows = torch.multinomial(chance, BATCH, replacement=True, generator=generator)
            yield Batch(x[rows], context={name: value[rows] for name, value in context.items()})

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches(), optimizer, generator=generator, schedule=cosine(steps, 50), clip=100.0)
    return vae


def sample(vae: VAE, types: Integers, sizes: Array, seed: int) -> Integers:
    """Draws (cells, genes) counts for types (cells,) and library sizes (cells,)."""
    context = {"condition": torch.from_numpy(types), "library_size": torch.from_numpy(sizes).float()}
    drawn = vae.sample(len(types), context, torch.Generator().manual_seed(seed))
    return drawn.numpy().astype(np.int64)


def sample_independent(reference: Cells, types: Integers, sizes: Array, rng: np.random.Generator) -> Integers:
    """Draws (cells, genes) counts of a negative binomial for each type and gene, by moments; genes are independent."""
    counts = np.empty((len(types), reference.counts.shape[1]), int)
    for kind in np.unique(types):
        counts_of_kind, sizes_of_kind = (
            reference.counts[reference.types == kind],
            reference.library_sizes[reference.types == kind, None],
        )
        mean = np.maximum((counts_of_kind / sizes_of_kind).mean(0), 1e-3)
        excess = ((counts_of_kind - mean * sizes_of_kind) ** 2 - mean * sizes_of_kind).mean(0) / (
            mean**2 * (sizes_of_kind**2).mean()
        )
        r = 1 / np.maximum(excess, 1e-2)
        rows = types == kind
        wide = (int(rows.sum()), len(mean))
        counts[rows] = rng.poisson(sizes[rows, None] * mean * rng.gamma(r, 1 / r, wide))
    return counts


def log_expression(counts: Integers) -> Array:
    """Returns (cells, genes) log(1 + count / library size), each cell by its own total."""
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


def measure_likeness(samples: Integers, held: Cells, recogniser: Pipeline) -> Likeness:
    """Compares samples (cells, genes) with held-out cells, which have the same types row by row."""
    types = held.types
    ours, theirs = log_expression(samples), log_expression(held.counts)
    kinds = range(int(types.max()) + 1)
    right = [np.equal(recogniser.predict(rows), types) for rows in (ours, theirs)]
    upper = np.triu_indices(samples.shape[1], 1)
    within, alike = [], []
    for kind in kinds:
        of_kind = types == kind
        ratios = [a[of_kind].var(0) / b[of_kind].var(0) for a, b in ((ours, theirs), (samples, held.counts))]
        within.append([np.mean((ratio > 0.8) & (ratio < 1.25)) for ratio in ratios])
        a, b = (np.corrcoef(rows[of_kind].T)[upper] for rows in (ours, theirs))
        alike.append(np.corrcoef(a, b)[0, 1])
    spread_log, spread_counts = np.mean(within, 0)
    return Likeness(
        np.array([100 * (right[0][types == kind].mean() - right[1][types == kind].mean()) for kind in kinds]),
        float(np.corrcoef(_fold_changes(samples, types), _fold_changes(held.counts, types))[0, 1]),
        float(spread_log),
        float(spread_counts),
        float(np.mean(alike)),
    )


def _fold_changes(counts: Integers, types: Integers) -> Array:
    """Returns (pairs · genes,) log-fold changes of mean expression, a cell's total taken out."""
    share = counts / counts.sum(1, keepdims=True).clip(1)
    log = np.log(np.stack([share[types == kind].mean(0) for kind in range(int(types.max()) + 1)]) + 1e-9)
    return np.concatenate([log[i] - log[j] for i in range(len(log)) for j in range(i)])


def measure_on_cells(seed: int) -> dict[str, Likeness]:
    """Measures the likeness of the model's samples, of fresh cells, and of independent negative binomials."""
    rng = np.random.default_rng(seed)
    truth, every = population(rng, types=TYPES, genes=GENES), np.arange(TYPES)
    training_cells, others = (cells(truth, np.repeat(every, A_TYPE), rng) for _ in range(2))
    held, fresh = (cells(truth, np.repeat(every, HELD_OUT), rng) for _ in range(2))
    recogniser = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    recogniser.fit(log_expression(others.counts), others.types)
    vae = train(training_cells, seed, STEPS)
    donors = np.concatenate([rng.choice(np.flatnonzero(training_cells.types == kind), HELD_OUT) for kind in every])
    sizes = training_cells.library_sizes[donors]  # that a type's cells have
    drawn = {
        "model": sample(vae, held.types, sizes, seed),
        "ceiling": fresh.counts,
        "floor": sample_independent(training_cells, held.types, sizes, rng),
    }
    return {name: measure_likeness(counts, held, recogniser) for name, counts in drawn.items()}


def likeness_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Measures the rows on samples of cells."""
    likenesses = [measure_on_cells(seed) for seed in seeds]
    points = {name: np.mean([of_seed[name].recognised for of_seed in likenesses], 0) for name in likenesses[0]}
    worst = {name: float(np.abs(by_type).max()) for name, by_type in points.items()}
    measure = (
        "cells: samples of a type recognised as it, − held-out cells, points, either way, of the type that is worst off"
    )
    bar, holds = "within 2", worst["model"] <= 2
    yield Row(
        measure=measure,
        bar=bar,
        value=worst["model"],
        seeds=len(seeds),
        holds=holds,
        ceiling=worst["ceiling"],
        floor=worst["floor"],
    )
    for field, measure, least in (
        ("changes", "cells: correlation of log-fold changes between types, samples and held-out cells", 0.9),
        ("spread_log", "cells: share of genes, type by type, whose variance is 0.8 to 1.25 of held-out cells'", 0.9),
        ("spread_counts", "cells: the same of raw counts, without logarithm and library size", 0.9),
        ("correlations", "cells: correlation of gene–gene correlations within types, samples and held-out cells", 0.8),
    ):
        values = {name: [getattr(of_seed[name], field) for of_seed in likenesses] for name in likenesses[0]}
        ceiling, floor = float(np.mean(values["ceiling"])), float(np.mean(values["floor"]))
        holds = float(np.mean(values["model"])) >= least
        yield mean_row(measure, values["model"], bar=f"≥ {least}", holds=holds, ceiling=ceiling, floor=floor)
