"""Poisson likelihood of counts."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import log_size, require_counts
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.special import LARGE, LOG_2PI, deviance, stirling_rest


class Poisson(Entrywise):
    """x_i ~ Poisson(size · exp(params_i)); the decoder gives log rates.

    Args:
        size: name of the context's entry, (batch,), that the rates of a row are multiplied by (a library size, an
            exposure time); None reads none. A decoder that ends in ``log_softmax`` makes the rates proportions of it.
    """

    def __init__(self, size: str | None = None) -> None:
        super().__init__()
        self.size = size

    def require_values(self, x: Tensor) -> None:
        """Counts."""
        require_counts(x)

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log pmf of log rates, in nats."""
        x = x if x.is_floating_point() else x.to(params.dtype)
        log_mean = params + log_size(self.size, self, context, params, x.ndim - 1)
        is_large, few, many = x > LARGE, x.clamp_max(LARGE), x.clamp_min(LARGE)
        low = torch.where(is_large, 0.0, log_mean)  # each form sees the entries that it is for: 0 · ∞ is no number
        apart = torch.where(is_large, log_mean - many.log(), 0.0)
        by_terms = few * low - low.exp() - torch.lgamma(few + 1)
        by_saddle = -deviance(many, apart) - stirling_rest(many) - 0.5 * (many.log() + LOG_2PI)
        return torch.where(is_large, by_saddle, by_terms)

    def view(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """log(1 + x), and the mask."""
        x, mask = super().view(x, mask)
        return x.log1p(), mask

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) counts."""
        return torch.poisson(self.mean(params, context), generator=generator)

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) expected counts."""
        return (params + log_size(self.size, self, context, params)).exp()

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the same as the mean."""
        return self.mean(params, context)

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, k, k) quadratic form on tangents of the log rates, the mean each.

        Args:
            tangents: (batch, k, features).
        """
        scaled = tangents * self.mean(params, context).sqrt().unsqueeze(-2)
        return scaled @ scaled.transpose(-1, -2)
