"""Models of both modalities, what they translate to, and how good that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from designloop.benchmarks.vae.methods.multimodal.ceiling import expected_log
from designloop.vae.inference.expectations import expectations
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.likelihoods.product import Product
from designloop.vae.model import VAE
from designloop.vae.multimodal import hide_blocks, multimodal_vae, observe_only, translate
from designloop.vae.networks import MLPDecoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.multiome import Cells, Multiome, cells, multiome
from designloop.vae.tables import TableEncoder
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine, ramp

Array = NDArray[np.floating]

TRAIN, HELD_OUT = 20_000, 600
"""Cells of either modality, all of them paired."""

LATENT, HIDDEN, STEPS, BATCH, RATE = 8, 64, 1500, 256, 0.01
"""Of every model; the truth has four units."""

WHOLE = 0.4
"""Share of the steps in which cells are seen whole, before one modality of most is hidden."""

WARM = 0.3
"""Share of the steps in which the KL's weight rises to 1, so that no unit is given up before it has learnt."""

DRAWS = 300
"""Of the posterior, by which a translation is made."""

NEIGHBOURS = 50


@dataclass(frozen=True, slots=True)
class Translation:
    """What is said of each modality given the other."""

    rna: Array
    """(cells, genes) expected log(1 + count): what is compared, so that the best is the posterior's mean."""
    atac: Array
    """(cells, peaks) chances of being open."""


def make_cells(seed: int) -> tuple[Multiome, Cells, Cells]:
    """Makes a truth, cells to learn from, and held-out ones."""
    rng = np.random.default_rng(seed)
    truth = multiome(rng)
    return truth, cells(truth, TRAIN, rng), cells(truth, HELD_OUT, rng)


def correlation(log_expression: Array, cells: Cells) -> float:
    """Correlates predicted with measured log(1 + count), over all cells and genes."""
    return float(np.corrcoef(log_expression.ravel(), np.log1p(cells.counts).ravel())[0, 1])


def auroc(chances: Array, cells: Cells) -> float:
    """Ranks all peaks of all cells by what is predicted: the chance that an open one is above a closed one."""
    return float(roc_auc_score(cells.is_open.ravel(), chances.ravel()))


def calibration_error(chances: Array, cells: Cells, bins: int = 20) -> float:
    """Mean |share of open peaks − mean prediction| over bins of equally many predictions."""
    order = np.argsort(chances, axis=None)
    parts = zip(
        np.array_split(chances.ravel()[order], bins), np.array_split(cells.is_open.ravel()[order], bins), strict=True
    )
    return float(np.mean([abs(predicted.mean() - measured.mean()) for predicted, measured in parts]))


def build_likelihood(genes: int, peaks: int) -> Product:
    """Builds the likelihood of both modalities side by side."""
    return Product({"rna": (NegativeBinomial(genes, 2.0, size=None), genes), "atac": (Bernoulli(), peaks)})


def as_rows(likelihood: Product, cells: Cells) -> Tensor:
    """Returns (cells, genes + peaks) both modalities side by side."""
    return likelihood.join({"rna": cells.counts.astype(np.float32), "atac": cells.is_open.astype(np.float32)})[0]


