"""Preconditioned Crank-Nicolson: a Markov chain of latents whose proposals leave N(0, I) as it is.

    z' = cos θ z + sin θ ε,    ε ~ N(0, I);    taken with probability min(1, L(z') / L(z))

Its stationary law is p(z) L(z) / Z, however many units z has, for the prior cancels out of the ratio: with L flat every
proposal is taken. Noise of level s, which a decoder may be told, turns a latent by the angle whose tangent is s.
Sources: Cotter et al. 2013, "MCMC methods for functions: modifying old algorithms to make them faster" (the chain);
Moss et al. 2025, "Return of the latent space cowboys" (the likelihood: that what z decodes to is better than the best).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

LogLikelihood = Callable[[Tensor], Tensor]
"""(chains, latent) -> (chains,) log L; -inf where it is 0."""


@dataclass(frozen=True)
class Step:
    """All chains after a step."""

    z: Tensor
    """(chains, latent)"""
    log_likelihood: Tensor
    """(chains,)"""
    taken: Tensor
    """(chains,) whether the proposal was taken."""


def turned(z: Tensor, level: Tensor, noise: Tensor) -> Tensor:
    """Latents under noise, brought back to the scale of N(0, I): turned by the angle whose tangent is the level.

    Args:
        z: (..., latent)
        level: (...,) of the noise.
        noise: (..., latent), standard normal.
    """
    wide = level.unsqueeze(-1)
    return (z + wide * noise) / (1 + wide.square()).sqrt()


def crank_nicolson(
    start: Tensor, log_likelihood: LogLikelihood, level: Tensor, generator: torch.Generator
) -> Iterator[Step]:
    """Chains that go on for as long as they are asked; the first step given is the start.

    Args:
        start: (chains, latent) where they begin.
        level: (chains,) of the noise that proposes.
    """
    z, known = start, log_likelihood(start)
    yield Step(z, known, torch.ones_like(known, dtype=torch.bool))
    while True:
        noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        proposed = turned(z, level, noise)
        theirs = log_likelihood(proposed)
        chance = torch.rand(known.shape, generator=generator, device=z.device, dtype=torch.float64)
        # Where both are impossible anything is as good; otherwise what is impossible is never taken.
        ratio = torch.where(theirs == known, torch.zeros_like(known), theirs - known)
        taken = chance.log() < ratio
        z, known = torch.where(taken.unsqueeze(-1), proposed, z), torch.where(taken, theirs, known)
        yield Step(z, known, taken)
