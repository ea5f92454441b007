"""Bernoulli likelihood of binary features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import require_shares
from designloop.vae.likelihoods.entrywise import Entrywise


class Bernoulli(Entrywise):
    """x_i ~ Bernoulli(sigmoid(params_i)); the decoder gives logits."""

    def require_values(self, x: Tensor) -> None:
        """Zeros and ones, and shares between them, which are taken for means of several."""
        require_shares(x)

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log pmf of logits, in nats."""
        return x * functional.logsigmoid(params) + (1 - x) * functional.logsigmoid(-params)

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
