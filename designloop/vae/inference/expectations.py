"""What is expected of anything that the decoder says, given a row, by importance-weighted draws of the posterior.

    E[f(z) | x] ≈ Σ_k w_k f(z_k),   w_k ∝ p(x, z_k) / q(z_k | x),   Σ_k w_k = 1

The weights make it exact in the limit of many draws, however rough the encoder is. What is missing of a row is such an
expectation (``imputation``), and so is what lies behind a row that was seen through noise (``denoising``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    spreads, evidence = _spreads(vae, statistics, x, mask, context, k, generator)
    return [spread.mean for spread in spreads], evidence


@torch.no_grad()
def mean_and_variance(
    vae: VAE, statistics: Statistics, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, Evidence]:  # fmt: skip
    """(batch, …) the mean and the variance of what has a mean at each z, and perhaps a variance, by the law of totals.

        E[f | x] = E[E[f | z]],     Var[f | x] = Var[E[f | z]] + E[Var[f | z]]

    Deviations are taken from the mean and squared then: a mean square less the mean's square is rounding alone where
    the spread is small beside the mean.

    Args:
        statistics: gives the mean at z and, if there is more than its own spread to count, the variance at z.
        x, mask, k: as for ``expectations``, whose errors these are.
    """
    (of_mean, *of_variance), evidence = _spreads(vae, statistics, x, mask, context, k, generator)
    variance = of_mean.squares
    for spread in of_variance:
        variance = variance + spread.mean
    return of_mean.mean, variance, evidence


@dataclass(frozen=True, slots=True)
class _Spread:
    """A statistic's weighted mean and mean squared deviation from it over some draws, (batch, …) each."""

    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, values: Tensor, shares: Tensor) -> _Spread:
        """That of values (draws, batch, …) at shares (draws, batch) that sum to 1."""
        mean = _scaled(shares, values).sum(0)
        return cls(mean, _scaled(shares, (values - mean).square()).sum(0))

    def beside(self, own: Tensor, other: _Spread, share: Tensor) -> _Spread:
        """That of both together, (batch,) shares of their weight given (Chan, Golub & LeVeque 1979)."""
        apart = other.mean - self.mean
        mean = torch.where(_beside(own, apart) > 0, self.mean + _scaled(share, apart), other.mean)
        between = _scaled(own * share, apart.square())
        return _Spread(mean, _scaled(own, self.squares) + _scaled(share, other.squares) + between)


def _spreads(
    vae: VAE, statistics: Statistics, x: Tensor, mask: Tensor | None, context: Context | None, k: int,
    generator: torch.Generator | None,
) -> tuple[list[_Spread], Evidence]:  # fmt: skip
    """Of each statistic, NaN where no draw has any weight, and the weights' diagnostics."""
    x, mask, context = vae.take_rows(x, mask, context)
    weights: list[Tensor] = []
    spreads: list[_Spread] = []
    best, mass = torch.tensor(-torch.inf), torch.tensor(0.0)
    for z, weight in importance_draws(vae, x, mask, context, k=k, generator=generator):
        wide = repeat_context(context, len(z))
        values = [value.unflatten(0, z.shape[:2]) for value in statistics(vae.decode(z.flatten(0, 1), wide), wide)]
        new = torch.maximum(best.to(weight), weight.amax(0))  # masses are kept relative to the largest weight so far
        before, shares = _scaled((best - new).exp(), mass), (weight - new).exp()
        added = shares.sum(0)
        best, mass = new, before + added
        parts = [_Spread.of(value, shares / added) for value in values]
        pairs = zip(spreads, parts, strict=True)
        spreads = [old.beside(before / mass, part, added / mass) for old, part in pairs] if spreads else parts
        weights.append(weight)
    known = best.isfinite()
    return [
        _Spread(*(torch.where(_beside(known, part), part, torch.nan) for part in (each.mean, each.squares)))
        for each in spreads
    ], summary(torch.cat(weights))


def _beside(rows: Tensor, values: Tensor) -> Tensor:
    """Numbers of rows with as many axes as their values."""
    return rows.view(*rows.shape, *(1,) * (values.ndim - rows.ndim))


def _scaled(weights: Tensor, values: Tensor) -> Tensor:
    """Values by their weights: what has no weight may be a value that cannot be written, and 0 · ∞ is no number."""
    weights = _beside(weights, values)
    return torch.where(weights > 0, weights * values, 0.0)
