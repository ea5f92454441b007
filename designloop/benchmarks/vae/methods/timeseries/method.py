"""Time series: the Nile's level exactly, simulated volatility beside a sampler, and the S&P 500 beside GARCH."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, mean_row, worst_row
from designloop.benchmarks.vae.methods.timeseries.coverage import coverage_rows
from designloop.benchmarks.vae.methods.timeseries.sp500 import forecast_rows, in_sample_rows, load_returns
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.model import VAE, Encoder
from designloop.vae.networks import MLPEncoder
from designloop.vae.simulators.volatility import Volatility, returns
from designloop.vae.timeseries.estimation import estimate
from designloop.vae.timeseries.kalman import kalman_filter, kalman_smoother, local_level
from designloop.vae.timeseries.levels import LevelDecoder, local_level_vae
from designloop.vae.timeseries.nile import NILE
from designloop.vae.timeseries.volatility import VolatilityDecoder, volatility_vae
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

TITLE = "Time Series Modeling and Forecasting"
FILE = "designloop/vae/timeseries/"
PAGE = "timeseries.md"

NOISE, WANDER, START = 15078.0, 1478.8, 1e6
"""Variances of the Nile's observations, of its level's steps and of its first level."""

KNOWN = {"all years": (-632.5378, None), "rows 21–40 and 61–80 missing": (-380.588, -379.9900)}
"""Log-likelihoods without the first year: at these variances, and at the maximum."""

MANY, SHORT, STEPS, RATE, BATCH = 1000, 50, 500, 1e-2, 128
"""Series and their days, and Adam's steps, rate and series a step, where two posteriors learn the same dynamics."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures the rows of time series."""
    rows = [*nile_rows(), *dynamics_rows(seeds[:2], say), *coverage_rows(seeds, say)]
    days = load_returns()
    rows += [*in_sample_rows(days, say), *forecast_rows(days, say)]
    return rows


def nile(gaps: bool) -> tuple[Tensor, Tensor]:
    """Makes the Nile's flows (1, years) and their mask."""
    y = torch.tensor(NILE, dtype=torch.float64).unsqueeze(0)
    mask = torch.ones_like(y, dtype=torch.bool)
    if gaps:
        mask[:, 20:40] = mask[:, 60:80] = False
    return y, mask


def without_first(total: Tensor, y: Tensor, noise: float) -> float:
    """Returns an evidence less the log-probability of the first flow."""
    first = torch.distributions.Normal(0.0, (START + noise) ** 0.5)
    return float(total.sum() - first.log_prob(y[0, 0]))


def nile_rows() -> Iterator[Row]:
    """Measures the exact path."""
    for name, (known, at_maximum) in KNOWN.items():
        y, mask = nile(gaps=at_maximum is not None)
        vae, model = local_level_vae(len(NILE), WANDER, NOISE, START), local_level(WANDER, NOISE, START)
        evidence = importance_evidence(vae, y, mask, k=1, generator=torch.Generator().manual_seed(0)).log_evidence
        value, decimals = without_first(evidence, y, NOISE), 4 if at_maximum is None else 3
        yield Row(
            measure=f"Nile, {name}: log-likelihood of the VAE of a local level, one draw",
            bar=f"{known} to its last digit".replace("-", "−"), value=value, seeds=1,
            holds=abs(value - known) <= 0.5 * 10**-decimals,
        )  # fmt: skip
        exact = kalman_filter(model, y, mask).log_likelihood.sum()
        mean, covariance = kalman_smoother(model, y, mask)
        posterior = vae.encode(y, mask)
        errors = [
            abs(float(evidence.sum() - exact)),
            float((posterior.mean - mean[..., 0]).abs().max() / NOISE**0.5),
            float((posterior.variance / covariance[..., 0, 0] - 1).abs().max()),
        ]
        measure = f"Nile, {name}: evidence, smoothed mean and variance − the Kalman smoother's, greatest, relative"
        yield worst_row(measure, errors, bar="< 1e-6", limit=1e-6)
        if at_maximum is not None:
            best = estimate(vae, y, mask, k=1)
            assert isinstance(vae.decoder, LevelDecoder)
            value = without_first(torch.tensor(best.log_likelihood), y, float(vae.decoder.log_noise.detach().exp()))
            yield Row(
                measure=f"Nile, {name}: at the maximum", bar=f"{at_maximum:.4f}, within 0.0005".replace("-", "−"),
                value=value, seeds=1, holds=abs(value - at_maximum) <= 5e-4,
            )  # fmt: skip


def dynamics_rows(seeds: Sequence[int], say: Say) -> Iterator[Row]:
    """Measures what a posterior without a chain in it unlearns."""
    truth = Volatility(persistence=0.95, wander=0.4)
    learned: dict[str, list[float]] = {"chain": [], "diagonal": []}
    for seed in seeds:
        say(f"  dynamics, seed {seed}")
        drawn = returns(truth, MANY, SHORT, np.random.default_rng(seed))
        x = torch.from_numpy(drawn.returns).float()
        for kind in learned:
            vae = _learn_dynamics(x, kind == "diagonal", seed)
            assert isinstance(vae.decoder, VolatilityDecoder)
            learned[kind].append(float(vae.decoder.prior.correlation.detach()))
    for kind, ceiling in (("chain", 0.95), ("diagonal", None)):
        yield mean_row(
            f"simulated SV, {MANY:,} series of {SHORT} days, φ = 0.95: φ learnt by the ELBO under a {kind} posterior",
            learned[kind], ceiling=ceiling,
        )  # fmt: skip


def _learn_dynamics(x: Tensor, diagonal: bool, seed: int) -> VAE:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = volatility_vae(SHORT, scale=float(x.std()), persistence=0.5, learned_mean=False)
        if diagonal:
            encoder: Encoder = MLPEncoder(SHORT, SHORT + 1, [64])
            vae = VAE(encoder, vae.decoder, vae.likelihood, vae.prior)
    batches = (Batch(x[torch.randint(len(x), (BATCH,), generator=generator)]) for _ in range(STEPS))
    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches, optimizer, generator=generator, schedule=cosine(STEPS))
    return vae
