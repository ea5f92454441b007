"""What is missing of a row, given what is observed, by importance-weighted draws of the posterior.

    p(x_mis | x_obs) = ∫ p(x_mis | z) p(z | x_obs) dz ≈ Σ_k w_k p(x_mis | z_k),   w_k ∝ p(x_obs, z_k) / q(z_k | x_obs)

The weights make it exact in the limit of many draws, however rough the encoder is about masked rows. Source: Mattei &
Frellsen 2019, "MIWAE", whose self-normalised estimator this is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.capabilities import offers, require
from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import Evidence, importance_draws, repeat_context
from designloop.vae.inference.expectations import mean_and_variance
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE


@dataclass(frozen=True, slots=True)
class Imputation:
    """Rows with what was missing filled in."""

    mean: Tensor
    """(batch, …) x where observed, else its mean given what is observed."""
    variance: Tensor | None
    """(batch, …) 0 where observed, else the variance given what is observed; None for a likelihood without one."""
    evidence: Evidence
    """Of the observed entries, with the effective draws that mean and variance are made of."""


@torch.no_grad()
def impute(
    vae: VAE, x: Tensor, mask: Tensor, context: Context | None = None, *, k: int,
    generator: torch.Generator | None = None,
) -> Imputation:  # fmt: skip
    """The mean and variance of what is missing, given what is observed.

    Args:
        x: (batch, …); what is masked may hold anything.
        mask: True where an entry is observed.
        k: draws of the posterior a row.

    Raises:
        CapabilityError: the likelihood has no ``mean``, or the prior no ``log_prob``.
        VAEError: a row observes nothing, or an observed entry is no number.
    """
    likelihood = vae.likelihood
    require(likelihood, "mean")
    x, mask, context = take_incomplete(vae, x, mask, context)
    spreads = offers(likelihood, "variance")

    def moments(params: Tensor, wide: Context | None) -> list[Tensor]:
        mean = likelihood.mean_of_missing(params, wide)
        return [mean, likelihood.variance_of_missing(params, wide)] if spreads else [mean]

    mean, variance, evidence = mean_and_variance(vae, moments, x, mask, context, k=k, generator=generator)
    filled = torch.where(mask, x.to(mean), mean)
    return Imputation(filled, variance.masked_fill(mask, 0.0) if spreads else None, evidence)


@torch.no_grad()
def sample_missing(
    vae: VAE, x: Tensor, mask: Tensor, context: Context | None = None, *, n: int, k: int,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """(n, batch, …) rows with what is missing drawn from its distribution given what is observed.

    By sampling-importance-resampling: z is one of k draws of the posterior, chosen by its weight (multiple imputation;
    Rubin 1987). Arguments and errors as ``impute``; a mean is not needed.
    """
    x, mask, context = take_incomplete(vae, x, mask, context)
    pieces = list(importance_draws(vae, x, mask, context, k=k, generator=generator))
    z, weight = (torch.cat(parts) for parts in zip(*pieces, strict=True))
    chosen = torch.multinomial(weight.softmax(0).T, n, replacement=True, generator=generator).T  # (n, batch)
    picked = z.gather(0, chosen.unsqueeze(-1).expand(-1, -1, z.shape[-1]))
    wide = repeat_context(context, n)
    drawn = vae.likelihood.sample_missing(vae.decode(picked.flatten(0, 1), wide), generator, wide)
    return filled_with(x, mask, drawn.unflatten(0, (n, len(x))))


def filled_with(x: Tensor, mask: Tensor, drawn: Tensor) -> Tensor:
    """x where observed, else what was drawn, of a type that holds both: no draw is made whole as x is."""
    kind = torch.promote_types(x.dtype, drawn.dtype)
    return torch.where(mask, x.to(kind), drawn.to(kind))


def take_incomplete(vae: VAE, x: Tensor, mask: Tensor, context: Context | None) -> tuple[Tensor, Tensor, Context]:
    """Rows, mask and context as ``VAE.take_rows`` gives them, where the mask is there.

    Raises:
        VAEError: it is None, or x cannot be (``VAE.take_rows``).
    """
    x, observed, context = vae.take_rows(x, mask, context)
    if observed is None:
        raise VAEError("mask is None, so that nothing is missing; give True where an entry is observed")
    return x, observed, context
