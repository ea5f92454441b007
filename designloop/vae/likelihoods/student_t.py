"""Student-t likelihood: a Gaussian with heavier tails, which outliers pull less."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.special import log_rising


class StudentT(Entrywise):
    """x = params + scale · t, t of Student with ``df`` degrees of freedom; the decoder gives the location.

    Args:
        features: width of a row.
        df: degrees of freedom to start from: 1 is Cauchy, many are a Gaussian.
        scale: to start from, in the data's unit.
        per_feature: scale and degrees of freedom of each feature instead of one for all.
        learned: False fixes both.

    Raises:
        VAEError: ``df`` or ``scale`` is not positive.

    Source: Lange, Little & Taylor 1989, "Robust statistical modeling using the t distribution".
    """

    log_df: Tensor
    log_scale: Tensor

    def __init__(
        self, features: int, df: float = 5.0, scale: float = 1.0, per_feature: bool = False, learned: bool = True
    ) -> None:
        super().__init__()
        self.features = features
        for name, value in (("df", df), ("scale", scale)):
            if value <= 0:
                raise VAEError(f"{name} is {value}, expected a positive number; 5 and the data's own scale are a start")
            start = torch.full((features if per_feature else 1,), math.log(value))
            if learned:
                self.register_parameter(f"log_{name}", nn.Parameter(start))
            else:
                self.register_buffer(f"log_{name}", start)

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log density about the locations, in nats."""
        df = self.log_df.exp()
        constant = log_rising(df / 2, torch.full_like(df, 0.5)) - 0.5 * (self.log_df + math.log(math.pi))
        standard = (x - params) * (-self.log_scale).exp()
        return constant - self.log_scale - (df + 1) / 2 * torch.log1p(standard.square() / df)

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) one draw a row."""
        noise = torch.randn(params.shape, dtype=params.dtype, device=params.device, generator=generator)
        df = self.log_df.exp().detach()
        chi = 2 * torch._standard_gamma((df / 2).expand(params.shape).contiguous(), generator=generator)
        return params + self.log_scale.exp() * noise * (df / chi).sqrt()

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the location, which is the mean where ``df`` > 1 and the median always."""
        return params

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) scale² df / (df − 2), infinite for ``df`` ≤ 2."""
        df = self.log_df.exp()
        spread = torch.where(df > 2, df / (df - 2), torch.inf)
        return ((2 * self.log_scale).exp() * spread).expand_as(params)

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, k, k) quadratic form on tangents of the location, (df + 1) / ((df + 3) scale²) each.

        Args:
            tangents: (batch, k, features).
        """
        df = self.log_df.exp()
        scaled = tangents * ((df + 1) / (df + 3)).sqrt() * (-self.log_scale).exp()
        return scaled @ scaled.transpose(-1, -2)
