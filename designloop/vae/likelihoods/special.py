"""Special functions in forms that do not cancel, in float32 either."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)

LARGE = 20.0
"""Where Stirling's formula begins."""


def log_rising(r: Tensor, x: Tensor) -> Tensor:
    """log Γ(r + x) − log Γ(r), also where r is so large that the two cannot be told apart; the two broadcast.

    Args:
        r: positive. x: above −r, and above −1 where r is large.
    """
    safe = r.clamp_min(LARGE)
    stirling = (
        (safe + x - 0.5) * torch.log1p(x / safe) + x * safe.log() - x + stirling_rest(safe + x) - stirling_rest(safe)
    )  # fmt: skip
    small = r.clamp_max(LARGE)
    return torch.where(r > LARGE, stirling, torch.lgamma(small + x) - torch.lgamma(small))


def deviance(count: Tensor, log_ratio: Tensor) -> Tensor:
    """n log(n / m) + m − n of a count n and log(m / n) for its mean m: what a Poisson's n costs beside its mode.

    The saddle-point form of the pmf is made of it: of terms that are as large as what they add up to. Source: Loader
    2000, "Fast and accurate computation of binomial probabilities".
    """
    return count * (torch.expm1(log_ratio) - log_ratio)


def stirling_rest(r: Tensor) -> Tensor:
    """log Γ(r) − (r − ½) log r + r − ½ log 2π, what Stirling's formula leaves, for r ≥ ``LARGE`` to 1e-12."""
    return (1 / 12 - (1 / 360 - 1 / (1260 * r.square())) / r.square()) / r
