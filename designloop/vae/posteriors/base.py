"""What an approximate posterior q(z | x) is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Posterior(ABC):
    """What a VAE asks of q(z | x): the base class of all posteriors.

    One that is no ``DiagonalNormal`` meets a prior through log q(z) − log p(z).
    """

    __slots__ = ()

    mean: Tensor
    """(batch, latent) its middle."""

    @abstractmethod
    def at(self, noise: Tensor) -> Tensor:
        """(..., batch, latent) reparameterised draws, of standard normal noise of that shape."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """(..., batch) log q(z | x) in nats at z (..., batch, latent)."""

    def rsample(self, generator: torch.Generator | None = None) -> Tensor:
        """(batch, latent), one reparameterised draw a row."""
        return self.at(standard_noise(self.mean, generator))


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
