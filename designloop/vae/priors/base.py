"""What a prior is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import optional
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal


class Prior(nn.Module, ABC):
    """A distribution over latents, perhaps given a context: the base class of all priors.

    ``sample`` is what every prior has, and ``log_prob`` what it takes to train a VAE on it. The KL follows from
    ``log_prob``; a prior that knows it in closed form gives that as ``diagonal_kl``.
    """

    latent: int
    """Width of z."""

    @abstractmethod
    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""

    @optional("it can only be sampled from, by vae.with_prior: take a prior with a density, such as StandardNormal")
    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent)."""
        raise NotImplementedError

    def condition(self, posterior: Posterior, context: Context | None = None) -> Posterior:
        """The posterior where the context sets units of z from outside, as interventions do; else as it is."""
        return posterior

    def settle(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch, latent) z with the units that the context sets at what they are set to; else as it is."""
        return z

    def kl(self, posterior: Posterior, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats: closed where it can be, else log q(z) − log p(z) at ``z``.

        Args:
            z: (batch, latent) drawn from the posterior.
        """
        closed = self.diagonal_kl(posterior, z, context) if isinstance(posterior, DiagonalNormal) else None
        return posterior.log_prob(z) - self.log_prob(z, context) if closed is None else closed

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor | None:
        """(batch,) the KL of a diagonal normal in closed form; None where there is none.

        Args:
            z: (batch, latent) the draw, for a prior of parts of which some have no closed form.
        """
        return None

    @optional("its units have no KL of their own: take StandardNormal")
    def kl_units(self, posterior: DiagonalNormal, context: Context | None = None) -> Tensor:
        """(batch, latent) the KL of each unit, where the units are independent."""
        raise NotImplementedError
