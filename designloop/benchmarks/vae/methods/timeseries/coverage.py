"""Intervals of stochastic volatility's numbers on simulated series, beside a sampler's; filtered paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.methods.timeseries.reference import bootstrap_filter, filter_on_grid, sample_posterior
from designloop.vae.errors import VAEError
from designloop.vae.simulators.volatility import Volatility, returns
from designloop.vae.timeseries.estimation import estimate
from designloop.vae.timeseries.particles import particle_filter
from designloop.vae.timeseries.volatility import volatility_vae

Array = NDArray[np.float64]

TRUTH = Volatility(level=-0.5, persistence=0.97, wander=0.2)

NAMES = ("level", "persistence", "wander")

RAW = ("level", "raw", "log_wander")
"""The same as the VAE has them."""

SERIES, STEPS = 10, 1000
"""Of each seed, and their days."""

START_PERSISTENCE, START_WANDER, START_LEVEL = 0.8, 0.5, 1.0
"""Where the search begins: the last is added to the log of the returns' variance."""

PAIRS = 10
"""Pairs of draws a path."""

OURS, THEIRS = 2000, 10_000
"""Particles of our filter, and of the bootstrap filter."""

DRAWS, BURN_IN = 250, 30
"""Of the sampler, a series."""


@dataclass(frozen=True, slots=True)
class Study:
    """One series and what was made of it."""

    theta: Array
    """(3,) as the VAE has them: level, artanh persistence, log wander."""
    covariance: Array
    """(3, 3) of these."""
    intervals: Array
    """(3, 2) 95 % intervals of level, persistence and wander."""
    filtered: Array
    """(steps,) our filtered log-volatility."""
    bootstrap: Array
    """(steps,) that of the bootstrap filter at the same numbers."""
    evaluations: int


def study(series: Array, seed: int) -> Study | None:
    """Finds one series' maximum and its curvature from a start away from the truth; None where none was found."""
    x = torch.from_numpy(series).unsqueeze(0)
    scale = float(np.exp(START_LEVEL / 2) * series.std())
    vae = volatility_vae(
        len(series), scale=scale, persistence=START_PERSISTENCE, wander=START_WANDER, learned_mean=False
    ).double()
    try:
        best = estimate(vae, x, k=PAIRS, seed=seed)
    except VAEError:
        return None
    order = [next(place for place, name in enumerate(best.names) if name.endswith(f".{raw}")) for raw in RAW]
    ends = np.array([best.interval(raw) for raw in RAW])
    ends[1], ends[2] = np.tanh(ends[1]), np.exp(ends[2])
    theta = best.values[order]
    filtered = particle_filter(vae, x, particles=OURS, generator=torch.Generator().manual_seed(seed)).mean[0].numpy()
    numbers = float(theta[0]), float(np.tanh(theta[1])), float(np.exp(theta[2]))
    other = bootstrap_filter(series, *numbers, THEIRS, np.random.default_rng(seed))
    return Study(theta, best.covariance[np.ix_(order, order)], ends, filtered, other, best.evaluations)


def coverage_rows(seeds: Sequence[int], say: Say) -> Iterator[Row]:
    """Measures how often intervals hold the truth, how wide they are, and how well the volatility is filtered."""
    everything = [study_seed(seed, say) for seed in seeds]
    yield from rows_of(everything)


@dataclass(frozen=True, slots=True)
class Seed:
    """The series of a seed, and what was made of them."""

    series: Array
    """(series, steps) returns."""
    truth: Array
    """(series, steps) log-volatilities."""
    studies: list[Study | None]
    posterior: Array
    """(draws, found, 3) level, persistence and wander, of the series whose maximum was found."""
    accepted: float
    """Share of the sampler's moves."""


def study_seed(seed: int, say: Say) -> Seed:
    """Draws a seed's series, finds their maxima, and samples beside."""
    say(f"  intervals, seed {seed}")
    drawn = returns(TRUTH, SERIES, STEPS, np.random.default_rng([19, seed]))
    studies = [study(series, seed) for series in drawn.returns]
    return Seed(drawn.returns, drawn.log_volatility, studies, *sample_beside(studies, drawn.returns, seed))


