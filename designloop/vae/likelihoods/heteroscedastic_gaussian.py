"""Gaussian likelihood whose variance the decoder gives too."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.checks import require_width

_LOG_2PI = math.log(2 * math.pi)


class HeteroscedasticGaussian(Likelihood):
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
        return mean, log_variance.exp() + self.least

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch,) log density in nats, over the observed entries.

        Args:
            params: (..., batch, 2 · features) means and log variances.
            x: (batch, features).
            mask: (batch, features) True where observed.
        """
        require_width(params, x, 2)
        mean, variance = self.parts(params)
        if mask is not None:
            x = torch.where(mask, x, mean)
        log_probs = -0.5 * ((x - mean).square() / variance + variance.log() + _LOG_2PI)
        return (log_probs if mask is None else log_probs * mask).sum(-1)

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
        log_variance = params.chunk(2, -1)[1]
        variance = (log_variance.exp() + self.least).unsqueeze(-2)
        relative = of_log_variance * log_variance.exp().unsqueeze(-2) / variance
        scaled = torch.cat([of_mean / variance.sqrt(), relative / math.sqrt(2)], -1)
        return scaled @ scaled.transpose(-1, -2)
