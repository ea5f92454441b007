"""The standard normal prior, and the same seen through noise of a known level."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import noise_level
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import noise_for


class StandardNormal(Prior):
    """p(z) = N(0, I).

    Args:
        latent: width of z.
    """

    like: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def variance(self, context: Context | None = None) -> Tensor:
        """() or (batch, 1), the same in every direction."""
        return torch.ones_like(self.like)

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""
        scale = self.variance(context).sqrt()
        return scale * noise_for(n, self.latent, scale, context, generator)

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats.

        Args:
            z: (..., batch, latent).
        """
        variance = self.variance(context)
        return -0.5 * (z.square() / variance + variance.log() + LOG_2PI).sum(-1)

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, the sum over the units (Kingma & Welling 2014, app. B)."""
        return self.kl_units(posterior, context).sum(-1)

    def kl_units(self, posterior: DiagonalNormal, context: Context | None = None) -> Tensor:
        """(batch, latent) the KL of each unit."""
        variance = self.variance(context)
        ratio = posterior.scale.square() / variance
        return 0.5 * (ratio + posterior.mean.square() / variance - 1 - ratio.log())


class NoisedStandardNormal(StandardNormal):
    """p(z | σ) = N(0, (1 + σ²) I): a standard normal plus noise of level σ, read from ``context["noise"]``.

    The prior that goes with a noise-conditioned decoder: at every σ it is what the noised aggregate posterior would be
    if the clean one were standard normal (Ho et al. 2022, "Cascaded diffusion models", conditioning augmentation). With
    no context σ is 0.
    """

    def variance(self, context: Context | None = None) -> Tensor:
        """() without a noise level, (batch, 1) with one."""
        level = noise_level(context)
        return torch.ones_like(self.like) if level is None else 1 + level.square()
