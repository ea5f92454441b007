"""What is expected of anything that the decoder says, given a row, by importance-weighted draws of the posterior.

    E[f(z) | x] ≈ Σ_k w_k f(z_k),   w_k ∝ p(x, z_k) / q(z_k | x),   Σ_k w_k = 1

The weights make it exact in the limit of many draws, however rough the encoder is. What is missing of a row is such an
expectation (``imputation``), and so is what lies behind a row that was seen through noise (``denoising``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from designloop.vae.inference.evidence import Evidence, importance_draws, repeat_context, summary
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE

Statistics = Callable[[Any, Context | None], Sequence[Tensor]]
"""Params (rows, …) of the likelihood, and the rows' context -> values (rows, …), of any number of kinds."""


@torch.no_grad()
def expectations(
    vae: VAE, statistics: Statistics, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int,
    generator: torch.Generator | None = None,
) -> tuple[list[Tensor], Evidence]:  # fmt: skip
    """The expectation of each statistic given what is observed of a row, (batch, …), and the weights' diagnostics.

    Args:
        statistics: of the decoder's output, such as ``lambda params, context: [likelihood.mean(params, context)]``.
        x: (batch, …). mask: True where an entry is observed.
        k: draws of the posterior a row.

    Raises:
        CapabilityError: the prior has no ``log_prob``.
        VAEError: ``k`` is not positive, or x cannot be (``VAE.take_rows``).
    """
    x, mask, context = vae.take_rows(x, mask, context)
    weights: list[Tensor] = []
    sums: list[Tensor] = []
    best = torch.tensor(-torch.inf)
    for z, weight in importance_draws(vae, x, mask, context, k=k, generator=generator):
        wide = repeat_context(context, len(z))
        values = [value.unflatten(0, z.shape[:2]) for value in statistics(vae.decode(z.flatten(0, 1), wide), wide)]
        new = torch.maximum(best.to(weight), weight.amax(0))  # sums are kept relative to the largest weight so far
        old, share = (best - new).exp(), (weight - new).exp()
        parts = [_scaled(share, value).sum(0) for value in values] + [share.sum(0)]
        sums = [_scaled(old, total) + part for total, part in zip(sums, parts, strict=True)] if sums else parts
        best = new
        weights.append(weight)
    *totals, mass = sums
    return [total / _beside(mass, total) for total in totals], summary(torch.cat(weights))


def _beside(rows: Tensor, values: Tensor) -> Tensor:
    """Numbers of rows with as many axes as their values."""
    return rows.view(*rows.shape, *(1,) * (values.ndim - rows.ndim))


def _scaled(weights: Tensor, values: Tensor) -> Tensor:
    """Values by their weights: what has no weight may be a value that cannot be written, and 0 · ∞ is no number."""
    weights = _beside(weights, values)
    return torch.where(weights > 0, weights * values, 0.0)
