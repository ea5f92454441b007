"""Gaussian likelihood with one variance, a variance a feature, or fixed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.special import LOG_2PI


class Gaussian(Entrywise):
    """x ~ N(params, diag(variance)); the decoder gives the mean, the variance is the likelihood's own.

    Args:
        features: width of a row.
        variance: start value, in the data's unit squared.
        per_feature: one variance a feature instead of one for all.
        learned: False fixes the variance.

    Raises:
        VAEError: ``variance`` is not positive.
    """

    def __init__(self, features: int, variance: float = 1.0, per_feature: bool = False, learned: bool = True) -> None:
        super().__init__()
        if variance <= 0:
            raise VAEError(
                f"variance is {variance}, expected a positive number; give the scale of the data's noise, squared"
            )
        self.features = features
        start = torch.full((features if per_feature else 1,), math.log(variance))
        if learned:
            self.log_variance = nn.Parameter(start)
        else:
            self.register_buffer("log_variance", start)

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log density about the means, in nats."""
        log_variance: Tensor = self.log_variance
        return -0.5 * ((x - params).square() * (-log_variance).exp() + log_variance + LOG_2PI)

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) one draw a row."""
        noise = torch.randn(params.shape, dtype=params.dtype, device=params.device, generator=generator)
        return params + (0.5 * self.log_variance).exp() * noise

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features), the data's unit."""
        return params

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features), the data's unit."""
        return self.log_variance.exp().expand_as(params)

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """Quadratic form of the Fisher information on tangents of the mean: T Tᵀ / variance.

        Args:
            params: (batch, features).
            tangents: (batch, k, features) directions in ``params``.

        Returns:
            (batch, k, k)
        """
        if self.log_variance.numel() == 1:  # the products are fewer than the tangents' entries
            return (tangents @ tangents.transpose(-1, -2)) * (-self.log_variance).exp()
        scaled = tangents * (-0.5 * self.log_variance).exp()
        return scaled @ scaled.transpose(-1, -2)
