"""A nonlinear structural causal model with additive noise as a prior."""

from __future__ import annotations

from torch import Tensor

from designloop.vae.causal.mechanisms import Mechanisms
from designloop.vae.priors.structural.base import Structural


class AdditiveNoise(Structural):
    """z_i = f_i(z_j, j causes i) + s_i ε_i,  ε ~ N(0, I), each f_i a network of one hidden layer.

    Its KL is log q(z) − log p(z) at the draw. Give ``means`` of your own, in a subclass of ``Structural``, where the
    mechanisms are known.

    Args:
        causes, key: as for ``Structural``.
        hidden: width of each network; their first weights are drawn from the global generator, as a module's are.

    Source: Hoyer et al. 2009, "Nonlinear causal discovery with additive noise models".
    """

    def __init__(self, causes: Tensor, hidden: int = 16, key: str = "do") -> None:
        super().__init__(causes, key)
        self.mechanisms = Mechanisms(self.latent, hidden)

    def means(self, z: Tensor) -> Tensor:
        """(..., latent) f."""
        out: Tensor = self.mechanisms(z, self.causes)
        return out
