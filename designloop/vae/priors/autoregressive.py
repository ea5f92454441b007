"""A first-order autoregressive prior: latents that are a path in time."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import cross_entropy, entropy, log_normal, noise_for


class AutoregressiveNormal(Prior):
    """z_1 ~ N(0, 1),  z_t = ρ z_{t−1} + √(1 − ρ²) ε_t: stationary, each z_t standard normal, correlation ρ^|s − t|.

    Args:
        steps: of time.
        channels: paths side by side, each with its own ρ; ``latent`` is steps · channels, all channels of the first
            step before those of the second.
        correlation: ρ to start from, between −1 and 1.
        learned: False fixes ρ.

    Raises:
        VAEError: ρ is not between −1 and 1.
    """

    raw: Tensor

    def __init__(self, steps: int, channels: int = 1, correlation: float = 0.5, learned: bool = True) -> None:
        super().__init__()
        if not -1 < correlation < 1:
            raise VAEError(f"correlation is {correlation}, expected between -1 and 1; 0 is the standard normal")
        self.steps, self.channels, self.latent = steps, channels, steps * channels
        start = torch.full((channels,), math.atanh(correlation))
        if learned:
            self.raw = nn.Parameter(start)
        else:
            self.register_buffer("raw", start)

    @property
    def correlation(self) -> Tensor:
        """(channels,) ρ."""
        return self.raw.tanh()

    def paths(self, z: Tensor) -> Tensor:
        """(..., steps, channels) of z (..., latent)."""
        return z.unflatten(-1, (self.steps, self.channels))  # type: ignore[no-any-return]

    def _scales(self) -> Tensor:
        """(steps, channels) of the noise."""
        later = self.raw.cosh().reciprocal()  # √(1 − tanh²), which does not cancel near ±1
        return torch.cat([torch.ones_like(later).unsqueeze(0), later.expand(self.steps - 1, -1)])

    def _residuals(self, z: Tensor) -> Tensor:
        path = self.paths(z)
        return torch.cat([path[..., :1, :], path[..., 1:, :] - self.correlation * path[..., :-1, :]], -2)

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""
        noise = self.paths(noise_for(n, self.latent, self.raw, context, generator)) * self._scales()
        path = [noise[..., 0, :]]
        for step in range(1, self.steps):
            path.append(self.correlation * path[-1] + noise[..., step, :])
        return torch.stack(path, -2).flatten(-2)

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent)."""
        return log_normal(self._residuals(z).flatten(-2), self._scales().flatten())

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, cross-entropy less entropy."""
        variance = self.paths(posterior.scale.square())
        carried = self.correlation.square() * variance[..., :-1, :]
        spread = torch.cat([variance[..., :1, :], variance[..., 1:, :] + carried], -2)
        residual = self._residuals(posterior.mean).flatten(-2)
        crossed = cross_entropy(residual, spread.flatten(-2), self._scales().flatten())
        return crossed - entropy(posterior.scale)
