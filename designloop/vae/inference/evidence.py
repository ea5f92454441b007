"""The evidence log p(x) of a fitted VAE: by importance sampling from its encoder, and by annealing from its prior.

    p(x) = E_q [w],  w = p(x, z) / q(z | x),  z ~ q(z | x)                    importance sampling (IWAE)
    p(x) = E [Π_t p(x | z_t)^(β_{t+1} − β_t)],  z_t → z_{t+1} leaves p(z) p(x | z)^β_{t+1} alone      annealing (AIS)

The logarithm of the mean of k weights is a lower bound in expectation that rises with k. Whether it has arrived, the
effective sample size and the Pareto k of the weights tell; where the encoder misses a mode they cannot, which is what
annealing, that does not ask the encoder, is for.

Sources: Burda et al. 2016, "Importance weighted autoencoders"; Vehtari et al. 2024, "Pareto smoothed importance
sampling"; Neal 2001, "Annealed importance sampling"; Wu et al. 2017, "On the quantitative analysis of decoder-based
generative models".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.errors import VAEError
from designloop.vae.inference.pareto import pareto_k
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE
from designloop.vae.posteriors.base import standard_noise

Densities = Callable[[Tensor], tuple[Tensor, Tensor]]
"""z (chains, batch, latent) -> log p(z) and log p(x | z), (chains, batch) each."""

ROWS_AT_ONCE = 2**14
"""Rows that are decoded at a time, copies of a row for its draws included."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An estimate of the evidence of each row, and how far it is to be trusted."""

    log_evidence: Tensor
    """(batch,) nats."""
    effective_samples: Tensor
    """(batch,) (Σ w)² / Σ w², of as many draws: near 1, one draw decides."""
    pareto_k: Tensor
    """(batch,) shape of the weights' tail: above 0.7 the estimate has not settled, above 1 the weights have no mean."""


def importance_evidence(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int,
    generator: torch.Generator | None = None,
) -> Evidence:  # fmt: skip
    """The importance-weighted evidence of each row, with the diagnostics of its weights.

    Args:
        x: (batch, …). mask: True where an entry is observed. k: draws a row.

    Raises:
        CapabilityError: the prior has no ``log_prob``.
        VAEError: ``k`` is not positive, or x cannot be (``VAE.take_rows``).
    """
    return summary(log_weights(vae, x, mask, context, k=k, generator=generator))


