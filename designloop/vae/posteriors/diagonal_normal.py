"""The approximate posterior q(z | x): a diagonal normal, or whatever else can be drawn from with noise handed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

_LOG_2PI = math.log(2 * math.pi)


@runtime_checkable
class Posterior(Protocol):
    """What a VAE asks of q(z | x). One that is no ``DiagonalNormal`` meets a prior through log q(z) − log p(z)."""

    @property
    def mean(self) -> Tensor:
        """(batch, latent) its middle."""
        ...

    def at(self, noise: Tensor) -> Tensor:
        """(..., batch, latent) reparameterised draws, of standard normal noise of that shape."""
        ...

    def rsample(self, generator: torch.Generator | None = None) -> Tensor:
        """(batch, latent), one reparameterised draw a row."""
        ...

    def log_prob(self, z: Tensor) -> Tensor:
        """(..., batch) log q(z | x) in nats at z (..., batch, latent)."""
        ...


@dataclass(frozen=True, slots=True)
class DiagonalNormal:
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

    def rsample(self, generator: torch.Generator | None = None) -> Tensor:
        """(batch, latent), one reparameterised draw a row."""
        return self.at(standard_noise(self.mean, generator))

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z | x), in nats.

        Args:
            z: (..., batch, latent).

        Returns:
            (..., batch)
        """
        standard = (z - self.mean) / self.scale
        return -(0.5 * standard.square() + self.scale.log() + 0.5 * _LOG_2PI).sum(-1)


def standard_noise(like: Tensor, generator: torch.Generator | None = None, samples: int | None = None) -> Tensor:
    """Standard normal noise of a tensor's shape, dtype and device, drawn from ``generator``.

    Args:
        like: (batch, latent).
        samples: None for one draw, else a leading axis of as many.

    Returns:
        (batch, latent), or (samples, batch, latent).
    """
    shape = like.shape if samples is None else (samples, *like.shape)
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=generator)
