"""A posterior of which some units are set from outside, as interventions set them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal


@dataclass(frozen=True, slots=True)
class PartlySet(Posterior):
    """A diagonal normal whose set units are numbers: they have no spread, no density, and no share in a KL."""

    free: DiagonalNormal
    """Of all units; only those that are not set are looked at."""
    values: Tensor
    """(batch, latent) what units are set to; NaN where they are free."""

    @property
    def is_set(self) -> Tensor:
        """(batch, latent) True for units that are set."""
        return self.values.isnan().logical_not()

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """(batch, latent) of the free units, and what the others are set to."""
        return self._settled(self.free.mean)

    @property
    def variance(self) -> Tensor:
        """(batch, latent) of each unit, 0 where it is set."""
        return self.free.variance.masked_fill(self.is_set, 0.0)

    def at(self, noise: Tensor) -> Tensor:
        """(..., batch, latent) reparameterised draws, of standard normal noise of that shape."""
        return self._settled(self.free.at(noise))

    def log_prob(self, z: Tensor) -> Tensor:
        """(..., batch) log density in nats of the free units of z (..., batch, latent)."""
        units = -0.5 * (((z - self.free.mean) / self.free.scale).square() + LOG_2PI) - self.free.scale.log()
        return units.masked_fill(self.is_set, 0.0).sum(-1)

    def entropy(self) -> Tensor:
        """(batch,) nats, of the free units."""
        units = self.free.scale.log() + 0.5 * (1 + LOG_2PI)
        return units.masked_fill(self.is_set, 0.0).sum(-1)

    def __getitem__(self, rows: Tensor | slice) -> PartlySet:
        """The posterior of some rows."""
        return PartlySet(self.free[rows], self.values[rows])

    def _settled(self, z: Tensor) -> Tensor:
        return torch.where(self.is_set, torch.nan_to_num(self.values), z)
