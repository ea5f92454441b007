"""A diagonal normal as posterior: each unit has a mean and a scale of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from designloop.vae.posteriors.base import Posterior

_LOG_2PI = math.log(2 * math.pi)


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
        return -(0.5 * standard.square() + self.scale.log() + 0.5 * _LOG_2PI).sum(-1)
