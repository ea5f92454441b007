"""A normal prior whose mean and scale follow from what is known of a row."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from designloop.vae.errors import MissingContextError, ShapeError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import require_known
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import cross_entropy, entropy, log_normal, noise_for


class ConditionalNormal(Prior):
    """p(z | c) = N(mean(c), diag(scale(c)²)).

    Args:
        latent: width of z.
        network: (batch, …) -> (batch, 2 · latent), means and log scales: ``nn.Embedding(classes, 2 * latent)`` for
            labels, ``networks.mlp([width, …, 2 * latent])`` for attributes.
        key: name of the context's entry that the network reads.

    Source: Sohn et al. 2015, "Learning structured output representation using deep conditional generative models".
    """

    def __init__(self, latent: int, network: nn.Module, key: str = "condition") -> None:
        super().__init__()
        self.latent, self.network, self.key = latent, network, key

    def given(self, context: Context | None) -> DiagonalNormal:
        """(batch, latent) the prior of each row.

        Raises:
            MissingContextError: the context has no such entry.
            ShapeError: the network does not give two numbers a unit.
            VAEError: a label is not in its table, where it is one.
        """
        if context is None or self.key not in context:
            raise MissingContextError(type(self).__name__, self.key, list(context or ()))
        require_known(self.network, context[self.key], self.key)
        said = self.network(context[self.key])
        if said.shape[-1] != 2 * self.latent:
            raise ShapeError(
                "network's output",
                said.shape,
                f"(batch, 2 × {self.latent})",
                "let it give a mean and a log scale a unit",
            )
        mean, log_scale = said.chunk(2, -1)
        return DiagonalNormal(mean, log_scale.clamp(-10, 5).exp())

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, batch, latent) draws; it has none without a context."""
        own = self.given(context)
        return own.at(noise_for(n, self.latent, own.mean, context, generator))

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z | c) in nats at z (..., batch, latent)."""
        own = self.given(context)
        return log_normal(z - own.mean, own.scale)

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, cross-entropy less entropy."""
        own = self.given(context)
        residual = posterior.mean - own.mean
        return cross_entropy(residual, posterior.scale.square(), own.scale) - entropy(posterior.scale)
