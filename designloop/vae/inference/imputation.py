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
from designloop.vae.inference.evidence import Evidence, importance_draws, repeat_context, summary
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
    require(vae.likelihood, "mean")
    spreads = offers(vae.likelihood, "variance")
    weights: list[Tensor] = []
    sums: list[Tensor] = []
    best = torch.tensor(-torch.inf)
    for z, weight in importance_draws(vae, x, mask, context, k=k, generator=generator):
        wide = repeat_context(context, len(z))
        params = vae.decode(z.flatten(0, 1), wide)
        mean = vae.likelihood.mean(params, wide).unflatten(0, z.shape[:2])
        powers = [torch.ones_like(mean), mean]
        if spreads:
            variance = vae.likelihood.variance(params, wide).unflatten(0, z.shape[:2])
            powers.append(variance + mean.square())
        new = torch.maximum(best.to(weight), weight.amax(0))  # sums are kept relative to the largest weight so far
        trailing = (1,) * (mean.ndim - 2)
        share, old = (weight - new).exp().view(*weight.shape, *trailing), (best - new).exp().view(-1, *trailing)
        here = [(share * power).sum(0) for power in powers]
        sums = [old * so_far + new_sum for so_far, new_sum in zip(sums, here, strict=True)] if sums else here
        best = new
        weights.append(weight)
    total, first, *second = sums
    mean = first / total
    variance = (second[0] / total - mean.square()).clamp_min(0).masked_fill(mask, 0.0) if spreads else None
    return Imputation(torch.where(mask, x.to(mean), mean), variance, summary(torch.cat(weights)))


@torch.no_grad()
def sample_missing(
    vae: VAE, x: Tensor, mask: Tensor, context: Context | None = None, *, n: int, k: int,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """(n, batch, …) rows with what is missing drawn from its distribution given what is observed.

    By sampling-importance-resampling: z is one of k draws of the posterior, chosen by its weight (multiple imputation;
    Rubin 1987). Arguments and errors as ``impute``; a mean is not needed.
    """
    pieces = list(importance_draws(vae, x, mask, context, k=k, generator=generator))
    z, weight = (torch.cat(parts) for parts in zip(*pieces, strict=True))
    chosen = torch.multinomial(weight.softmax(0).T, n, replacement=True, generator=generator).T  # (n, batch)
    picked = z.gather(0, chosen.unsqueeze(-1).expand(-1, -1, z.shape[-1]))
    wide = repeat_context(context, n)
    drawn = vae.likelihood.sample(vae.decode(picked.flatten(0, 1), wide), generator, wide)
    return torch.where(mask, x, drawn.unflatten(0, (n, len(x))).to(x.dtype))
