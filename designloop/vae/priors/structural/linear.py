"""A linear-Gaussian structural causal model as a prior: all that is asked of it has a closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.posteriors.partly_set import PartlySet
from designloop.vae.priors.normal import cross_entropy, entropy
from designloop.vae.priors.structural.base import Structural


class StructuralCausal(Structural):
    """z_i = Σ_j A_ij z_j + b_i + s_i ε_i,  ε ~ N(0, I),  A_ij ≠ 0 only where j causes i.

    Args:
        causes, key: as for ``Structural``.
        effect: of a cause to start from.
    """

    def __init__(self, causes: Tensor, effect: float = 0.0, key: str = "do") -> None:
        super().__init__(causes, key)
        self.effects = nn.Parameter(torch.full((self.latent, self.latent), effect))
        self.offset = nn.Parameter(torch.zeros(self.latent))

    @property
    def matrix(self) -> Tensor:
        """(latent, latent) A: [i, j] is what one more of unit j adds to unit i."""
        return self.effects * self.causes

    def means(self, z: Tensor) -> Tensor:
        """(..., latent) A z + b."""
        return z @ self.matrix.T + self.offset

    def kl(self, posterior: Posterior, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, of the units that are not set."""
        if not isinstance(posterior, PartlySet):
            return super().kl(posterior, z, context)
        scale = self.log_scale.exp()
        spread = posterior.variance @ self._keeps().square().T
        units = 0.5 * ((self.noise_of(posterior.mean).square() + spread) / scale.square() + LOG_2PI) + self.log_scale
        return units.masked_fill(posterior.is_set, 0.0).sum(-1) - posterior.entropy()

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, cross-entropy less entropy."""
        spread = posterior.scale.square() @ self._keeps().square().T
        return cross_entropy(self.noise_of(posterior.mean), spread, self.log_scale.exp()) - entropy(posterior.scale)

    def _keeps(self) -> Tensor:
        """(latent, latent) I − A, which makes noise of z."""
        return torch.eye(self.latent, dtype=self.effects.dtype, device=self.effects.device) - self.matrix
