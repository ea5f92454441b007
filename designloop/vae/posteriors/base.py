"""What an approximate posterior q(z | x) is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor

from designloop.vae.capabilities import optional
from designloop.vae.errors import CapabilityError, VAEError


class Posterior(ABC):
    """What a VAE asks of q(z | x): the base class of all posteriors.

    ``mean``, ``at`` and ``log_prob`` are what every posterior has. The rest is offered where there is a closed form,
    and raises ``CapabilityError`` where there is none. One that is no ``DiagonalNormal`` meets a prior through
    log q(z) − log p(z), unless the prior knows more of it.
    """

    __slots__ = ()

    mean: Tensor
    """(batch, latent) its middle."""

    @abstractmethod
    def at(self, noise: Tensor) -> Tensor:
        """(..., batch, latent) reparameterised draws, of standard normal noise (..., batch, noise_width)."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """(..., batch) log q(z | x) in nats at z (..., batch, latent)."""

    @property
    def noise_width(self) -> int:
        """How many standard normal numbers a draw is made of: a mixture takes one more, that chooses its component."""
        return self.mean.shape[-1]

    def rsample(self, generator: torch.Generator | None = None) -> Tensor:
        """(batch, latent), one reparameterised draw a row."""
        return self.at(standard_noise(self.mean.new_empty(len(self.mean), self.noise_width), generator))

    @property
    def variance(self) -> Tensor:
        """(batch, latent) of each unit."""
        raise CapabilityError(self, "variance", "take the variance of draws, rsample gives them")

    @optional("take the mean of −log_prob over draws")
    def entropy(self) -> Tensor:
        """(batch,) nats."""
        raise NotImplementedError

    @optional("take the mean of log_prob less the prior's over draws, as prior.kl does")
    def standard_kl(self) -> Tensor:
        """(batch,) KL(q || N(0, I)) in nats, in closed form."""
        raise NotImplementedError

    @optional("define it, so that a pass may draw several times of each row")
    def __getitem__(self, rows: Tensor | slice) -> Self:
        """The posterior of some rows, in any order and as often as they are named."""
        raise NotImplementedError


class NotEncoded(Posterior):
    """In the place of the posterior where rows were not encoded: whatever is asked of it is an error."""

    __slots__ = ()

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """There is none.

        Raises:
            VAEError: always.
        """
        raise VAEError("the rows of this pass were not encoded, so that they have no posterior; encode them")

    def at(self, noise: Tensor) -> Tensor:
        """There is none; raises as ``mean`` does."""
        return self.mean

    def log_prob(self, z: Tensor) -> Tensor:
        """There is none; raises as ``mean`` does."""
        return self.mean


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
