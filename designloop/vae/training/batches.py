"""What the training loop learns from in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from designloop.vae.errors import VAEError


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
    z: Tensor | None = None
    """(batch, latent) where each row is decoded from, in place of a draw of its posterior: what it was written from."""


def is_table(given: Any) -> bool:
    """Whether something is bare rows: a tensor, an array, a data frame, a sparse matrix."""
    return isinstance(given, Tensor | np.ndarray) or hasattr(given, "to_numpy") or hasattr(given, "toarray")


def as_batch(given: Any) -> Batch:
    """A batch as it is, or one of bare rows: a tensor, an array, a data frame.

    What it holds is made into tensors, and looked at, by the VAE that it is given to (``VAE.take_rows``).

    Raises:
        VAEError: it is something else, of which it cannot be told what stands for what.
    """
    if isinstance(given, Batch):
        return given
    if is_table(given):
        return Batch(given)
    raise VAEError(
        f"batches gives a {type(given).__name__}, expected Batch or rows; write "
        "(Batch(x, mask) for x, mask in loader), or give arrays or the loader to fit_epochs"
    )
