"""Small convolutional encoders and decoders of images, (batch, channels, height, width)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.networks import mlp, width_of
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal

Shape = tuple[int, int, int]
"""Channels, height and width of an image."""


class ConvEncoder(nn.Module):
    """q(z | x) of images: convolutions that halve the image each, then an MLP to mean and log scale.

    Args:
        shape: channels, height and width of an image.
        latent: width of z.
        channels: of each convolution; height and width are divisible by 2 as often.
        hidden: widths of the MLP behind them.
        transform: of the pixels before all else, ``anscombe`` for counts; None takes them as they are.
        reads_mask: feed the mask as further channels. Masked pixels are 0 in any case.

    Raises:
        ShapeError: height or width cannot be halved as often.
    """

    def __init__(
        self, shape: Shape, latent: int, channels: Sequence[int] = (16, 32), hidden: Sequence[int] = (128,),
        transform: Callable[[Tensor], Tensor] | None = None, *, reads_mask: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        small = _halved(shape, len(channels))
        self.shape, self.transform, self.reads_mask = shape, transform, reads_mask
        layers: list[nn.Module] = []
        for before, behind in pairwise([shape[0] * (2 if reads_mask else 1), *channels]):
            layers += [nn.Conv2d(before, behind, 3, stride=2, padding=1), nn.SiLU()]
        self.convolutions = nn.Sequential(*layers)
        self.net = mlp([(channels[-1] if channels else shape[0]) * math.prod(small), *hidden, 2 * latent])

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """(batch, channels, height, width) -> (batch, latent) posterior.

        Raises:
            ShapeError: images are of another shape.
        """
        if tuple(x.shape[1:]) != tuple(self.shape):
            wanted = f"(batch, {', '.join(map(str, self.shape))})"
            raise ShapeError("x", x.shape, wanted, "build the encoder for the images, or reshape them")
        x = x.to(next(self.net.parameters()).dtype)
        if mask is not None:
            x = torch.where(mask, x, torch.zeros_like(x))
        x = x if self.transform is None else self.transform(x)
        if mask is not None:
            x = torch.where(mask, x, torch.zeros_like(x))
        if self.reads_mask:
            x = torch.cat([x, torch.ones_like(x) if mask is None else mask.to(x.dtype)], 1)
        mean, log_scale = self.net(self.convolutions(x).flatten(1)).chunk(2, -1)
        return DiagonalNormal(mean, log_scale.clamp(-10, 5).exp())


class ConvDecoder(nn.Module):
    """The likelihood's params of each pixel: an MLP to a small image, then convolutions that double it each.

    Args:
        latent: width of z.
        shape: channels, height and width of the params: twice the channels for a likelihood of two params an entry
            only if it reads them along that axis; the library's read them along the width.
        channels: of the small images, from the smallest on.
        hidden: widths of the MLP before them.

    Raises:
        ShapeError: height or width cannot be halved as often.
        VAEError: there are no channels.
    """

    def __init__(
        self, latent: int, shape: Shape, channels: Sequence[int] = (32, 16), hidden: Sequence[int] = (128,)
    ) -> None:
        super().__init__()
        if not channels:
            raise VAEError("channels is empty, expected at least one number; (32, 16) is a start")
        small = _halved(shape, len(channels))
        self.net = mlp([latent, *hidden, channels[0] * math.prod(small)])
        self.small = (channels[0], *small)
        layers: list[nn.Module] = []
        for before, behind in pairwise([*channels, shape[0]]):
            layers += [nn.SiLU(), nn.ConvTranspose2d(before, behind, 4, stride=2, padding=1)]
        self.convolutions = nn.Sequential(*layers)

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch, latent) -> (batch, channels, height, width).

        Raises:
            ShapeError: z is of another width.
        """
        if z.shape[-1] != width_of(self.net):
            raise ShapeError("z", z.shape, f"(…, {width_of(self.net)})", "build the decoder for the latent's width")
        out: Tensor = self.convolutions(self.net(z).unflatten(-1, self.small))
        return out


def _halved(shape: Shape, times: int) -> tuple[int, int]:
    """Height and width of an image that was halved as often."""
    _, height, width = shape
    if height % 2**times or width % 2**times:
        wanted = f"(channels, height, width) divisible by {2**times}"
        raise ShapeError("shape", shape, wanted, "pad the images, or give fewer channels")
    return height // 2**times, width // 2**times
