"""``fit`` of a Gaussian VAE of unit variance, one hidden layer on either side."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np
import torch

from designloop.vae import ELBO, VAE, Gaussian, MLPDecoder, MLPEncoder, StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A run fits a fresh model; its value is the last epoch's loss, nats a row, without the Gaussian's constant."""
    x = torch.from_numpy(np.load(task["data"])["x"])
    features, latent, hidden = x.shape[1], task["latent"], task["hidden"]

    def run(seed: int) -> dict[str, float]:
        torch.manual_seed(seed)
        encoder, decoder = MLPEncoder(features, latent, [hidden]), MLPDecoder(latent, features, [hidden])
        vae = VAE(encoder, decoder, Gaussian(features, learned=False), StandardNormal(latent))
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(vae.parameters(), lr=task["rate"])
        losses: list[float] = []
        orders = (torch.randperm(len(x), generator=generator) for _ in range(task["epochs"]))
        batches = (Batch(x[rows]) for order in orders for rows in order.split(task["batch"]))
        began = perf_counter()
        fit(
            vae, ELBO(), batches, optimizer, generator=generator, clip=math.inf,
            on_step=lambda step: losses.append(step.loss),
        )  # fmt: skip
        seconds = perf_counter() - began
        last = losses[-len(losses) // task["epochs"] :]
        return {"seconds": seconds, "value": fmean(last) - 0.5 * features * math.log(2 * math.pi)}

    return run
