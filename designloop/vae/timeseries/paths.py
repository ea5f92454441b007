"""What a fitted VAE of paths is asked: the same model over other steps, smoothed paths, and forecasts.

A forecast is missing data: the series goes on, nothing of what follows is observed, and ``sample_missing`` fills it in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import Evidence, importance_draws, summary
from designloop.vae.inference.imputation import sample_missing
from designloop.vae.inference.newton import NewtonEncoder
from designloop.vae.model import VAE
from designloop.vae.priors.autoregressive import NormalChain


def over(vae: VAE, steps: int) -> VAE:
    """The same VAE, its parameters shared, over paths of another number of steps.

    Encoder, decoder and likelihood have to take any number, as ``SeriesEncoder`` and ``NewtonEncoder`` do, and
    ``VolatilityDecoder`` and ``LevelDecoder``.

    Raises:
        VAEError: the prior is no chain.
    """
    prior = _chain_of(vae).over(steps)
    encoder = vae.encoder
    if isinstance(encoder, NewtonEncoder):
        encoder = encoder.with_prior(prior)
    return VAE(encoder, vae.decoder, vae.likelihood, prior)


def extend(vae: VAE, x: Tensor, steps: int, mask: Tensor | None = None) -> tuple[VAE, Tensor, Tensor]:
    """The same VAE over some steps more, and series and mask that go on that far with nothing observed.

    What is asked of the three is a forecast: ``smooth`` tells the path ahead, ``sample_missing`` draws the data.

    Args:
        x: (batch, steps so far), or (batch, steps · channels), all channels of the first step before the second's.
        mask: True where observed.
        steps: how far ahead.

    Raises:
        VAEError: ``steps`` is not positive, the prior is no chain, or x cannot be (``VAE.take_rows``).
    """
    if steps < 1:
        raise VAEError(f"steps is {steps}, expected at least one step ahead")
    x, mask, _ = vae.take_rows(x, mask)
    seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
    prior = _chain_of(vae)
    ahead = (0, steps * _columns(x, prior))
    longer = over(vae, prior.steps + steps)
    return longer, torch.nn.functional.pad(x, ahead), torch.nn.functional.pad(seen, ahead)


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Paths given all of a series."""

    mean: Tensor
    """(batch, steps) of z."""
    variance: Tensor
    """(batch, steps) of z."""
    evidence: Evidence
    """Of the series, with the effective draws that mean and variance are made of."""


@torch.no_grad()
def smooth(
    vae: VAE, x: Tensor, mask: Tensor | None = None, *, k: int, generator: torch.Generator | None = None
) -> Smoothed:
    """The mean and variance of the paths given their whole series, by k importance-weighted draws.

    Args:
        x: (batch, steps). mask: True where observed; a gap is a missing entry.

    Raises:
        VAEError: ``k`` is not positive, or x cannot be (``VAE.take_rows``).
    """
    pieces = list(importance_draws(vae, x, mask, k=k, generator=generator))
    z, weight = (torch.cat(parts) for parts in zip(*pieces, strict=True))
    share = weight.softmax(0).unsqueeze(-1)
    mean = (share * z).sum(0)
    return Smoothed(mean, (share * (z - mean).square()).sum(0), summary(weight))


@torch.no_grad()
def forecast(
    vae: VAE,
    x: Tensor,
    steps: int,
    mask: Tensor | None = None,
    *,
    n: int,
    k: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(n, batch, steps) draws of how the series go on; their quantiles are those of the forecast.

    Args:
        x: (batch, steps so far), or of all channels, as for ``extend``. mask: True where observed.
        steps: how far ahead.
        n: draws. k: draws of the posterior that they are chosen among, by weight.

    Raises:
        VAEError: ``steps`` or ``k`` is not positive, or x cannot be (``VAE.take_rows``).
    """
    longer, padded, observed = extend(vae, x, steps, mask)
    ahead = steps * _columns(padded, _chain_of(longer))
    return sample_missing(longer, padded, observed, n=n, k=k, generator=generator)[..., -ahead:]


def _chain_of(vae: VAE) -> NormalChain:
    """The prior, if it is a chain."""
    if not isinstance(vae.prior, NormalChain):
        raise VAEError(f"the prior is {type(vae.prior).__name__}, expected a chain: AutoregressiveNormal or RandomWalk")
    return vae.prior


def _columns(x: Tensor, prior: NormalChain) -> int:
    """How many columns of x (batch, columns) a step has: one a channel where x is as wide as the path, else one."""
    return prior.channels if x.shape[-1] == prior.latent else 1
