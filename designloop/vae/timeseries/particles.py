"""A particle filter of stochastic volatility: what is known of today's volatility from the returns up to today.

    particles h_t ~ p(h_t | r_1 … r_{t−1}),   weights p(r_t | h_t),   h_{t+1} ~ p(h_{t+1} | h_t, r_t)

The weighted mean of the weights is an unbiased estimate of p(r_t | r_1 … r_{t−1}), and their product that of the
likelihood. Leverage is in the way ahead: today's return says which way tomorrow's volatility goes. Particles are drawn
anew (systematically) where fewer than half still count. Step t draws as many random numbers whatever the data are, and
after those of all steps before it, so that what comes later never changes what was filtered.

Of several models, draws of one model's parameters say (``Estimate.draw``), the densities and quantiles are those of
their mixture: a forecast that knows how far the parameters are known. Their shares in it stay equal, whatever comes.

Sources: Gordon, Salmond & Smith 1993 (the bootstrap filter); Carpenter, Clifford & Fearnhead 1999 (systematic draws);
Pitt, Malik & Doucet 2014, "Simulated likelihood inference for stochastic volatility models using particle filters".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.model import VAE
from designloop.vae.timeseries.returns import Returns
from designloop.vae.timeseries.scores import ScoreTable
from designloop.vae.timeseries.volatility import VolatilityDecoder, parts_of


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
    vae: VAE | Sequence[VAE],
    x: Tensor,
    mask: Tensor | None = None,
    *,
    particles: int,
    generator: torch.Generator,
    levels: Sequence[float] = (),
) -> FilteredVolatility:
    """The filter of each series by particles of its own.

    Args:
        vae: a ``volatility_vae``, whose encoder is not asked; or several, for what their mixture says.
        x: (batch, steps) returns; the same series several times over gives as many independent estimates.
        mask: (batch, steps) True where observed; a gap is a missing entry.
        particles: of each series and VAE; 1,000 are a start, 10,000 tell the likelihood of 5,000 days to half a nat.
        levels: of the quantiles of the next return that are wanted, 0.01 say.

    Raises:
        VAEError: a VAE is no ``volatility_vae``, there is none, or they differ in kind; there are fewer than two
            particles, a level is not between 0 and 1, or x cannot be (``VAE.take_rows``).
    """
    vaes = [vae] if isinstance(vae, VAE) else list(vae)
    if not vaes:
        raise VAEError("found no VAE, expected at least one; give a volatility_vae, or draws of one")
    if particles < 2:
        raise VAEError(f"particles is {particles}, expected at least 2; 1,000 are a start")
    if any(not 0 < level < 1 for level in levels):
        raise VAEError(f"levels is {tuple(levels)}, expected probabilities between 0 and 1")
    x, mask, _ = vaes[0].take_rows(x, mask)
    seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
    cloud = _Cloud(*_stack([parts_of(each) for each in vaes]), (len(vaes), len(x), particles), generator)
    kept: list[tuple[Tensor, ...]] = []
    for now, observed in zip(x.unbind(1), seen.unbind(1), strict=True):
        here, observed = now.unsqueeze(-1), observed.unsqueeze(-1)
        quantiles = cloud.quantiles(levels) if levels else x.new_empty(len(x), 0)
        evidence, mean, variance = cloud.look(here, observed)
        middle = mean.mean(0)
        variance = (variance + (mean - middle).square()).mean(0)
        kept.append((evidence.logsumexp(0) - math.log(len(vaes)), middle, variance.sqrt(), quantiles))
        cloud.go_on(here, observed)
    return FilteredVolatility(*(torch.stack(part, 1) for part in zip(*kept, strict=True)))


def _stack(parts: Sequence[tuple[VolatilityDecoder, Returns]]) -> tuple[VolatilityDecoder, Returns]:
    """One decoder and likelihood whose parameters are (models, 1, 1), those of each, all of one kind."""
    whole = deepcopy(parts[0])
    named = [dict(nn.ModuleList(each).named_parameters()) for each in parts]
    for name, value in nn.ModuleList(whole).named_parameters():
        if any(name not in model or len(model) != len(named[0]) for model in named):
            raise VAEError("the VAEs differ in leverage, tails or skew, expected one kind; filter each kind by itself")
        value.data = torch.stack([model[name].detach().reshape(1, 1) for model in named])
    return whole


class _Cloud:
    """Particles (models, batch, particles) and their shares, with all numbers of the models at hand."""

    def __init__(
        self, decoder: VolatilityDecoder, likelihood: Returns, shape: tuple[int, int, int], generator: torch.Generator
    ) -> None:
        self.decoder, self.likelihood, self.shape, self.generator = decoder, likelihood, shape, generator
        self.like = decoder.level.detach()
        self.correlation = decoder.prior.correlation
        self.news = decoder.prior.raw.cosh().reciprocal()
        self.leverage = likelihood.leverage
        self.score = None if likelihood.log_df is None else ScoreTable(likelihood.log_df, likelihood.log_skew)
        self.even = torch.arange(shape[-1], dtype=self.like.dtype, device=self.like.device)
        self.z = self.normal()
        self.log_share = torch.zeros_like(self.z).log_softmax(-1)

    def normal(self) -> Tensor:
        """(models, batch, particles) standard normal numbers."""
        return torch.randn(self.shape, dtype=self.like.dtype, device=self.like.device, generator=self.generator)

    def quantiles(self, levels: Sequence[float]) -> Tensor:
        """(batch, levels) of the next return: those of a draw of each particle, and one step of Newton's from there.

        The step is on the mean of the particles' distribution functions, so that what is left of the draws' noise is
        its square.
        """
        u, h = self.normal(), self.decoder.log_volatility(self.z)
        shocks = u if self.score is None else self.score.back(u)
        share = self.log_share.exp() / len(h)
        drawn, order = (self.likelihood.location + (h / 2).exp() * shocks).transpose(0, 1).flatten(1).sort(-1)
        below = share.transpose(0, 1).flatten(1).gather(-1, order).cumsum(-1)
        wanted = torch.as_tensor(levels, dtype=drawn.dtype, device=drawn.device).expand(len(drawn), -1).contiguous()
        guesses = drawn.gather(-1, torch.searchsorted(below, wanted).clamp_max(drawn.shape[1] - 1))
        better = []
        for level, guess in zip(levels, guesses.unbind(1), strict=True):
            e = self.likelihood.shocks(h, guess.unsqueeze(-1))
            chance = (share * torch.special.ndtr(e if self.score is None else self.score(e))).sum((0, 2))
            density = (share * self.likelihood.log_prob_today(h, guess.unsqueeze(-1)).exp()).sum((0, 2))
            better.append(guess - (chance - level) / density)
        return torch.stack(better, 1)

    def look(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weighs the particles by today's returns x (batch, 1) where there are any.

        Returns:
            (models, batch) log density of the returns in nats, and mean and variance of today's log-volatility.
        """
        h = self.decoder.log_volatility(self.z)
        weight = torch.where(observed, self.likelihood.log_prob_today(h, torch.where(observed, x, 0.0)), 0.0)
        joint = self.log_share + weight
        evidence = joint.logsumexp(-1, keepdim=True)
        self.log_share = joint - evidence
        share = self.log_share.exp()
        mean = (share * h).sum(-1, keepdim=True)
        return evidence[..., 0], mean[..., 0], (share * (h - mean).square()).sum(-1)

    def go_on(self, x: Tensor, observed: Tensor) -> None:
        """Moves the particles to tomorrow, given today's returns where there are any."""
        self._resample()
        noise = self.normal()
        if self.likelihood.raw_leverage is not None:
            e = self.likelihood.shocks(self.decoder.log_volatility(self.z), torch.where(observed, x, 0.0))
            u = e if self.score is None else self.score(e)
            told = self.leverage * u + (1 - self.leverage.square()).sqrt() * noise
            noise = torch.where(observed, told, noise)
        self.z = self.correlation * self.z + self.news * noise

    def _resample(self) -> None:
        """Draws particles of equal shares where fewer than half still count; the others stay as they are."""
        particles = self.shape[-1]
        first = torch.rand((*self.shape[:2], 1), dtype=self.z.dtype, device=self.z.device, generator=self.generator)
        share = self.log_share.exp()
        rows = share.square().sum(-1) > 2 / particles  # (models, batch)
        if not bool(rows.any()):
            return
        marks = (self.even + first[rows]) / particles
        chosen = torch.searchsorted(share[rows].cumsum(-1), marks).clamp_max(particles - 1)
        z, log_share = self.z.clone(), self.log_share.clone()
        z[rows] = z[rows].gather(-1, chosen)
        log_share[rows] = -math.log(particles)
        self.z, self.log_share = z, log_share
