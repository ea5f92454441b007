"""A Markov chain as posterior: units that are a path in time, each step leaning on the one before.

    z_1 = m_1 + σ_1 ε_1,     z_t = m_t + φ_t (z_{t−1} − m_{t−1}) + σ_t ε_t

Its precision is tridiagonal, with a bidiagonal factor, so that density and entropy cost O(T), and draws a few passes
over all steps at once. Under a diagonal posterior a
model of paths unlearns its dynamics: the KL to a prior of correlation ρ is ½ log(1 + ρ²) nats a step at the least,
which learning saves by ρ = 0. Source: Archer et al. 2015, "Black box variational inference for state space models".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg.lapack import dpttrf
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.normal import log_normal
from designloop.vae.recurrence import recur


@dataclass(frozen=True, slots=True)
class MarkovNormal(Posterior):
    """Normal paths, a batch of them; channels side by side know nothing of each other.

    z (batch, latent) has all channels of the first step before those of the second, as ``AutoregressiveNormal`` has.

    Raises:
        ShapeError: the parts do not go together.
    """

    mean: Tensor
    """(batch, steps · channels) m."""
    scale: Tensor
    """(batch, steps, channels) σ, standard deviations given the step before, all positive."""
    carry: Tensor
    """(batch, steps − 1, channels) φ, how much of the step before goes on."""

    def __post_init__(self) -> None:
        batch, steps, channels = self.scale.shape
        if self.mean.shape != (batch, steps * channels) or self.carry.shape != (batch, steps - 1, channels):
            wanted = f"({batch}, {steps - 1}, {channels}) with a mean of ({batch}, {steps * channels})"
            raise ShapeError("carry", self.carry.shape, wanted, "give a φ for every step but the first")

    def at(self, noise: Tensor) -> Tensor:
        """(..., batch, latent) reparameterised draws, of standard normal noise of that shape."""
        return self.mean + recur(self.scale * self._path(noise), self.carry).flatten(-2)

    def log_prob(self, z: Tensor) -> Tensor:
        """(..., batch) log density in nats at z (..., batch, latent)."""
        away = self._path(z - self.mean)
        new = torch.cat([away[..., :1, :], away[..., 1:, :] - self.carry * away[..., :-1, :]], -2)
        return log_normal(new.flatten(-2), self.scale.flatten(-2))

    @property
    def variance(self) -> Tensor:
        """(batch, latent) of each unit."""
        return recur(self.scale.square(), self.carry.square()).flatten(-2)

    def entropy(self) -> Tensor:
        """(batch,) nats: those of the steps' own noise."""
        return (self.scale.log() + 0.5 * (1 + LOG_2PI)).flatten(-2).sum(-1)

    def standard_kl(self) -> Tensor:
        """(batch,) KL(q || N(0, I)) in nats."""
        squares: Tensor = (self.variance + self.mean.square()).sum(-1)
        return 0.5 * (squares - self.mean.shape[-1]) - self.scale.log().flatten(-2).sum(-1)

    def __getitem__(self, rows: Tensor | slice) -> MarkovNormal:
        """The posterior of some rows."""
        return MarkovNormal(self.mean[rows], self.scale[rows], self.carry[rows])

    def spread_under(self, carry: Tensor) -> Tensor:
        """(batch, steps, channels) variance of z_1 and of z_t − φ′ z_{t−1}, for another φ′ (channels,), a prior's."""
        before = self._path(self.variance)[..., :-1, :]
        later = self.scale[..., 1:, :].square() + (self.carry - carry).square() * before
        return torch.cat([self.scale[..., :1, :].square(), later], -2)

    def _path(self, z: Tensor) -> Tensor:
        return z.unflatten(-1, self.scale.shape[-2:])  # type: ignore[no-any-return]


def chain_of_precision(mean: Tensor, diagonal: Tensor, beside: Tensor) -> MarkovNormal:
    """The chain of one channel whose precision matrix is tridiagonal; exact, no gradient goes through it.

    Its steps come of the factor from the last step to the first: Λ = (I − Φ)ᵀ D⁻¹ (I − Φ), Φ below the diagonal.

    Args:
        mean: (batch, steps).
        diagonal: (batch, steps) of the precision.
        beside: (batch, steps − 1) entries beside the diagonal.

    Raises:
        VAEError: a row's precision is not positive definite.
    """
    rows, off = diagonal.numpy(force=True)[:, ::-1].astype(float), beside.numpy(force=True)[:, ::-1].astype(float)
    precisions, factors = np.empty_like(rows), np.empty_like(off)
    for row in range(len(rows)):
        precisions[row], factors[row], failed = dpttrf(rows[row], off[row])
        if failed:
            raise VAEError(
                f"the precision of row {row} is not positive definite at step {rows.shape[1] - failed + 1}; expected "
                "that of a normal: add to its diagonal"
            )
    scale = torch.from_numpy(precisions[:, ::-1] ** -0.5).to(mean)
    carry = torch.from_numpy(-factors[:, ::-1]).to(mean)
    return MarkovNormal(mean, scale.unsqueeze(-1), carry.unsqueeze(-1))
