"""Features bent towards a normal: Yeo and Johnson's transform, at the λ of greatest likelihood, and standardising.

Source: Yeo & Johnson 2000, "A new family of power transformations to improve normality or symmetry".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from designloop.vae.anomaly.observed import fill, largest_of, mean_of, spread_of, variance_of

POWERS = tuple(n / 20 for n in range(41))
"""The λ among which that of each feature is chosen."""


def yeo_johnson(x: Tensor, power: Tensor) -> Tensor:
    """(batch, features) x bent by the power λ of each feature, (features,), 0 ≤ λ ≤ 2; odd in (x, λ − 1)."""
    right = torch.where(x >= 0, power, 2 - power)
    size = x.abs().log1p()
    # ((1 + |x|)^λ − 1) / λ, whose limit at λ = 0 is log(1 + |x|).
    bent = torch.where(right.abs() > 1e-6, torch.expm1(right * size) / right.clamp_min(1e-6), size)
    return torch.where(x >= 0, bent, -bent)


def best_powers(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """(features,) the λ of ``POWERS`` under which each feature of x (rows, features) is likeliest a normal.

    Args:
        x: (rows, features). mask: True where observed.
    """
    x = fill(x, mask)
    slope = mean_of(x.sign() * x.abs().log1p(), mask)  # of the mean log |d bent / dx|, in λ − 1
    spreads = torch.stack([variance_of(yeo_johnson(x, x.new_full((x.shape[1],), power)), mask) for power in POWERS])
    powers = torch.tensor(POWERS).to(x)
    fit = -0.5 * spreads.clamp_min(torch.finfo(x.dtype).tiny).log() + (powers - 1).unsqueeze(1) * slope
    flat = variance_of(x, mask) <= 0
    return torch.where(flat, torch.ones_like(slope), powers[fit.argmax(0)])


class Standard(nn.Module):
    """To mean 0 and standard deviation 1 in the rows that are learnt from; a constant feature is centred alone."""

    centre: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    @classmethod
    def of(cls, x: Tensor, mask: Tensor | None = None) -> Standard:
        """That of rows (rows, features), of which ``mask`` says what is observed."""
        spread = spread_of(x, mask)
        constant = spread <= 1e-6 * largest_of(x, mask)
        result = cls(x.shape[1])
        result.centre, result.scale = mean_of(x, mask), torch.where(constant, torch.ones_like(spread), spread)
        return result

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features) standardised."""
        return (x - self.centre) / self.scale
