"""Experts that each saw a part of a row, and the posterior of all of them.

    q(z | x) ∝ p(z) Π_m e_m(z),     e_m(z) = q(z | x_m) / p(z) ∝ exp(−½ zᵀ T_m z + h_mᵀ z),     T_m ⪰ 0

An expert says what its part of the row adds to the prior N(0, I), which is in the product once, however many experts
there are: the product of the q(z | x_m) themselves would count it M times. T_m is the expert's own precision. One that
is learnt as the precision of a normal q(z | x_m) less the prior's would be negative wherever that normal is wider than
the prior, and the product then no distribution; so it is T_m that is said, and nowhere negative. Then

    q(z | x) = N(Λ⁻¹ h, Λ⁻¹),   Λ = I + Σ_m T_m,   h = Σ_m h_m

which is the prior where nothing is observed, and never wider for one expert more. Where z is normal and x_m linear in z
with normal noise, T_m = Σ_i w_i w_iᵀ / ψ_i over the observed entries, and the product is exact.

Sources: Wu & Goodman 2018, "Multimodal generative models for scalable weakly-supervised learning" (MVAE: experts over
the prior); Shi et al. 2019 (MMVAE: mixture of experts); Sutter et al. 2021, "Generalized multimodal ELBO" (MoPoE:
mixture of products over all subsets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.posteriors.full_normal import FullNormal


@dataclass(frozen=True, slots=True)
class Expert:
    """exp(−½ zᵀ T z + hᵀ z): what a part of each row says of its z, over the prior.

    Raises:
        ShapeError: precision and pull do not go together.
    """

    precision: Tensor
    """(batch, latent) T of each unit, nowhere negative, or (batch, latent, latent) of all, positive semidefinite."""
    pull: Tensor
    """(batch, latent) h = T m, m where the expert alone has its middle."""

    def __post_init__(self) -> None:
        batch, latent = self.pull.shape
        if self.precision.shape not in ((batch, latent), (batch, latent, latent)):
            wanted = f"({batch}, {latent}), or ({batch}, {latent}, {latent}) of full covariance"
            raise ShapeError("precision", self.precision.shape, wanted, "give one of each unit of the pull")

    @property
    def is_full(self) -> bool:
        """Whether its units depend on each other."""
        return self.precision.ndim == 3

    def where(self, has_part: Tensor) -> Expert:
        """The same for rows that have its part (batch,), and no word of the others."""
        rows = has_part.unsqueeze(1)
        precision = self.precision.masked_fill(~(rows.unsqueeze(2) if self.is_full else rows), 0.0)
        return Expert(precision, self.pull.masked_fill(~rows, 0.0))

    def __mul__(self, other: Expert) -> Expert:
        """What both say together; one of full covariance makes the product one."""
        first, second = self.precision, other.precision
        if first.ndim != second.ndim:
            first, second = (each if each.ndim == 3 else torch.diag_embed(each) for each in (first, second))
        return Expert(first + second, self.pull + other.pull)

    def posterior(self) -> DiagonalNormal | FullNormal:
        """q(z) ∝ N(z; 0, I) times the expert."""
        if not self.is_full:
            precision = 1 + self.precision
            return DiagonalNormal(self.pull / precision, precision.rsqrt())
        unit = torch.eye(self.pull.shape[1], dtype=self.pull.dtype, device=self.pull.device)
        factor = torch.linalg.cholesky(unit + self.precision)
        mean = torch.cholesky_solve(self.pull.unsqueeze(-1), factor).squeeze(-1)
        return FullNormal(mean, factor)


def product_of(experts: Sequence[Expert]) -> DiagonalNormal | FullNormal:
    """The posterior of all experts and the prior N(0, I), the prior once; at least one expert."""
    return reduce(Expert.__mul__, experts).posterior()
