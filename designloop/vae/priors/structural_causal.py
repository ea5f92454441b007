"""A linear-Gaussian structural causal model as a prior: units that cause each other along a graph without a cycle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import cross_entropy, entropy, log_normal, noise_for

Do = Mapping[int, float | Tensor]
"""Interventions: unit -> the value that it is set to, a number or (batch,)."""


class StructuralCausal(Prior):
    """z_i = Σ_j A_ij z_j + b_i + s_i ε_i,  ε ~ N(0, I),  A_ij ≠ 0 only where j causes i.

    Args:
        causes: (latent, latent) True at [i, j] where unit j causes unit i. In any order, but without a cycle.
        effect: of a cause to start from.

    Raises:
        ShapeError: ``causes`` is not square.
        VAEError: it has a cycle.

    Source: Pearl 2009, "Causality", sections 1.4 and 7.1 (interventions and counterfactuals).
    """

    causes: Tensor
    """As given."""
    order: list[int]
    """The units, each behind its causes."""
    parents: list[list[int]]
    """The causes of each unit."""

    def __init__(self, causes: Tensor, effect: float = 0.0) -> None:
        super().__init__()
        if causes.ndim != 2 or causes.shape[0] != causes.shape[1]:
            raise ShapeError("causes", causes.shape, "(latent, latent)", "give True at [i, j] where j causes i")
        self.latent = causes.shape[0]
        self.register_buffer("causes", causes.bool())
        self.order = _order(causes.bool())
        self.parents = [row.nonzero().flatten().tolist() for row in causes.bool()]
        self.effects = nn.Parameter(torch.full((self.latent, self.latent), effect))
        self.offset = nn.Parameter(torch.zeros(self.latent))
        self.log_scale = nn.Parameter(torch.zeros(self.latent))

    @property
    def matrix(self) -> Tensor:
        """(latent, latent) A: [i, j] is what one more of unit j adds to unit i."""
        return self.effects * self.causes

    def noise_of(self, z: Tensor) -> Tensor:
        """(..., latent) s ε that made z, from (..., latent)."""
        return z - z @ self.matrix.T - self.offset

    def from_noise(self, noise: Tensor, do: Do | None = None) -> Tensor:
        """(..., latent) z of s ε, unit by unit from causes to effects; those under ``do`` are what they are set to.

        Raises:
            VAEError: ``do`` names a unit that is not there.
        """
        do = do or {}
        if unknown := sorted(set(do) - set(range(self.latent))):
            raise VAEError(f"do sets unit {unknown[0]}, the units are 0 to {self.latent - 1}; give one of them")
        matrix, units = self.matrix, list(noise.unbind(-1))
        for i in self.order:
            if i in do:
                units[i] = torch.as_tensor(do[i], dtype=noise.dtype, device=noise.device).expand_as(units[i])
            else:
                units[i] = units[i] + self.offset[i] + sum(matrix[i, j] * units[j] for j in self.parents[i])
        return torch.stack(units, -1)

    def sample(
        self, n: int, context: Context | None = None, generator: torch.Generator | None = None, do: Do | None = None
    ) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent); under interventions where ``do`` is given."""
        noise = noise_for(n, self.latent, self.offset, context, generator)
        return self.from_noise(self.log_scale.exp() * noise, do)

    def counterfactual(self, z: Tensor, do: Do) -> Tensor:
        """(..., latent) what z would have been under ``do``, all noise the same (abduction, action, prediction)."""
        return self.from_noise(self.noise_of(z), do)

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent); I − A has determinant 1."""
        return log_normal(self.noise_of(z), self.log_scale.exp())

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, cross-entropy less entropy."""
        keeps = torch.eye(self.latent, dtype=self.effects.dtype, device=self.effects.device) - self.matrix
        spread = posterior.scale.square() @ keeps.square().T
        return cross_entropy(self.noise_of(posterior.mean), spread, self.log_scale.exp()) - entropy(posterior.scale)


def _order(causes: Tensor) -> list[int]:
    """The units, each behind its causes (Kahn's algorithm)."""
    left = {i: set(row.nonzero().flatten().tolist()) for i, row in enumerate(causes)}
    order: list[int] = []
    while left:
        free = [i for i, parents in left.items() if not parents & left.keys()]
        if not free:
            cycle = ", ".join(map(str, left))
            raise VAEError(f"causes has a cycle among the units {cycle}; take out an arrow, no unit may cause itself")
        order += free
        for i in free:
            del left[i]
    return order
