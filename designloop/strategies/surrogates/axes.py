"""Axes of latent space along which latents say what a molecule is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Axes:
    """A linear view of the latents, scaled to the mean variance of a unit cube, 1/12."""

    centre: Tensor
    """(latent,)"""
    directions: Tensor
    """(latent, dims)"""

    @classmethod
    def explaining(cls, latents: Tensor, features: np.ndarray, dims: int, ridge: float = 0.01) -> Axes:
        """The ``dims`` axes of latent space that say most about what molecules are made of; no score is looked at.

        Reduced-rank ridge regression: distances between projected latents are those between the fingerprints that the
        latents predict, so directions that change nothing in the molecule do not count, however far they reach.
        Source: Mukherjee & Zhu 2011, "Reduced rank ridge regression and its kernel extensions".

        Args:
            latents: (n, latent) of molecules of any kind.
            features: (n, features) of the same molecules.
            ridge: share of a latent unit's sum of squares that is added to it.
        """
        centre = latents.double().mean(0)
        x = latents.double() - centre
        y = torch.from_numpy(features).double()
        gram = x.T @ x
        gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        # Weights are gram⁻¹ xᵀy; with gram = L Lᵀ and c = L⁻¹ xᵀy = U S Vᵀ, their leading parts are L⁻ᵀ U S.
        lower = torch.linalg.cholesky(gram)
        c = torch.linalg.solve_triangular(lower, x.T @ (y - y.mean(0)), upper=False)
        squares, u = torch.linalg.eigh(c @ c.T)
        leading = u[:, -dims:] * squares[-dims:].clamp_min(0).sqrt()
        directions = torch.linalg.solve_triangular(lower.T, leading, upper=True)
        return cls(centre, directions / (12 * (x @ directions).var(0).mean()).sqrt())

    def __call__(self, z: Tensor) -> Tensor:
        """(n, latent) -> (n, dims) double."""
        return (z.double() - self.centre) @ self.directions
