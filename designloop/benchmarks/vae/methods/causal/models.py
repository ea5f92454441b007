"""Cells of one seed's regulators, and the models that are fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from designloop.vae.causal import AdditiveNoise, Arrows, Concepts, Cycles, LearnedGraph
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.base import Prior
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.regulators import Array, Cells, Regulators, cells, regulators
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO, Loss
from designloop.vae.training.schedules import cosine, ramp

ROWS, HELD_OUT, LABELLED = 40_000, 1000, 0.1
"""Cells that are trained on and that are not, and the share of the first whose regulators are known."""

HIDDEN, MECHANISM = 64, 16
"""Width of the two hidden layers of encoder and decoder, and of a mechanism's one."""

STEPS, RATE, BATCH = 1500, 5e-3, 256
"""Adam's steps, its rate before the cosine, and rows a step."""

LABEL_NOISE = 0.02
"""Standard deviation of a label about its unit."""

ARROWS, CYCLES, FROM, WITHIN = 0.05, 1e4, 0.4, 0.3
"""Weights of a learned graph's arrows and of its cycles, which rises from and within these shares of the steps.
All settings were chosen on seeds 0 to 4."""


@dataclass(frozen=True, slots=True)
class World:
    """One seed's regulators, its cells, and what each held-out cell's regulators are set to, one at a time."""

    truth: Regulators
    x: Tensor
    """(cells, genes)"""
    factors: Array
    """(cells, regulators) of all training cells, for methods that are given them."""
    labels: Tensor
    """(cells, regulators) NaN where a cell has no label."""
    held_out: Cells
    values: Array
    """(held-out cells, regulators) what another held-out cell has."""


def make_world(seed: int) -> World:
    """Draws regulators of this seed and cells of them."""
    rng = np.random.default_rng(seed)
    truth = regulators(rng)
    training, held_out = cells(truth, ROWS, rng), cells(truth, HELD_OUT, rng)
    labels = torch.from_numpy(training.factors).float()
    labels[round(LABELLED * ROWS) :] = torch.nan
    values = rng.permuted(held_out.factors, axis=0)
    return World(truth, torch.from_numpy(training.x).float(), training.factors, labels, held_out, values)


def build(world: World, seed: int, make_prior: Callable[[int], Prior]) -> VAE:
    """Builds a model whose weights are drawn from the seed; all differ in the prior alone."""
    genes, count = world.truth.loadings.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = MLPEncoder(genes, count, [HIDDEN, HIDDEN])
        decoder = MLPDecoder(count, genes, [HIDDEN, HIDDEN])
        return VAE(encoder, decoder, Gaussian(genes), make_prior(count))


def train(vae: VAE, world: World, loss: Loss | ELBO, seed: int) -> VAE:
    """Fits a model; what labels there are come with the rows, and only the terms that ask for them see them."""
    generator = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            rows = torch.randint(len(world.x), (BATCH,), generator=generator)
            yield Batch(world.x[rows], targets={"concepts": world.labels[rows]})

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, loss, batches(), optimizer, generator=generator, schedule=cosine(STEPS, 50))
    return vae


def fit_plain(world: World, seed: int) -> VAE:
    """Fits a VAE with a standard normal prior, which knows neither graph nor label."""
    return train(build(world, seed, StandardNormal), world, ELBO(), seed)


def fit_known(world: World, seed: int, is_labelled: bool = True) -> VAE:
    """Fits a causal VAE that is given the graph; its mechanisms it learns."""
    causes = torch.from_numpy(world.truth.causes)
    vae = build(world, seed, lambda count: AdditiveNoise(causes, MECHANISM))
    return train(vae, world, ELBO() + 1.0 * Concepts(noise=LABEL_NOISE) if is_labelled else ELBO(), seed)


def fit_learned(world: World, seed: int) -> VAE:
    """Fits a causal VAE that is given no graph, and puts the settled one in its prior's place."""
    vae = build(world, seed, lambda count: LearnedGraph(count, MECHANISM))
    rising = ramp(0.0, CYCLES, round(WITHIN * STEPS), round(FROM * STEPS))
    train(vae, world, ELBO() + 1.0 * Concepts(noise=LABEL_NOISE) + ARROWS * Arrows() + rising * Cycles(), seed)
    assert isinstance(vae.prior, LearnedGraph)
    return vae.with_prior(vae.prior.settled())