@torch.no_grad()
def log_weights(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """(k, batch) log p(x, z) − log q(z | x) at k draws of z. Arguments as ``importance_evidence``."""
    drawn = importance_draws(vae, x, mask, context, k=k, generator=generator)
    return torch.cat([weight for _, weight in drawn])


@torch.no_grad()
def importance_draws(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int,
    generator: torch.Generator | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:  # fmt: skip
    """Draws from the posterior and their log weights, (some, batch, latent) and (some, batch), k in all.

    How they are cut into pieces changes nothing but memory. Arguments as ``importance_evidence``.
    """
    if k < 1:
        raise VAEError(f"k is {k}, expected at least one draw; 100 are a start")
    x, mask, context = vae.take_rows(x, mask, context)
    require(vae.prior, "log_prob")
    posterior = vae.encode(x, mask, context)
    like = posterior.mean.new_empty(len(x), posterior.noise_width)
    most = max(1, ROWS_AT_ONCE // max(1, len(x)))
    for first in range(0, k, most):
        noise = [standard_noise(like, generator) for _ in range(min(most, k - first))]  # as if drawn one by one
        z = posterior.at(torch.stack(noise))
        yield z, log_likelihood(vae, z, x, mask, context) + vae.prior.log_prob(z, context) - posterior.log_prob(z)


def log_likelihood(
    vae: VAE, z: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
) -> Tensor:
    """(draws, batch) log p(x | z) at z (draws, batch, latent); any decoder does, it sees one leading axis."""
    draws = len(z)
    wide = repeat_context(context, draws)
    params = vae.decode(z.flatten(0, 1), wide)
    mask = None if mask is None else repeat_rows(mask, draws)
    return vae.likelihood.log_prob(params, repeat_rows(x, draws), mask, wide).view(draws, -1)


def summary(log_weights: Tensor) -> Evidence:
    """The evidence and diagnostics of log weights (draws, batch)."""
    total = log_weights.logsumexp(0)
    effective = (2 * total - (2 * log_weights).logsumexp(0)).exp()
    return Evidence(total - math.log(len(log_weights)), effective, pareto_k(log_weights))


@torch.no_grad()
def annealed_evidence(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *,
    generator: torch.Generator, chains: int = 64, temperatures: int = 200, leaps: int = 8,
) -> Evidence:  # fmt: skip
    """The evidence of each row by annealed importance sampling from the prior, with no help from the encoder.

    Chains go from the prior to the posterior through p(z) p(x | z)^β by Hamiltonian Monte Carlo, all rows at once. The
    step size at each temperature and row is found by pilot chains whose draws are thrown away, so that the mean of the
    weights is p(x) without bias, whatever the number of temperatures.

    Args:
        x: (batch, …). mask: True where an entry is observed.
        chains: of each row, over which the weights are averaged.
        temperatures: steps of β; the variance of the log weights falls as one over them.
        leaps: leapfrog steps of a transition.

    Raises:
        CapabilityError: the prior has no ``log_prob``, or not at a gradient.
        VAEError: fewer than one chain, temperature or leap, or x cannot be (``VAE.take_rows``).
    """
    for name, value in (("chains", chains), ("temperatures", temperatures), ("leaps", leaps)):
        if value < 1:
            raise VAEError(f"{name} is {value}, expected at least 1; leave it at its default")
    x, mask, context = vae.take_rows(x, mask, context)
    require(vae.prior, "log_prob")

    def densities(z: Tensor) -> tuple[Tensor, Tensor]:
        z = vae.prior.settle(z, context)  # units that are set do not move, whatever momentum they have
        return vae.prior.log_prob(z, context), log_likelihood(vae, z, x, mask, context)

    def start(copies: int) -> Tensor:
        if context:
            return vae.prior.sample(copies, context, generator)
        return vae.prior.sample(copies * len(x), None, generator).view(copies, len(x), -1)

    # β dwells at both ends, where the densities change most (Wu et al. 2017, their sigmoid of half-width 4).
    ladder = torch.sigmoid(torch.linspace(-4, 4, temperatures + 1, dtype=torch.float64))
    beta = ((ladder - ladder[0]) / (ladder[-1] - ladder[0])).tolist()
    pilots = min(chains, 4)
    z = start(pilots)
    size = z.new_full((1, len(x), 1), 0.5)
    sizes = []
    for cold in beta[1:]:
        sizes.append(size)
        z, accepted = _transition(densities, z, cold, size, leaps, generator)
        size = (size * torch.where(accepted.mean(0) > 0.65, 1.1, 0.8).unsqueeze(-1)).clamp(1e-4, 5.0)
    z = start(chains)
    weight = z.new_zeros(chains, len(x))
    for warm, cold, size in zip(beta[:-1], beta[1:], sizes, strict=True):
        weight += (cold - warm) * densities(z)[1]
        z, _ = _transition(densities, z, cold, size, leaps, generator)
    return summary(weight)


def _transition(
    densities: Densities,
    z: Tensor,
    beta: float,
    size: Tensor,
    leaps: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """One step of Hamiltonian Monte Carlo that leaves p(z) p(x | z)^β alone, and its chance of acceptance.

    Args:
        z: (chains, batch, latent). size: (1, batch, 1) of a leap.
    """

    def slope(point: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            point = point.detach().requires_grad_()
            prior, likelihood = densities(point)
            value = prior + beta * likelihood
            (gradient,) = torch.autograd.grad(value.sum(), point)
        return value.detach(), gradient

    momentum = torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=generator)
    before, gradient = slope(z)
    energy = before - 0.5 * momentum.square().sum(-1)
    point = z
    for _ in range(leaps):
        momentum = momentum + 0.5 * size * gradient
        point = point + size * momentum
        value, gradient = slope(point)
        momentum = momentum + 0.5 * size * gradient
    change = value - 0.5 * momentum.square().sum(-1) - energy
    chance = torch.nan_to_num(change.clamp_max(0).exp(), nan=0.0)  # a leap out of the numbers is refused
    drawn = torch.rand(chance.shape, dtype=z.dtype, device=z.device, generator=generator)
    return torch.where((drawn < chance).unsqueeze(-1), point, z), chance


def repeat_context(context: Context | None, times: int) -> Context | None:
    """A context for as many copies of its rows, one behind the other."""
    return None if context is None else {name: repeat_rows(value, times) for name, value in context.items()}


def repeat_rows(rows: Tensor, times: int) -> Tensor:
    """(times · batch, …) as many copies of rows, one behind the other."""
    return rows.repeat(times, *[1] * (rows.ndim - 1))
