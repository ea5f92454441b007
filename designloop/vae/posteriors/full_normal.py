"""A normal of full covariance as posterior: the units of a row depend on each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.base import Posterior


@dataclass(frozen=True, slots=True)
class FullNormal(Posterior):
    """N(mean, (L Lᵀ)⁻¹), a batch of normals whose units depend on each other."""

    mean: Tensor
    """(batch, latent)"""
    precision_tril: Tensor
    """(batch, latent, latent) L, lower triangular with a positive diagonal; a batch of one stands for all rows."""

    @property
    def covariance(self) -> Tensor:
        """(batch, latent, latent) (L Lᵀ)⁻¹."""
        inverse: Tensor = torch.cholesky_inverse(self.precision_tril)
        return inverse

    def at(self, noise: Tensor) -> Tensor:
        """(..., batch, latent) reparameterised draws, mean + L⁻ᵀ noise, of standard normal noise of that shape."""
        turned: Tensor = torch.linalg.solve_triangular(self.precision_tril.mT, noise.unsqueeze(-1), upper=True)
        return self.mean + turned.squeeze(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """(..., batch) log density in nats at z (..., batch, latent)."""
        standard = (self.precision_tril.mT @ (z - self.mean).unsqueeze(-1)).squeeze(-1)
        log_scale = -self.precision_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (standard.square() + LOG_2PI).sum(-1) - log_scale

    @property
    def variance(self) -> Tensor:
        """(batch, latent) of each unit."""
        return self.covariance.diagonal(dim1=-2, dim2=-1).expand_as(self.mean)

    def entropy(self) -> Tensor:
        """(batch,) nats."""
        log_scale = -self.precision_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return (log_scale + 0.5 * self.mean.shape[-1] * (1 + LOG_2PI)).expand(self.mean.shape[:-1])

    def standard_kl(self) -> Tensor:
        """(batch,) KL(q || N(0, I)) in nats."""
        latent = self.mean.shape[-1]
        squares: Tensor = (self.variance + self.mean.square()).sum(-1)
        return 0.5 * squares + 0.5 * latent * LOG_2PI - self.entropy()

    def __getitem__(self, rows: Tensor | slice) -> FullNormal:
        """The posterior of some rows."""
        factor = self.precision_tril
        return FullNormal(self.mean[rows], factor if len(factor) == 1 else factor[rows])
