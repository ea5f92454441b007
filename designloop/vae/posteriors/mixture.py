"""A mixture of posteriors as posterior, of experts say that each saw a part of a row.

q(z) = Σ_k π_k q_k(z)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError
from designloop.vae.posteriors.base import Posterior


@dataclass(frozen=True, slots=True)
class Mixture(Posterior):
    """A mixture of a few posteriors, row by row.

    A draw takes one number more than a component's: it chooses the component, so that a draw is a function of its noise
    as with all posteriors. The choice has no gradient: draws teach the components, and not how often each is chosen.

    Raises:
        ShapeError: there is not one weight a row and component.
    """

    components: Sequence[Posterior]
    log_weights: Tensor
    """(batch, components) log π, normalised here."""

    def __post_init__(self) -> None:
        rows = len(self.components[0].mean) if self.components else 0
        if self.log_weights.shape != (rows, len(self.components)) or not self.components:
            wanted = f"({rows}, {len(self.components)}), at least one component"
            raise ShapeError("log_weights", self.log_weights.shape, wanted, "give one a row and component")

    @property
    def mean(self) -> Tensor:  # type: ignore[override]
        """(batch, latent) Σ_k π_k m_k."""
        means = torch.stack([component.mean for component in self.components], -1)
        return (means * self._weights().unsqueeze(-2)).sum(-1)

    @property
    def variance(self) -> Tensor:
        """(batch, latent) the mean of the variances and the variance of the means."""
        middle = self.mean  # deviations from it, squared: squares less a square are rounding alone far from 0
        squares = torch.stack([each.variance + (each.mean - middle).square() for each in self.components], -1)
        return (squares * self._weights().unsqueeze(-2)).sum(-1)

    @property
    def noise_width(self) -> int:
        """One more than the widest of its components takes."""
        return 1 + max(component.noise_width for component in self.components)

    def at(self, noise: Tensor) -> Tensor:
        """(..., batch, latent) draws, of standard normal noise (..., batch, noise_width); the last one chooses."""
        drawn = torch.stack([each.at(noise[..., : each.noise_width]) for each in self.components], -1)
        share = torch.special.ndtr(noise[..., -1:])
        before = self._weights().cumsum(-1)[..., :-1]
        chosen = (share > before).sum(-1)[..., None, None].expand(*drawn.shape[:-1], 1)
        return drawn.gather(-1, chosen).squeeze(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """(..., batch) log density in nats at z (..., batch, latent)."""
        each = torch.stack([component.log_prob(z) for component in self.components], -1)
        return (each + self.log_weights.log_softmax(-1)).logsumexp(-1)

    def __getitem__(self, rows: Tensor | slice) -> Mixture:
        """The posterior of some rows."""
        return Mixture([component[rows] for component in self.components], self.log_weights[rows])

    def _weights(self) -> Tensor:
        return self.log_weights.softmax(-1)
