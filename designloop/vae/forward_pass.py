"""One batch on its way through a VAE, as every term of a loss sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Likelihood
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.base import Prior


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """What every term of a loss sees: one batch on its way through the VAE.

    A pass of several draws a row has draws · batch rows, one copy of the batch behind the other, so that every term is
    averaged over the draws; ``by_draw`` parts them again.
    """

    x: Tensor
    """(batch, …) data."""
    mask: Tensor | None
    """True where an entry of x is observed."""
    posterior: Posterior
    z: Tensor
    """(batch, latent) drawn from the posterior, or as they were given."""
    params: Any
    """(batch, …) decoder output at z."""
    log_prob: Tensor
    """(batch,) log p(x | z), nats."""
    kl: Tensor
    """(batch,) KL(q(z | x) || p(z)), nats."""
    context: Mapping[str, Tensor] = field(default_factory=dict)
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    """What penalties compare with: name -> (batch, …)."""
    weights: Tensor | None = None
    """(batch,) weight of each row in the loss."""
    logits: Tensor | None = None
    """(batch, length, vocabulary) next-token logits along x, of a likelihood that works token by token."""
    noise: Tensor | None = None
    """(batch, noise_width) that z was made of; None where z is the posterior's mean, or was given."""
    generator: torch.Generator | None = None
    """What terms that draw should draw from."""
    draws: int = 1
    """Of each row, whose copies lie one batch behind the other."""
    prior: Prior | None = None
    """Of the VAE whose pass it is."""
    likelihood: Likelihood | None = None
    """Of the VAE whose pass it is."""

    @property
    def log_posterior(self) -> Tensor:
        """(batch,) log q(z | x) in nats at the draws."""
        return self.posterior.log_prob(self.z)

    @property
    def log_prior(self) -> Tensor:
        """(batch,) log p(z) in nats at the draws.

        Raises:
            CapabilityError: the prior has no ``log_prob``.
        """
        return _whose(self.prior).log_prob(self.z, self.context)

    @property
    def log_weight(self) -> Tensor:
        """(batch,) log p(x, z) / q(z | x) in nats at the draws, the importance weight."""
        return self.log_prob + self.log_prior - self.log_posterior

    @property
    def entry_log_prob(self) -> Tensor:
        """(batch, …) log-probability of each entry of x in nats, 0 where masked.

        Raises:
            CapabilityError: the entries depend on each other.
        """
        return _whose(self.likelihood).entry_log_prob(self.params, self.x, self.mask, self.context)

    def by_draw(self, rows: Tensor) -> Tensor:
        """(draws, batch, …) of values (draws · batch, …)."""
        return rows.unflatten(0, (self.draws, -1))  # type: ignore[no-any-return]


Part = TypeVar("Part")


def _whose(part: Part | None) -> Part:
    if part is None:
        raise VAEError("the pass does not say whose it is; make passes by calling the VAE, vae(x, …)")
    return part
