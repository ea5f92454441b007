"""Bernoulli likelihood of binary features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.checks import require_shares, require_width


class Bernoulli(Likelihood):
    """x_i ~ Bernoulli(sigmoid(params_i)); the decoder gives logits."""

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch,) log pmf in nats, over the observed entries.

        Args:
            params: (..., batch, features) logits.
            x: (batch, features) zeros and ones; shares between them are taken for means of several.
            mask: (batch, features) True where observed.

        Raises:
            ShapeError: params are not as wide as x.
            VAEError: some observed entries are not between 0 and 1.
        """
        require_width(params, x)
        if mask is not None:
            x = torch.where(mask, x, torch.zeros_like(x))
        require_shares(x)
        log_probs = x * functional.logsigmoid(params) + (1 - x) * functional.logsigmoid(-params)
        return (log_probs if mask is None else log_probs * mask).sum(-1)

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) zeros and ones."""
        return torch.bernoulli(params.sigmoid(), generator=generator)

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) probabilities."""
        return params.sigmoid()

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) p (1 − p)."""
        p = params.sigmoid()
        return p * (1 - p)

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, k, k) quadratic form on tangents of the logits, p (1 − p) each.

        Args:
            tangents: (batch, k, features).
        """
        scaled = tangents * self.variance(params).sqrt().unsqueeze(-2)
        return scaled @ scaled.transpose(-1, -2)
