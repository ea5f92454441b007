"""What stochastic volatility is compared with, written apart from the library: a grid, a sampler, particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

NODES, REACH = 64, 4.5
"""Of the grid, and how many standard deviations of the log-volatility it reaches to either side."""


@dataclass(frozen=True, slots=True)
class OnGrid:
    """What the filter on a grid says of series."""

    log_likelihood: Array
    """(series,) nats."""
    mean: Array
    """(series, steps) E[h_t | returns up to t]"""


def filter_on_grid(returns: Array, level: Array, persistence: Array, wander: Array, nodes: int = NODES) -> OnGrid:
    """Filters series (series, steps) of normal returns of mean 0, each under numbers (series,) of its own.

    The log-volatility lives on a grid, where all sums are finite: exact but for the grid, whose error falls faster than
    any power of its width. Source: Kitagawa 1987; Langrock, MacDonald & Zucchini 2012.
    """
    spread = wander / np.sqrt(1 - persistence**2)
    away = spread[:, None] * np.linspace(-REACH, REACH, nodes)
    news = (away[:, None, :] - persistence[:, None, None] * away[:, :, None]) / wander[:, None, None]
    move = np.exp(-0.5 * news**2)
    move /= move.sum(-1, keepdims=True)
    h = level[:, None] + away
    share = np.exp(-0.5 * (away / spread[:, None]) ** 2)
    share /= share.sum(-1, keepdims=True)
    total, means = np.zeros(len(returns)), np.empty_like(returns)
    precision = np.exp(-h.clip(-300, 300))  # a proposal may go as far as no float does
    for step in range(returns.shape[1]):
        log_density = -0.5 * (returns[:, step, None] ** 2 * precision + h + np.log(2 * np.pi))
        peak = log_density.max(-1, keepdims=True)
        share = share * np.exp(log_density - peak)
        mass = np.maximum(share.sum(-1, keepdims=True), 1e-300)
        total += np.log(mass[:, 0]) + peak[:, 0]
        share /= mass
        means[:, step] = (share * h).sum(-1)
        share = (share[:, None, :] @ move)[:, 0]
    return OnGrid(total, means)


def log_prior(level: Array, persistence: Array, wander: Array) -> Array:
    """Returns (series,) the log prior density of (level, artanh persistence, log wander), that of R's stochvol.

    level ~ N(0, 100²), (persistence + 1)/2 ~ Beta(5, 1.5), wander² ~ χ²₁. Source: Kastner 2016, JSS 69.
    """
    of_level = stats.norm(0, 100).logpdf(level)
    of_persistence = stats.beta(5, 1.5).logpdf((persistence + 1) / 2) + np.log1p(-(persistence**2))
    of_wander = stats.chi2(1).logpdf(wander**2) + 2 * np.log(wander)
    return np.asarray(of_level + of_persistence + of_wander)


def sample_posterior(
    returns: Array, centre: Array, covariance: Array, rng: np.random.Generator, draws: int, burn_in: int
) -> tuple[Array, float]:
    """Draws (draws, series, 3) of (level, persistence, wander) from the posterior, and the share of moves accepted.

    Metropolis–Hastings on the grid's likelihood, all series side by side, with independent proposals of Student's t.

    Args:
        centre: (series, 3) of the proposals, as (level, artanh persistence, log wander).
        covariance: (series, 3, 3) of the proposals.
    """
    df, factor = 5.0, np.linalg.cholesky(1.3 * covariance)

    def standard_log_density(standard: Array) -> Array:
        return np.asarray(-(df + 3) / 2 * np.log1p((standard**2).sum(-1) / df))

    def natural(theta: Array) -> tuple[Array, Array, Array]:
        return theta[:, 0], np.tanh(theta[:, 1]), np.exp(theta[:, 2])

    def target(theta: Array) -> Array:
        numbers = natural(theta)
        return filter_on_grid(returns, *numbers).log_likelihood + log_prior(*numbers)

    standard = np.zeros_like(centre)
    theta, here = centre, target(centre) - standard_log_density(standard)
    kept, accepted = [], 0.0
    for number in range(burn_in + draws):
        standard = rng.standard_normal(centre.shape) / np.sqrt(rng.chisquare(df, len(centre)) / df)[:, None]
        proposal = centre + (factor @ standard[:, :, None])[:, :, 0]
        there = target(proposal) - standard_log_density(standard)
        moves = np.log(rng.random(len(centre))) < there - here
        theta, here = np.where(moves[:, None], proposal, theta), np.where(moves, there, here)
        if number >= burn_in:
            kept.append(np.stack(natural(theta), -1))
            accepted += moves.mean() / draws
    return np.stack(kept), accepted


def bootstrap_filter(
    returns: Array, level: float, persistence: float, wander: float, particles: int, rng: np.random.Generator
) -> Array:
    """Filters one series (steps,) of normal returns: (steps,) E[h_t | returns up to t]. Source: Gordon et al. 1993."""
    h = level + wander / np.sqrt(1 - persistence**2) * rng.standard_normal(particles)
    means = np.empty(len(returns))
    for step, value in enumerate(returns):
        log_weight = -0.5 * (value**2 * np.exp(-h) + h)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        means[step] = weight @ h
        marks = (np.arange(particles) + rng.random()) / particles
        h = h[np.searchsorted(weight.cumsum(), marks).clip(max=particles - 1)]
        h = level + persistence * (h - level) + wander * rng.standard_normal(particles)
    return means
