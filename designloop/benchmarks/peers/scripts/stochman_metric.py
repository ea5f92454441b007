"""stochman's Jacobian of an MLP decoder at many points, and the metric that it makes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import torch
from stochman import nnj  # type: ignore[import-not-found]


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A run takes the metric at all points; its value is the mean of √det."""
    arrays = np.load(task["data"])
    layers: list[torch.nn.Module] = []
    for layer, (inputs, outputs) in enumerate(pairwise(task["widths"])):
        linear = nnj.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(arrays[f"weight_{layer}"]))
            linear.bias.copy_(torch.from_numpy(arrays[f"bias_{layer}"]))
        layers += [linear, nnj.Tanh()]
    decoder = nnj.Sequential(*layers[:-1])
    z = torch.from_numpy(arrays["z"])

    @torch.no_grad()
    def run(seed: int) -> dict[str, float]:
        began = perf_counter()
        _, jacobian = decoder(z, jacobian=True)
        metric = jacobian.transpose(1, 2) @ jacobian
        seconds = perf_counter() - began
        return {"seconds": seconds, "value": float(metric.det().sqrt().mean())}

    return run
