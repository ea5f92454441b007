"""A particle filter of stochastic volatility: what is known of today's volatility from the returns up to today.

    particles h_t ~ p(h_t | r_1 … r_{t−1}),   weights p(r_t | h_t),   h_{t+1} ~ p(h_{t+1} | h_t, r_t)

The weighted mean of the weights is an unbiased estimate of p(r_t | r_1 … r_{t−1}), and their product that of the
likelihood. Leverage is in the way ahead: today's return says which way tomorrow's volatility goes. Particles are drawn
anew (systematically) where fewer than half still count. Step t draws as many random numbers whatever the data are, and
after those of all steps before it, so that what comes later never changes what was filtered.

Sources: Gordon, Salmond & Smith 1993 (the bootstrap filter); Carpenter, Clifford & Fearnhead 1999 (systematic draws);
Pitt, Malik & Doucet 2014, "Simulated likelihood inference for stochastic volatility models using particle filters".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.model import VAE
from designloop.vae.timeseries.returns import Returns
from designloop.vae.timeseries.scores import ScoreTable
from designloop.vae.timeseries.volatility import VolatilityDecoder


@dataclass(frozen=True, slots=True)
class FilteredVolatility:
    """What is known as the series goes on; nothing here knows what came later."""

    log_likelihood: Tensor
    """(batch, steps) log p(r_t | returns before) in nats, 0 in a gap; the sum is the likelihood's estimate."""
    mean: Tensor
    """(batch, steps) E[h_t | returns up to t], of the log-volatility."""
    deviation: Tensor
    """(batch, steps) standard deviation of h_t given the returns up to t."""
    quantiles: Tensor
    """(batch, steps, levels) of r_t given the returns before it."""


@torch.no_grad()
def particle_filter(
    vae: VAE,
    x: Tensor,
    mask: Tensor | None = None,
    *,
    particles: int,
    generator: torch.Generator,
    levels: Sequence[float] = (),
) -> FilteredVolatility:
    """The filter of each series by particles of its own.

    Args:
        vae: a ``volatility_vae``; its encoder is not asked.
        x: (batch, steps) returns; the same series several times over gives as many independent estimates.
        mask: (batch, steps) True where observed; a gap is a missing entry.
        particles: of each series; 1,000 are a start, 10,000 tell the likelihood of 5,000 days to half a nat.
        levels: of the quantiles of the next return that are wanted, 0.01 say.

    Raises:
        VAEError: the VAE is no ``volatility_vae``, there are fewer than two particles, a level is not between 0 and 1,
            or x cannot be (``VAE.take_rows``).
    """
    decoder, likelihood = vae.decoder, vae.likelihood
    if not isinstance(decoder, VolatilityDecoder) or not isinstance(likelihood, Returns):
        raise VAEError(
            f"found a decoder {type(decoder).__name__} and a likelihood {type(likelihood).__name__}, expected those of "
            "volatility_vae; for linear-Gaussian models take kalman_filter"
        )
    if particles < 2:
        raise VAEError(f"particles is {particles}, expected at least 2; 1,000 are a start")
    if any(not 0 < level < 1 for level in levels):
        raise VAEError(f"levels is {tuple(levels)}, expected probabilities between 0 and 1")
    x, mask, _ = vae.take_rows(x, mask)
    seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
    forward = _Forward(decoder, likelihood, (len(x), particles), generator)
    z = forward.normal()
    log_share = z.new_full(z.shape, 0.0).log_softmax(-1)
    kept: list[tuple[Tensor, ...]] = []
    for now, observed in zip(x.unbind(1), seen.unbind(1), strict=True):
        h = decoder.log_volatility(z)
        quantiles = forward.quantiles(h, log_share, levels)
        here, observed = now.unsqueeze(-1), observed.unsqueeze(-1)
        weight = torch.where(observed, likelihood.log_prob_today(h, torch.where(observed, here, 0.0)), 0.0)
        joint = log_share + weight
        evidence = joint.logsumexp(-1, keepdim=True)
        log_share = joint - evidence
        share = log_share.exp()
        mean = (share * h).sum(-1, keepdim=True)
        deviation = (share * (h - mean).square()).sum(-1).sqrt()
        kept.append((evidence[..., 0], mean[..., 0], deviation, quantiles))
        z, log_share = forward.resample(z, log_share, share)
        z = forward.onwards(z, here, observed)
    return FilteredVolatility(*(torch.stack(part, 1) for part in zip(*kept, strict=True)))


class _Forward:
    """How particles (batch, particles) go on, with all numbers of the model at hand."""

    def __init__(
        self, decoder: VolatilityDecoder, likelihood: Returns, shape: tuple[int, int], generator: torch.Generator
    ) -> None:
        self.decoder, self.likelihood, self.shape, self.generator = decoder, likelihood, shape, generator
        self.like = decoder.level.detach()
        self.correlation = decoder.prior.correlation
        self.news = decoder.prior.raw.cosh().reciprocal()
        self.leverage = likelihood.leverage
        self.score = None if likelihood.log_df is None else ScoreTable(likelihood.log_df)
        self.even = torch.arange(shape[1], dtype=self.like.dtype, device=self.like.device)

    def normal(self) -> Tensor:
        """(batch, particles) standard normal numbers."""
        return torch.randn(self.shape, dtype=self.like.dtype, device=self.like.device, generator=self.generator)

    def quantiles(self, h: Tensor, log_share: Tensor, levels: Sequence[float]) -> Tensor:
        """(batch, levels) of the next return, of which each particle draws one."""
        if not levels:
            return h.new_empty(len(h), 0)
        u = self.normal()
        shocks = u if self.score is None else self.score.back(u)
        drawn, order = (self.likelihood.location + (h / 2).exp() * shocks).sort(-1)
        below = log_share.exp().gather(-1, order).cumsum(-1)
        wanted = torch.as_tensor(levels, dtype=h.dtype, device=h.device).expand(len(h), -1).contiguous()
        return drawn.gather(-1, torch.searchsorted(below, wanted).clamp_max(h.shape[1] - 1))

    def resample(self, z: Tensor, log_share: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Particles of equal weight where fewer than half still count; the others as they are."""
        particles = self.shape[1]
        first = torch.rand((len(z), 1), dtype=z.dtype, device=z.device, generator=self.generator)
        rows = (share.square().sum(-1) > 2 / particles).nonzero()[:, 0]
        if not len(rows):
            return z, log_share
        marks = (self.even + first[rows]) / particles
        chosen = torch.searchsorted(share[rows].cumsum(-1), marks).clamp_max(particles - 1)
        z, log_share = z.clone(), log_share.clone()
        z[rows] = z[rows].gather(-1, chosen)
        log_share[rows] = -self.like.new_tensor(particles).log()
        return z, log_share

    def onwards(self, z: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Tomorrow's particles, given today's returns where there are any."""
        noise = self.normal()
        if self.likelihood.raw_leverage is not None:
            e = self.likelihood.shocks(self.decoder.log_volatility(z), torch.where(observed, x, 0.0))
            u = e if self.score is None else self.score(e)
            told = self.leverage * u + (1 - self.leverage.square()).sqrt() * noise
            noise = torch.where(observed, told, noise)
        return self.correlation * z + self.news * noise
