"""``fit`` of a negative binomial VAE of expression counts, composed to be scVI's model."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from designloop.vae import ELBO, VAE, MLPDecoder, MLPEncoder, NegativeBinomial, StandardNormal
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit


class LogEncoder(MLPEncoder):
    """Sees log(1 + counts)."""

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """(batch, features) -> (batch, latent) posterior."""
        return super().forward(x.log1p(), mask, context)


class ShareDecoder(MLPDecoder):
    """Gives log shares of a cell's counts, which sum to one."""

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., latent) -> (..., features)."""
        return super().forward(z, context).log_softmax(-1)


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A run fits a fresh model; its value is the last epoch's loss, nats a row."""
    x = torch.from_numpy(np.load(task["data"])["x"])
    sizes = x.sum(1)
    features, latent, hidden = x.shape[1], task["latent"], task["hidden"]

    def run(seed: int) -> dict[str, float]:
        torch.manual_seed(seed)
        encoder, decoder = LogEncoder(features, latent, [hidden]), ShareDecoder(latent, features, [hidden])
        vae = VAE(encoder, decoder, NegativeBinomial(features), StandardNormal(latent))
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(vae.parameters(), lr=task["rate"])
        losses: list[float] = []
        orders = (torch.randperm(len(x), generator=generator) for _ in range(task["epochs"]))
        batches = (
            Batch(x[rows], context={"library_size": sizes[rows]})
            for order in orders
            for rows in order.split(task["batch"])
        )
        began = perf_counter()
        fit(
            vae, ELBO(), batches, optimizer, generator=generator, clip=math.inf,
            on_step=lambda step: losses.append(step.loss),
        )  # fmt: skip
        seconds = perf_counter() - began
        return {"seconds": seconds, "value": fmean(losses[-len(losses) // task["epochs"] :])}

    return run
