"""Models of cell lines under drugs, and how each is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from designloop.vae.conditional import ConditionalDecoder, ConditionalEncoder, OneHot
from designloop.vae.disentanglement.hsic import HSIC
from designloop.vae.disentanglement.subspaces import Subspaces
from designloop.vae.disentanglement.total_correlation import TotalCorrelation
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.cell_lines import Biology, Cells, Integers, biology, cells
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO, Loss
from designloop.vae.training.schedules import cosine, ramp

ROWS, HELD_OUT, CONFOUNDING = 20_000, 2400, 0.5
"""Cells that are trained on and that are not, and how far drugs go with mutations."""

MUTATION_UNITS, DRUG_UNITS, HIDDEN = 2, 2, 64
"""Of every model here: units (a plain VAE has them all in one), and width of hidden layers."""

STEPS, RATE, BATCH = 1000, 0.01, 384
"""Adam's steps, its rate before the cosine, and rows a step."""

TC_WEIGHT, HSIC_WEIGHT, HSIC_RAMP, BACK_WEIGHT = 1.0, 1000.0, 500, 300.0
"""Total correlation between the subspaces given the mutation; HSIC of the mutation subspace with the drug, risen to in
so many steps; HSIC of the drug subspace's draws with the mutation given the drug. Chosen on seeds from 100 on."""

TC_ROWS = 96
"""Of a batch, that the total correlation is taken over: its cost goes with their square."""


@dataclass(frozen=True, slots=True)
class World:
    """One seed's biology, its cells, and the other drug that each held-out cell is asked about."""

    truth: Biology
    seen: Cells
    held: Cells
    other: Integers


def world(seed: int) -> World:
    """A biology of this seed and cells of it."""
    rng = np.random.default_rng(seed)
    truth = biology(rng)
    seen, held = (cells(truth, n, rng, CONFOUNDING) for n in (ROWS, HELD_OUT))
    drugs = len(truth.responses)
    return World(truth, seen, held, (held.drug + rng.integers(1, drugs, HELD_OUT)) % drugs)


def build(seed: int, make: Callable[[], VAE]) -> VAE:
    """A model whose weights are drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def context_of(some: Cells) -> dict[str, Tensor]:
    """Labels of mutation and drug, and both side by side."""
    mutation, drug = torch.from_numpy(some.mutation), torch.from_numpy(some.drug)
    return {"mutation": mutation, "drug": drug, "both": torch.stack([mutation, drug], 1)}


def x_of(some: Cells) -> Tensor:
    """(cells, genes) float32."""
    return torch.from_numpy(some.x).float()


class Both(nn.Module):
    """(batch, 2) labels of mutation and drug as one-hot rows."""

    def __init__(self, mutations: int, drugs: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList([OneHot(mutations), OneHot(drugs)])

    def forward(self, labels: Tensor) -> Tensor:
        """(batch, 2) -> (batch, mutations + drugs)."""
        return torch.cat([part(one) for part, one in zip(self.parts, labels.unbind(1), strict=True)], 1)


def subspaces(truth: Biology) -> VAE:
    """The two-subspace model; the encoder is told the drug, never the mutation."""
    mutations, drugs, genes = len(truth.centres), *truth.responses.shape
    latent = MUTATION_UNITS + DRUG_UNITS
    priors = [
        ConditionalNormal(MUTATION_UNITS, _table(mutations, MUTATION_UNITS), "mutation"),
        ConditionalNormal(DRUG_UNITS, MeansOnly(drugs, DRUG_UNITS), "drug"),
    ]
    encoder = ConditionalEncoder(MLPEncoder(genes + drugs, latent, [HIDDEN]), OneHot(drugs), "drug")
    return VAE(encoder, MLPDecoder(latent, genes, [HIDDEN, HIDDEN]), Gaussian(genes), Subspaces(priors))


def plain(truth: Biology) -> VAE:
    """The same without any label."""
    genes, latent = len(truth.offsets), MUTATION_UNITS + DRUG_UNITS
    decoder = MLPDecoder(latent, genes, [HIDDEN, HIDDEN])
    return VAE(MLPEncoder(genes, latent, [HIDDEN]), decoder, Gaussian(genes), StandardNormal(latent))


def conditional(truth: Biology, key: str = "drug") -> VAE:
    """The same with the drug, or ``both`` labels, in encoder and decoder."""
    mutations, drugs, genes = len(truth.centres), *truth.responses.shape
    latent, width = MUTATION_UNITS + DRUG_UNITS, drugs if key == "drug" else mutations + drugs
    embed = OneHot(drugs) if key == "drug" else Both(mutations, drugs)
    encoder = ConditionalEncoder(MLPEncoder(genes + width, latent, [HIDDEN]), embed, key)
    decoder = ConditionalDecoder(MLPDecoder(latent + width, genes, [HIDDEN, HIDDEN]), embed, key)
    return VAE(encoder, decoder, Gaussian(genes), StandardNormal(latent))


def penalised(vae: VAE, some: Cells) -> Loss:
    """The two-subspace model's loss."""
    assert isinstance(vae.prior, Subspaces)
    of_mutation, of_drug = vae.prior.units
    rows = torch.bincount(torch.from_numpy(some.mutation))
    return (
        ELBO()
        + TC_WEIGHT * TotalCorrelation(rows, vae.prior.units, given="mutation", most=TC_ROWS)
        + ramp(0.0, HSIC_WEIGHT, HSIC_RAMP) * HSIC("drug", of_mutation, given="mutation")
        + BACK_WEIGHT * HSIC("mutation", of_drug, given="drug", draws=True)
    )


def trained(vae: VAE, some: Cells, loss: Loss | ELBO, seed: int) -> VAE:
    """A model fitted by this method's one set of hyper-parameters."""
    generator = torch.Generator().manual_seed(seed)
    x, context = x_of(some), context_of(some)

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            rows = torch.randperm(len(x), generator=generator)[:BATCH]
            yield Batch(x[rows], context={name: value[rows] for name, value in context.items()})

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, loss, batches(), optimizer, generator=generator, schedule=cosine(STEPS, 20), clip=10.0)
    return vae


def _table(labels: int, units: int) -> nn.Embedding:
    """Mean and log scale of a normal for each label, the scales all near 1 to begin with."""
    table = nn.Embedding(labels, 2 * units)
    with torch.no_grad():
        table.weight[:, units:].mul_(0.1)
    return table


class MeansOnly(nn.Module):
    """Mean and log scale of a normal for each label, all scales 1.

    A drug of its own scale would stretch what a cell's latent is off its mean, when that is moved to another drug.
    """

    def __init__(self, labels: int, units: int, spread: float = 3.0) -> None:
        super().__init__()
        self.means = nn.Parameter(spread * torch.randn(labels, units))

    def forward(self, labels: Tensor) -> Tensor:
        """(batch,) -> (batch, 2 · units)."""
        means = self.means[labels]
        return torch.cat([means, torch.zeros_like(means)], 1)
