"""A small network for each unit, all computed at once: the means of nonlinear structural causal models."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Mechanisms(nn.Module):
    """f_i(z) = b_i + Σ_j m_ij B_ij z_j + Σ_h c_ih tanh(d_ih + Σ_j m_ij W_ihj z_j), m_ij of which inputs i may see.

    Args:
        units: of z.
        hidden: width of each unit's one hidden layer.
    """

    def __init__(self, units: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.randn(units, hidden, units) / math.sqrt(units))
        self.inner_offset = nn.Parameter(torch.randn(units, hidden))
        self.outer = nn.Parameter(0.1 * torch.randn(units, hidden) / math.sqrt(hidden))
        self.straight = nn.Parameter(torch.zeros(units, units))
        self.offset = nn.Parameter(torch.zeros(units))

    def forward(self, z: Tensor, sees: Tensor) -> Tensor:
        """(..., units) of z (..., units).

        Args:
            sees: (units, units) True or 1 at [i, j] where unit i may see unit j.
        """
        inner = (self.inner * sees.unsqueeze(1)).flatten(0, 1)
        hidden = (z @ inner.T).unflatten(-1, self.outer.shape) + self.inner_offset
        bent = (hidden.tanh() * self.outer).sum(-1)
        out: Tensor = bent + z @ (self.straight * sees).T + self.offset
        return out

    def squares(self) -> Tensor:
        """(units, units) of what goes from unit j into unit i, at [i, j]: squared weights along the way."""
        through = (self.inner.square() * self.outer.square().unsqueeze(-1)).sum(1)
        return through + self.straight.square()
