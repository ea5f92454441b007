"""Gaussian likelihood whose variance the decoder gives too."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.special import LOG_2PI

MOST = 60.0
"""Of a log variance either way: beyond, float32 can write neither it nor what is divided by it for long."""


class HeteroscedasticGaussian(Entrywise):
    """x ~ N(mean, diag(variance)); the decoder gives the means and, behind them, the log variances.

    ``networks.RBFPrecisionDecoder`` is a decoder whose variance grows away from the data.

    Args:
        least: variance below which none counts, in the data's unit squared: without a least one the density of a row
            that is met exactly has no bound (Mattei & Frellsen 2018).

    Raises:
        VAEError: ``least`` is negative.
    """

    def __init__(self, least: float = 1e-6) -> None:
        super().__init__()
        if least < 0:
            raise VAEError(f"least is {least}, expected a variance; give 0 for none")
        self.least = least

    def parts(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """(..., batch, features) mean and variance."""
        mean, log_variance = params.chunk(2, -1)
        return mean, log_variance.clamp(-MOST, MOST).exp() + self.least

    @property
    def params_per_entry(self) -> int:
        """A mean and a log variance."""
        return 2

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log density of means and log variances, in nats."""
        mean, variance = self.parts(params)
        return -0.5 * ((x - mean).square() / variance + variance.log() + LOG_2PI)

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) one draw a row."""
        mean, variance = self.parts(params)
        noise = torch.randn(mean.shape, dtype=mean.dtype, device=mean.device, generator=generator)
        return mean + variance.sqrt() * noise

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features), the data's unit."""
        return self.parts(params)[0]

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features), the data's unit squared."""
        return self.parts(params)[1]

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """Quadratic form on tangents of means and log variances: dμ² / σ² + 2 (dσ / σ)², and dσ / σ = ½ d log σ².

        Args:
            params: (batch, 2 · features).
            tangents: (batch, k, 2 · features).

        Returns:
            (batch, k, k)
        """
        of_mean, of_log_variance = tangents.chunk(2, -1)
        log_variance = params.chunk(2, -1)[1].clamp(-MOST, MOST)
        variance = (log_variance.exp() + self.least).unsqueeze(-2)
        relative = of_log_variance * log_variance.exp().unsqueeze(-2) / variance
        scaled = torch.cat([of_mean / variance.sqrt(), relative / math.sqrt(2)], -1)
        return scaled @ scaled.transpose(-1, -2)
