"""Small reusable encoders and decoders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from designloop.vae.likelihoods.base import Context
from designloop.vae.posterior import DiagonalNormal


def mlp(widths: Sequence[int], activation: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    """A multilayer perceptron: linear maps between the widths, an activation between the maps."""
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.Linear(width_in, width_out), activation()]
    return nn.Sequential(*layers[:-1])


class MLPEncoder(nn.Module):
    """q(z | x) of flat data: an MLP to mean and log scale; masked entries are set to zero and the mask is fed beside.

    Args:
        features: width of a row. latent: width of z. hidden: widths between.
        reads_mask: feed the mask as further inputs.
    """

    def __init__(self, features: int, latent: int, hidden: Sequence[int] = (), reads_mask: bool = False) -> None:
        super().__init__()
        self.reads_mask = reads_mask
        self.net = mlp([features * (2 if reads_mask else 1), *hidden, 2 * latent])

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """(batch, features) -> (batch, latent) posterior."""
        if mask is not None:
            x = torch.where(mask, x, torch.zeros_like(x))
        if self.reads_mask:
            x = torch.cat([x, torch.ones_like(x) if mask is None else mask.to(x.dtype)], -1)
        mean, log_scale = self.net(x).chunk(2, -1)
        return DiagonalNormal(mean, log_scale.clamp(-10, 5).exp())


class MLPDecoder(nn.Module):
    """An MLP from z to the likelihood's params."""

    def __init__(self, latent: int, params: int, hidden: Sequence[int] = ()) -> None:
        super().__init__()
        self.net = mlp([latent, *hidden, params])

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., latent) -> (..., params)."""
        out: Tensor = self.net(z)
        return out
