"""What a prior is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal


@runtime_checkable
class Prior(Protocol):
    """A distribution over latents, perhaps given a context.

    One that has a density also offers ``log_prob(z, context) -> (..., batch)``; the ELBO needs it unless ``kl`` is
    closed.
    """

    latent: int
    """Width of z."""

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""
        ...

    def kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats: closed where it can be, else log q(z) − log p(z) at ``z``."""
        ...