def train(training_cells: Cells, seed: int) -> VAE:
    """Fits a model of both modalities."""
    likelihood = build_likelihood(training_cells.counts.shape[1], training_cells.is_open.shape[1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = multimodal_vae(likelihood, LATENT, [HIDDEN], full=False)
    x, generator = as_rows(likelihood, training_cells), torch.Generator().manual_seed(seed)

    def batches() -> Iterator[Batch]:
        for step in range(STEPS):
            rows = x[torch.randint(len(x), (BATCH,), generator=generator)]
            share = 0.0 if step < WHOLE * STEPS else 1.0
            yield Batch(rows, hide_blocks(likelihood, rows, share=share, generator=generator))

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(
        vae,
        ELBO(ramp(0.0, 1.0, int(WARM * STEPS))),
        batches(),
        optimizer,
        generator=generator,
        schedule=cosine(STEPS, 50),
    )
    return vae


def translate_both_ways(vae: VAE, cells: Cells, seed: int) -> Translation:
    """Translates held-out cells, each modality given the other alone."""
    assert isinstance(vae.likelihood, Product)
    x, generator = as_rows(vae.likelihood, cells), torch.Generator().manual_seed(seed)
    atac = translate(vae, x, to="atac", k=DRAWS, generator=generator)
    only = observe_only(vae.likelihood, x, ["atac"])
    block, r = vae.likelihood["rna"], _dispersions(vae.likelihood["rna"].likelihood)

    def log_counts(params: Tensor, context: Context | None) -> list[Tensor]:
        return [torch.from_numpy(expected_log(params[:, block.params].numpy(), r)).to(params)]

    (rna,), _ = expectations(vae, log_counts, x, only, k=DRAWS, generator=generator)
    return Translation(rna.numpy(), atac.numpy())


def _dispersions(likelihood: Likelihood) -> Array:
    assert isinstance(likelihood, NegativeBinomial)
    return likelihood.log_dispersion.detach().exp().numpy()


def translate_by_regression(cells: Cells, held: Cells, seed: int) -> list[Translation]:
    """Translates by a VAE of each modality alone and a regression from one's latents to the other's.

    Two ways: ridge regression between posterior means, decoded; and the mean of what the nearest cells' latents, in the
    source, are decoded to in the target.
    """
    sources = {"rna": cells.counts, "atac": cells.is_open}
    targets = {"rna": held.counts, "atac": held.is_open}
    models: dict[str, VAE] = {}
    latents: dict[str, Array] = {}
    held_latents: dict[str, Array] = {}
    for name, values in sources.items():
        wide = values.shape[1]
        likelihood: Likelihood = NegativeBinomial(wide, 2.0, size=None) if name == "rna" else Bernoulli()
        models[name] = _train_alone(name, likelihood, values, seed)
        for kept, given in ((latents, values), (held_latents, targets[name])):
            kept[name] = models[name].encode(torch.from_numpy(given.astype(np.float32))).mean.detach().numpy()

    def decode(name: str, z: Array) -> Array:
        with torch.no_grad():
            vae = models[name]
            assert isinstance(vae.likelihood, Product)
            params = vae.decode(torch.from_numpy(z.astype(np.float32)))
            if name == "rna":
                return expected_log(params.numpy(), _dispersions(vae.likelihood[name].likelihood))
            return params.sigmoid().numpy()

    by_line, by_neighbours = {}, {}
    for source, target in (("rna", "atac"), ("atac", "rna")):
        line = Ridge(1.0).fit(latents[source], latents[target])
        by_line[target] = decode(target, line.predict(held_latents[source]))
        near = KNeighborsRegressor(NEIGHBOURS).fit(latents[source], decode(target, latents[target]))
        by_neighbours[target] = near.predict(held_latents[source])
    return [Translation(**by_line), Translation(**by_neighbours)]


def _train_alone(name: str, likelihood: Likelihood, values: NDArray[np.int64], seed: int) -> VAE:
    wide = values.shape[1]
    alone = Product({name: (likelihood, wide)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = VAE(
            TableEncoder(alone, LATENT, [HIDDEN]), MLPDecoder(LATENT, wide, [HIDDEN]), alone, StandardNormal(LATENT)
        )
    x, generator = torch.from_numpy(values.astype(np.float32)), torch.Generator().manual_seed(seed)
    batches = (Batch(x[torch.randint(len(x), (BATCH,), generator=generator)]) for _ in range(STEPS))
    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(
        vae,
        ELBO(ramp(0.0, 1.0, int(WARM * STEPS))),
        batches,
        optimizer,
        generator=generator,
        schedule=cosine(STEPS, 50),
    )
    return vae
