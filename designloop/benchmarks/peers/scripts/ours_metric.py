"""The pullback metric of an MLP decoder at many points."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from designloop.vae import VAE, Gaussian, MLPDecoder, MLPEncoder, StandardNormal
from designloop.vae.geometry import pullback_metric
from designloop.vae.networks import mlp


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A run takes the metric at all points; its value is the mean of √det."""
    arrays = np.load(task["data"])
    widths = task["widths"]
    decoder = MLPDecoder(widths[0], widths[-1], widths[1:-1])
    decoder.net = mlp(widths, nn.Tanh)
    with torch.no_grad():
        for layer, (inputs, outputs) in enumerate(pairwise(widths)):
            linear = decoder.net[2 * layer]
            assert isinstance(linear, nn.Linear)
            assert linear.weight.shape == (outputs, inputs)
            linear.weight.copy_(torch.from_numpy(arrays[f"weight_{layer}"]))
            linear.bias.copy_(torch.from_numpy(arrays[f"bias_{layer}"]))
    likelihood = Gaussian(widths[-1], learned=False)
    vae = VAE(MLPEncoder(widths[-1], widths[0]), decoder, likelihood, StandardNormal(widths[0])).eval()
    z = torch.from_numpy(arrays["z"])

    def run(seed: int) -> dict[str, float]:
        began = perf_counter()
        metric = pullback_metric(vae, z)
        seconds = perf_counter() - began
        return {"seconds": seconds, "value": float(metric.detach().det().sqrt().mean())}

    return run