def sample_beside(studies: Sequence[Study | None], series: Array, seed: int) -> tuple[Array, float]:
    """Draws from the posteriors of series (series, steps) whose maximum was found, by proposals about it."""
    found = np.array([each is not None for each in studies])
    done = [each for each in studies if each is not None]
    theta, covariance = np.stack([each.theta for each in done]), np.stack([each.covariance for each in done])
    return sample_posterior(series[found], theta, covariance, np.random.default_rng([20, seed]), DRAWS, BURN_IN)


def rows_of(everything: Sequence[Seed]) -> Iterator[Row]:
    """Makes the rows of all seeds' series."""
    studies = [each for of_seed in everything for each in of_seed.studies]
    done = [each for each in studies if each is not None]
    found = np.array([each is not None for each in studies])
    series, truth = (
        np.concatenate([getattr(of_seed, name) for of_seed in everything])[found] for name in ("series", "truth")
    )
    posterior = np.concatenate([of_seed.posterior for of_seed in everything], 1)
    ends = np.stack([each.intervals for each in done])  # (series, 3, 2)
    theirs = np.quantile(posterior, [0.025, 0.975], axis=0)  # (2, series, 3)
    needed = int(np.ceil(0.84 * len(studies)))
    for place, name in enumerate(NAMES):
        true = getattr(TRUTH, name)
        held = int(((ends[:, place, 0] <= true) & (true <= ends[:, place, 1])).sum())
        held_there = int(((theirs[0, :, place] <= true) & (true <= theirs[1, :, place])).sum())
        yield Row(
            measure=f"simulated SV: 95 % intervals that hold the {name}, of {len(studies)} (ceiling: the sampler's)",
            bar=f"≥ {needed}", value=held, seeds=len(studies), holds=held >= needed, ceiling=held_there,
        )  # fmt: skip
        own, other = ends[:, place, 1] - ends[:, place, 0], theirs[1, :, place] - theirs[0, :, place]
        ratio = float(own.mean() / other.mean())
        yield Row(
            measure=f"simulated SV: mean width of the {name}'s intervals over that of the sampler's", bar="≤ 1.3",
            value=ratio, seeds=len(done), holds=ratio <= 1.3,
        )  # fmt: skip
    accepted = [of_seed.accepted for of_seed in everything]
    yield mean_row("simulated SV: share of the sampler's moves accepted", accepted)
    yield mean_row("simulated SV: evaluations of the likelihood a series", [float(each.evaluations) for each in done])
    yield from _filter_rows(done, series, truth)


def _filter_rows(done: Sequence[Study], series: Array, truth: Array) -> Iterator[Row]:
    def correlations(paths: Sequence[Array]) -> list[float]:
        return [float(np.corrcoef(path, true)[0, 1]) for path, true in zip(paths, truth, strict=True)]

    ours, theirs = correlations([each.filtered for each in done]), correlations([each.bootstrap for each in done])
    theta = np.stack([each.theta for each in done])
    grid = filter_on_grid(series, theta[:, 0], np.tanh(theta[:, 1]), np.exp(theta[:, 2]), nodes=100)
    alone = [np.log(np.convolve(each**2, 0.94 ** np.arange(75))[: len(each)] + 1e-12) for each in series]
    ceiling, floor = float(np.mean(correlations(list(grid.mean)))), float(np.mean(correlations(alone)))
    yield mean_row(
        "simulated SV: correlation of the filtered with the true log-volatility (ceiling: on a grid; "
        "floor: squares that fade by 0.94 a day)",
        ours, ceiling=ceiling, floor=floor,
    )  # fmt: skip
    gains = [own - other for own, other in zip(ours, theirs, strict=True)]
    mean = float(np.mean(gains))
    measure = f"simulated SV: that less that of a bootstrap filter of {THEIRS:,} particles at the same numbers"
    yield mean_row(measure, gains, bar="≥ −0.02", holds=mean >= -0.02)
