"""Normal chains as priors: latents that are a path in time, each step leaning on the one before."""

from __future__ import annotations

import math
from abc import abstractmethod
from copy import copy
from typing import Self

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.posteriors.markov_normal import MarkovNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import cross_entropy, entropy, log_normal, noise_for
from designloop.vae.recurrence import recur


class NormalChain(Prior):
    """z_1 ~ N(0, s_1²),  z_t = c z_{t−1} + s_t ε_t: the base class of priors of paths; channels side by side.

    Give it an encoder whose posterior is ``MarkovNormal`` (``MarkovEncoder``, ``NewtonEncoder``). A ``DiagonalNormal``
    has a closed KL to it too, but no correlation between steps, and the KL charges for that: what is learned then is a
    chain without dynamics.

    Args:
        steps: of time.
        channels: paths side by side, each with parameters of its own; ``latent`` is steps · channels, all channels of
            the first step before those of the second.
    """

    raw: Tensor
    """(channels,) the parameter that the chain's dynamics are made of."""

    def __init__(self, steps: int, channels: int) -> None:
        super().__init__()
        self.steps, self.channels, self.latent = steps, channels, steps * channels

    @property
    @abstractmethod
    def carry(self) -> Tensor:
        """(channels,) c."""

    @property
    @abstractmethod
    def scales(self) -> Tensor:
        """(steps, channels) s."""

    def over(self, steps: int) -> Self:
        """The same chain, its parameters shared, over another number of steps."""
        other = copy(self)
        other.steps, other.latent = steps, steps * self.channels
        return other

    def paths(self, z: Tensor) -> Tensor:
        """(..., steps, channels) of z (..., latent)."""
        return z.unflatten(-1, (self.steps, self.channels))  # type: ignore[no-any-return]

    def _residuals(self, z: Tensor) -> Tensor:
        path = self.paths(z)
        return torch.cat([path[..., :1, :], path[..., 1:, :] - self.carry * path[..., :-1, :]], -2)

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""
        noise = self.paths(noise_for(n, self.latent, self.raw, context, generator))
        return recur(noise * self.scales, self.carry).flatten(-2)

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent)."""
        return log_normal(self._residuals(z).flatten(-2), self.scales.flatten())

    def precision(self) -> tuple[Tensor, Tensor]:
        """(steps, channels) diagonal of the path's precision matrix, and (steps − 1, channels) entries beside it."""
        own = self.scales.square().reciprocal()
        ahead = torch.cat([self.carry.square() * own[1:], torch.zeros_like(own[:1])])
        return own + ahead, -self.carry * own[1:]

    def kl(self, posterior: Posterior, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats: closed for ``DiagonalNormal``, and ``MarkovNormal`` of its steps."""
        if not isinstance(posterior, MarkovNormal) or posterior.scale.shape[1:] != (self.steps, self.channels):
            return super().kl(posterior, z, context)
        residual = self._residuals(posterior.mean).flatten(-2)
        spread = posterior.spread_under(self.carry).flatten(-2)
        return cross_entropy(residual, spread, self.scales.flatten()) - posterior.entropy()

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, cross-entropy less entropy."""
        variance = self.paths(posterior.scale.square())
        carried = self.carry.square() * variance[..., :-1, :]
        spread = torch.cat([variance[..., :1, :], variance[..., 1:, :] + carried], -2)
        residual = self._residuals(posterior.mean).flatten(-2)
        crossed = cross_entropy(residual, spread.flatten(-2), self.scales.flatten())
        return crossed - entropy(posterior.scale)


class AutoregressiveNormal(NormalChain):
    """z_1 ~ N(0, 1),  z_t = ρ z_{t−1} + √(1 − ρ²) ε_t: stationary, each z_t standard normal, correlation ρ^|s − t|.

    Its posterior has to be a chain too (``NormalChain``): a ``DiagonalNormal`` is charged ½ log(1 + ρ²) nats a step at
    the least, and a learned ρ then falls towards 0, and the dynamics with it.

    Args:
        steps, channels: as for ``NormalChain``.
        correlation: ρ to start from, between −1 and 1.
        learned: False fixes ρ.

    Raises:
        VAEError: ρ is not between −1 and 1.
    """

    def __init__(self, steps: int, channels: int = 1, correlation: float = 0.5, learned: bool = True) -> None:
        super().__init__(steps, channels)
        if not -1 < correlation < 1:
            raise VAEError(f"correlation is {correlation}, expected between -1 and 1; 0 is the standard normal")
        start = torch.full((channels,), math.atanh(correlation))
        if learned:
            self.raw = nn.Parameter(start)
        else:
            self.register_buffer("raw", start)

    @property
    def correlation(self) -> Tensor:
        """(channels,) ρ."""
        return self.raw.tanh()

    @property
    def carry(self) -> Tensor:
        """(channels,) ρ."""
        return self.correlation

    @property
    def scales(self) -> Tensor:
        """(steps, channels) 1, then √(1 − ρ²)."""
        later = self.raw.cosh().reciprocal()  # √(1 − tanh²), which does not cancel near ±1
        return torch.cat([torch.ones_like(later).unsqueeze(0), later.expand(self.steps - 1, -1)])


class RandomWalk(NormalChain):
    """z_1 ~ N(0, start²),  z_t = z_{t−1} + wander ε_t: a level that drifts and never comes home.

    Args:
        steps, channels: as for ``NormalChain``.
        wander: standard deviation of a step to start from.
        start: standard deviation of the first; many times the data's own says nothing of where the path begins.
        learned: False fixes ``wander``; ``start`` is never learned.

    Raises:
        VAEError: ``wander`` or ``start`` is not positive.
    """

    start: Tensor

    def __init__(
        self, steps: int, channels: int = 1, wander: float = 1.0, start: float = 1.0, learned: bool = True
    ) -> None:
        super().__init__(steps, channels)
        for name, value in (("wander", wander), ("start", start)):
            if value <= 0:
                raise VAEError(f"{name} is {value}, expected a positive standard deviation; give it in the path's unit")
        log_wander = torch.full((channels,), math.log(wander))
        if learned:
            self.raw = nn.Parameter(log_wander)
        else:
            self.register_buffer("raw", log_wander)
        self.register_buffer("start", torch.full((channels,), float(start)))

    @property
    def wander(self) -> Tensor:
        """(channels,) standard deviation of a step."""
        return self.raw.exp()

    @property
    def carry(self) -> Tensor:
        """(channels,) 1."""
        return torch.ones_like(self.raw)

    @property
    def scales(self) -> Tensor:
        """(steps, channels) ``start``, then ``wander``."""
        return torch.cat([self.start.unsqueeze(0), self.wander.expand(self.steps - 1, -1)])
