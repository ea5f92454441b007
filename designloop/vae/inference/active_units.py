"""Which units of a latent are in use."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import require_rows
from designloop.vae.model import VAE


@torch.no_grad()
def active_units(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, least: float = 0.01
) -> Tensor:
    """(latent,) True for units whose posterior mean varies over the rows by more than ``least``.

    Source: Burda et al. 2016, "Importance weighted autoencoders", section 5.2.
    """
    require_rows(x, mask)
    means = vae.encode(x, mask, context).mean
    return means.var(0, correction=0) > least
