"""What a likelihood is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Context = Mapping[str, Tensor]
"""What is known of a row beside its data: name -> (batch, …)."""


@runtime_checkable
class Likelihood(Protocol):
    """Decoder outputs as a distribution over data.

    Stateless or an ``nn.Module`` with parameters of its own; never changes its arguments. ``params`` is whatever the
    decoder returns, (batch, …). A likelihood that has them also offers ``mean(params, context)``,
    ``variance(params, context)`` and ``fisher(params, tangents, x, context)``; callers ask with ``hasattr``.
    """

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch,) log p(x | params) in nats, summed over the observed entries of each row.

        Args:
            params: (batch, …) decoder output.
            x: (batch, …) data.
            mask: True where an entry is observed; None when all are.
        """
        ...

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, …) one draw a row."""
        ...
