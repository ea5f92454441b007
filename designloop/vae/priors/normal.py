"""What the normal priors share."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.special import LOG_2PI


def rows_of(context: Context | None) -> int | None:
    """How many rows a context is of; None where there is no context, or nothing in it."""
    return next((value.shape[0] for value in context.values()), None) if context else None


def noise_for(n: int, latent: int, like: Tensor, context: Context | None, generator: torch.Generator | None) -> Tensor:
    """(n, latent) standard normal noise of a tensor's dtype and device; with a context (n, batch, latent)."""
    rows = rows_of(context)
    shape = (n, latent) if rows is None else (n, rows, latent)
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=generator)


def log_normal(residual: Tensor, scale: Tensor) -> Tensor:
    """(...) log density in nats of independent normals, summed over the last axis.

    Args:
        residual: (..., units) from the mean. scale: standard deviations that go with them.
    """
    return -0.5 * ((residual / scale).square() + LOG_2PI).sum(-1) - scale.log().expand_as(residual).sum(-1)


def cross_entropy(residual: Tensor, variance: Tensor, scale: Tensor) -> Tensor:
    """(...) −E log N(r; 0, scale²) in nats, of residuals that have a mean and a variance; summed over the last axis."""
    units = 0.5 * ((residual.square() + variance) / scale.square() + LOG_2PI) + scale.log()
    return units.sum(-1)


def entropy(scale: Tensor) -> Tensor:
    """(...) of independent normals, in nats, summed over the last axis."""
    return (scale.log() + 0.5 * (1 + LOG_2PI)).sum(-1)
