"""A diagonal normal as posterior: each unit has a mean and a scale of its own."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.base import Posterior


@dataclass(frozen=True, slots=True)
class DiagonalNormal(Posterior):
    """q(z | x) = N(mean, diag(scale²)), a batch of them."""

    mean: Tensor
    """(batch, latent)"""
    scale: Tensor
    """(batch, latent) standard deviations, all positive."""

    def at(self, noise: Tensor) -> Tensor:
        """mean + scale * noise, the reparameterised draw.

        Args:
            noise: (..., batch, latent) standard normal.

        Returns:
            (..., batch, latent)
        """
        return self.mean + self.scale * noise

    @property
    def relative_scale(self) -> Tensor:
        """(batch, latent) the scale over its root mean square: how far each unit may go from the mean beside others.

        Noise of this shape changes what the row leaves open first.
        """
        return self.scale / self.scale.square().mean(-1, keepdim=True).sqrt()

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z | x), in nats.

        Args:
            z: (..., batch, latent).

        Returns:
            (..., batch)
        """
        standard = (z - self.mean) / self.scale
        return -(0.5 * standard.square() + self.scale.log() + 0.5 * LOG_2PI).sum(-1)

    @property
    def variance(self) -> Tensor:
        """(batch, latent) of each unit."""
        return self.scale.square()

    def entropy(self) -> Tensor:
        """(batch,) nats."""
        return (self.scale.log() + 0.5 * (1 + LOG_2PI)).sum(-1)

    def standard_kl(self) -> Tensor:
        """(batch,) KL(q || N(0, I)) in nats."""
        return (0.5 * (self.scale.square() + self.mean.square() - 1) - self.scale.log()).sum(-1)

    def __getitem__(self, rows: Tensor | slice) -> DiagonalNormal:
        """The posterior of some rows."""
        return DiagonalNormal(self.mean[rows], self.scale[rows])


def require_diagonal(posterior: Posterior, part: str) -> DiagonalNormal:
    """The posterior itself, if its units are independent.

    Raises:
        VAEError: it is of another family.
    """
    if not isinstance(posterior, DiagonalNormal):
        raise VAEError(
            f"{part} asks for the scale of each unit by itself, and the posterior is {type(posterior).__name__}; "
            "build the VAE with an encoder that gives DiagonalNormal"
        )
    return posterior
