"""How heavy the tail of importance weights is: the shape of a generalised Pareto distribution fitted to the largest.

Sources: Zhang & Stephens 2009, "A new and efficient estimation method for the generalized Pareto distribution"; Vehtari
et al. 2024, "Pareto smoothed importance sampling", section 2 and appendix C.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FEWEST = 5
"""Weights of a tail below which there is no telling."""


def pareto_k(log_weights: Tensor) -> Tensor:
    """(batch,) shape k of the weights' tail, as of 1 / k moments that they have.

    Below 0.5 the variance of the weights is finite, above 0.7 their mean converges too slowly to be of use, above 1
    there is none. −∞ where all weights of the tail are the same (draws from the exact posterior), NaN for fewer than 25
    draws.

    Args:
        log_weights: (draws, batch) up to a constant a row.
    """
    draws = len(log_weights)
    tail = min(math.ceil(0.2 * draws), math.ceil(3 * math.sqrt(draws)))
    if tail < FEWEST or draws < 5 * FEWEST:
        return torch.full_like(log_weights[0], torch.nan)
    largest = log_weights.topk(tail + 1, 0).values.flip(0)
    weights = (largest - largest[-1]).exp()
    above = weights[1:] - weights[0]
    same = above[-1] <= 1e3 * torch.finfo(above.dtype).eps
    safe = torch.where(same, torch.linspace(0, 1, tail + 1).to(above)[1:].unsqueeze(-1), above)
    # Weights that tie with the threshold are moved off it a little, so that nothing is divided by 0.
    shape = generalised_pareto_shape(safe.clamp_min(torch.finfo(above.dtype).tiny ** 0.5))
    # The prior of PSIS: ten observations of k = 0.5.
    return torch.where(same, -torch.inf, (tail * shape + 10 * 0.5) / (tail + 10))


def generalised_pareto_shape(excess: Tensor) -> Tensor:
    """(batch,) k of generalised Pareto distributions, by Zhang and Stephens' posterior mean over a grid.

    Args:
        excess: (n, batch) positive, what the values exceed the threshold by, ascending.
    """
    n, most = len(excess), 30 + int(math.sqrt(len(excess)))
    quarter = excess[int(n / 4 + 0.5) - 1]
    steps = torch.arange(1, most + 1, dtype=excess.dtype, device=excess.device)
    theta = 1 / excess[-1] + (1 - (most / (steps - 0.5)).sqrt()).unsqueeze(-1) / (3 * quarter)  # (grid, batch)
    k = torch.log1p(-theta.unsqueeze(1) * excess).mean(1)
    log_likelihood = n * ((-theta / k).log() - k - 1)
    best = (log_likelihood.softmax(0) * theta).sum(0)
    return torch.log1p(-best * excess).mean(0)
