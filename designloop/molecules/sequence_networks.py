"""The networks of the sequence VAE: what reads a row of tokens, and what plans its positions from a latent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import noise_level
from designloop.vae.likelihoods.tokens import TokenSequence
from designloop.vae.networks import mlp
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal


def on_sphere(z: Tensor) -> Tensor:
    """(..., latent) scaled to the radius of a standard normal, the root of ``latent``."""
    return z * (z.square().mean(-1, keepdim=True) + 1e-6).rsqrt()


@dataclass(frozen=True)
class Architecture:
    """The widths of a sequence VAE."""

    latent: int = 128
    embedding: int = 96
    features: int = 48
    """Of the plan and of the encoder, for each position."""
    channels: int = 128
    """Between the encoder's two convolutions."""
    width: int = 384
    """Of the hidden layers."""
    hidden: int = 384
    """Of the recurrent head."""
    reader: int = 0
    """Of each direction of a recurrent network that the encoder reads with beside its convolutions; 0 for none."""


class Reader(nn.Module):
    """Two recurrent networks, one along the tokens and one against them, and what they add to an encoder's layers.

    All that it adds is 0 at first, so that an encoder says what it said without.
    """

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        size = 2 * arch.reader
        self.along = nn.GRU(arch.embedding, arch.reader, batch_first=True)
        self.against = nn.GRU(arch.embedding, arch.reader, batch_first=True)
        self.to_features = nn.Linear(size, arch.features)
        self.to_width = nn.Linear(size, arch.width)
        self.out = nn.Sequential(
            nn.SiLU(), nn.Linear(arch.width, 2 * arch.width), nn.SiLU(), nn.Linear(2 * arch.width, 2 * arch.latent)
        )
        for layer in (self.to_features, self.to_width, self.out[-1]):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Reads rows of embedded tokens.

        Args:
            embedded: (batch, length, embedding).
            lengths: (batch,) tokens of each row, what stands behind them being padding.

        Returns:
            (batch, length, features) to be added by position, what stands behind a row's end without meaning, and
            (batch, width) of both ends.
        """
        last = (lengths - 1).unsqueeze(1)
        # Each row is turned round in its own length, so that no padding is read before it.
        turned = (last - torch.arange(embedded.shape[1], device=embedded.device)).clamp(min=0)
        row = torch.arange(len(embedded), device=embedded.device).unsqueeze(1)
        along, _ = self.along(embedded)
        against, _ = self.against(embedded[row, turned])
        ends = torch.cat([along[row, last], against[row, last]], -1).squeeze(1)
        states = torch.cat([along, against[row, turned]], -1)
        return self.to_features(states), self.to_width(ends)


class SequenceEncoder(nn.Module):
    """Two convolutions over the tokens, flattened by position, an MLP to mean and scale; widened by the noise level.

    A ``Reader``, where the architecture has one, adds to the features, to the first hidden layer and to what comes out.
    """

    def __init__(self, vocabulary: int, length: int, arch: Architecture) -> None:
        super().__init__()
        self.features = arch.features
        self.embedding = nn.Embedding(vocabulary, arch.embedding, padding_idx=TokenSequence.PAD)
        self.convolutions = nn.Sequential(
            nn.Conv1d(arch.embedding, arch.channels, 5, padding=2),
            nn.SiLU(),
            nn.Conv1d(arch.channels, arch.features, 5, padding=2),
            nn.SiLU(),
        )
        self.by_position = nn.Linear(length * arch.features, arch.width)
        self.out = nn.Sequential(
            nn.SiLU(), nn.Linear(arch.width, arch.width), nn.SiLU(), nn.Linear(arch.width, 2 * arch.latent)
        )
        self.reader = Reader(arch) if arch.reader else None

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """(batch, length) tokens -> (batch, latent) posterior."""
        present = (x != TokenSequence.PAD).unsqueeze(1)
        embedded = self.embedding(x)
        features = embedded.transpose(1, 2)
        for layer in (0, 2):
            # Padding is zero before each convolution, as what lies beyond the last column is: rows do not see how long
            # the longest of their batch is.
            features = self.convolutions[layer + 1](self.convolutions[layer](features)) * present
        by_position = features.transpose(1, 2)
        if self.reader is not None:
            read, of_ends = self.reader(embedded, present.sum((1, 2)))
            by_position = by_position + read * present.transpose(1, 2)
        # For the same reason only the weights of the positions at hand are multiplied.
        flat = by_position.flatten(1)
        wide = nn.functional.linear(flat, self.by_position.weight[:, : flat.shape[1]], self.by_position.bias)
        if self.reader is None:
            out = self.out(wide)
        else:
            wide = wide + of_ends
            out = self.out(wide) + self.reader.out(wide)
        mean, log_scale = out.chunk(2, -1)
        # On the sphere of a standard normal's radius, so a noise level means the same signal-to-noise ratio throughout.
        mean = on_sphere(mean)
        scale = log_scale.clamp(-8, 2).exp()
        if (noise := noise_level(context)) is not None:
            scale = (scale.square() + noise.square()).sqrt()
        return DiagonalNormal(mean, scale)


class PlanDecoder(nn.Module):
    """z, and the level of noise in it, to one vector for each position."""

    def __init__(self, length: int, arch: Architecture) -> None:
        super().__init__()
        self.features = arch.features
        self.net = nn.Sequential(mlp([arch.latent + 1, arch.width, arch.width]), nn.SiLU())
        self.by_position = nn.Linear(arch.width, length * arch.features)

    def forward(self, z: Tensor, context: Context | None = None, positions: int | None = None) -> Tensor:
        """(batch, latent) -> (batch, length, features), or as many first ``positions`` of it."""
        noise = z.new_zeros(z.shape[0], 1) if (told := noise_level(context)) is None else told
        entry = torch.cat([z / (1 + noise.square()).sqrt(), noise.log1p()], -1)
        out = None if positions is None else positions * self.features
        flat = nn.functional.linear(self.net(entry), self.by_position.weight[:out], self.by_position.bias[:out])
        plan: Tensor = flat.unflatten(-1, (-1, self.features))
        return plan
