"""What the training loop learns from in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to learn from in one step."""

    x: Tensor
    """(batch, …)"""
    mask: Tensor | None = None
    context: Mapping[str, Tensor] = field(default_factory=dict)
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    weights: Tensor | None = None
    """(batch,) non-negative; the loss is the weighted mean."""
