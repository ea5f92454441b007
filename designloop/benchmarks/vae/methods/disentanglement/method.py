"""Disentanglement: β-VAEs, total correlation, HSIC and scores against what is known, and cell lines under drugs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, worst_row
from designloop.benchmarks.vae.methods.disentanglement.cell_lines import cell_rows
from designloop.vae.disentanglement.beta import beta_curves, rate_and_error
from designloop.vae.disentanglement.hsic import centre_kernel, hsic_of, independence, kernel
from designloop.vae.disentanglement.scores import dci, dci_of, factor_vae_score, mig, sap
from designloop.vae.disentanglement.total_correlation import (
    DensityRatio,
    gaussian_total_correlation,
    stratified_log_weights,
    total_correlation_of,
    weighted_log_weights,
)
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.linear.linear_vae import untrained_vae
from designloop.vae.model import VAE
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

TITLE = "Learning Disentangled Representations"
FILE = "designloop/vae/disentanglement/"
PAGE = "disentanglement.md"

BETAS, SPREADS, VARIANCE, UNITS = (30.0, 12.0, 6.0, 3.0, 1.5, 0.75), (16.0, 4.0, 1.0, 0.25), 0.25, 3
"""Of the sweep, from the greatest: β, the data's eigenvalues, σ², units."""

STEPS, RATE, ROWS = 500, 0.1, 300
"""Adam's steps at each β, its rate before the cosine, rows, all in each step."""

SWEEPS = 3
"""Seeds that are swept."""

COMPONENTS, PART, DISCRIMINATOR_STEPS = 4000, 500, 1000
"""Rows of an aggregate posterior, of a batch, and steps of a discriminator."""

CORRELATED = ((1.0, 0.7, 0.3), (0.7, 1.0, 0.1), (0.3, 0.1, 1.0))
"""Covariance of the aggregate posterior whose total correlation is estimated."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures the rows of what is known in closed form, then those of the cell lines."""
    rows = [
        *_measure_sweep(seeds[:SWEEPS]),
        *_measure_total_correlation(seeds),
        *_measure_hsic(seeds),
        *_measure_scores(),
    ]
    say("disentanglement: closed forms done")
    return [*rows, *cell_rows(seeds, say)]


def plant_data(seed: int) -> Tensor:
    """Makes (rows, features) whose covariance (divisor n) has exactly the planted eigenvalues, in turned axes."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, len(SPREADS)))
    turned, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    axes, _ = np.linalg.qr(rng.standard_normal((len(SPREADS), len(SPREADS))))
    return torch.from_numpy(math.sqrt(ROWS) * turned * np.sqrt(SPREADS) @ axes.T)


def sweep_betas(x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Trains a linear β-VAE at one β after the other; returns KL (betas, units) and error (betas,)."""
    generator = torch.Generator().manual_seed(seed)
    start = untrained_vae(x.shape[1], UNITS, generator, dtype=x.dtype)
    likelihood = Gaussian(x.shape[1], VARIANCE, learned=False).to(x)
    vae = VAE(start.encoder, start.decoder, likelihood, start.prior)
    kl, error = [], []
    for beta in BETAS:
        optimizer = torch.optim.Adam(vae.parameters(), lr=RATE, betas=(0.9, 0.99))
        batches = itertools.repeat(Batch(x), STEPS)
        fit(vae, ELBO(beta), batches, optimizer, generator=generator, schedule=cosine(STEPS), clip=math.inf)
        rate, distortion = rate_and_error(vae, x, draws=100, generator=generator)
        kl.append(rate)
        error.append(distortion)
    return torch.stack(kl), torch.stack(error)


def _measure_sweep(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares trained β-VAEs with the curves."""
    kl_errors, errors, falls, rises = [], [], [], []
    for seed in seeds:
        x = plant_data(seed)
        curves = beta_curves(x.new_tensor(SPREADS), UNITS, VARIANCE, x.new_tensor(BETAS))
        kl, error = sweep_betas(x, seed)
        kl_errors.append(float(((kl - curves.kl).abs() / (0.02 * curves.kl).clamp_min(0.02)).max()))
        errors.append(float((error / curves.error - 1).abs().max()))
        falls.append(float(kl.sum(1).diff().min()))  # the βs go down, so KL rises and the error falls
        rises.append(float((-error.diff()).min()))
    model = f"linear β-VAE, β = {BETAS[-1]} to {BETAS[0]:.0f}"
    yield worst_row(
        f"{model}: KLᵢ − ½ ln(λᵢ/βσ²), greatest, in units of 2 % or 0.02 nats", kl_errors, bar="≤ 1", limit=1
    )
    yield worst_row(f"{model}: error − Σ min(λᵢ, βσ²), relative, greatest", errors, bar="≤ 0.02", limit=0.02)
    for what, steps in (("fall of the KL, nats", falls), ("rise of the error", rises)):
        least = min(steps)
        yield Row(
            measure=f"{model}: least {what}, from one β to the next",
            bar="> 0",
            value=least,
            seeds=len(steps),
            holds=least > 0,
        )


def _measure_total_correlation(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares estimators with the closed form of a normal."""
    covariance = torch.tensor(CORRELATED, dtype=torch.float64)
    exact = float(gaussian_total_correlation(covariance))
    scale = 0.4
    spread = torch.linalg.cholesky(covariance - scale**2 * torch.eye(3, dtype=torch.float64))
    errors: dict[str, list[float]] = {
        "full aggregate": [],
        "minibatch-stratified": [],
        "density ratio": [],
        "naive": [],
    }
    gaps = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        mean = torch.randn(COMPONENTS, 3, generator=generator, dtype=torch.float64) @ spread.T
        q = DiagonalNormal(mean, torch.full_like(mean, scale))
        z = q.rsample(generator)
        full = [total_correlation_of(part, q) for part in z.split(PART)]
        stratified, naive = [], []
        for rows in torch.arange(COMPONENTS).split(PART):
            batch_posterior = DiagonalNormal(q.mean[rows], q.scale[rows])
            stratified.append(total_correlation_of(z[rows], batch_posterior, stratified_log_weights(PART, COMPONENTS)))
            naive.append(total_correlation_of(z[rows], batch_posterior))
            for size in (COMPONENTS, PART):
                excess = total_correlation_of(z[rows], batch_posterior, weighted_log_weights(PART, size)) - naive[-1]
                gaps.append(float((excess - 2 * math.log(size)).abs().max()))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            ratio = DensityRatio(3, generator, rate=5e-3)
        normal = torch.linalg.cholesky(covariance).float()
        for step in range(DISCRIMINATOR_STEPS):
            for group in ratio.optimizer.param_groups:
                group["lr"] = 5e-3 * cosine(DISCRIMINATOR_STEPS)(step)
            ratio.learn(torch.randn(PART, 3, generator=generator) @ normal.T)
        with torch.no_grad():
            by_ratio = ratio.log_ratio(torch.randn(50_000, 3, generator=generator) @ normal.T)
        for name, estimates in (("full aggregate", torch.cat(full)), ("minibatch-stratified", torch.cat(stratified)),
                             ("density ratio", by_ratio), ("naive", torch.cat(naive))):  # fmt: skip
            errors[name].append(float(estimates.mean()) - exact)
    subject = f"total correlation of a normal, {exact:.3f} nats"
    for name in ("full aggregate", "minibatch-stratified", "density ratio"):
        values = errors[name]
        mean_off = abs(sum(values) / len(values))
        error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
        yield Row(
            measure=f"{subject}: {name}, error of the mean, absolute, nats",
            bar="< 0.05",
            value=mean_off,
            spread=error,
            seeds=len(values),
            holds=mean_off < 0.05,
            floor=sum(errors["naive"]) / len(values),
        )
    what = "minibatch-weighted − naive mixture − (d − 1) ln N, same batch, at M < N and M = N, greatest, nats"
    yield worst_row(what, gaps, bar="< 0.000001", limit=1e-6)


def _measure_hsic(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares HSIC with sums over tuples, its null with the null's mean, and counts how often its test is wrong."""
    differences, nulls, rejected, trials = [], [], 0, 0
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(10, 2, generator=generator, dtype=torch.float64)
        for y in (x[:, :1] ** 2, torch.arange(10) % 3):
            k, l = kernel(x).double(), kernel(y).double()  # noqa: E741 - the letters of the papers
            differences += [abs(float(hsic_of(x, y, way)) - _dense(k, l, way)) for way in (False, True)]
        for _ in range(20):
            x, y = torch.randn(2, 60, 1, generator=generator, dtype=torch.float64)
            test = independence(x, y, permutations=99, generator=generator)
            exact = float(centre_kernel(kernel(x)).trace() * centre_kernel(kernel(y)).trace()) / (60**2 * 59)
            nulls.append((float(test.null.mean()) - exact) / (float(test.null.std()) / math.sqrt(99)))
            rejected, trials = rejected + (test.p_value <= 0.05), trials + 1
    yield worst_row(
        "HSIC, biased and unbiased, of numbers and labels, − sum over tuples, greatest",
        differences,
        bar="< 0.000001",
        limit=1e-6,
    )
    spread = float(np.mean(np.square(nulls)))
    bound = 4 * math.sqrt(2 / trials)
    yield Row(
        measure="permutation null: (mean − its closed form)², in s.e.², mean",
        bar=f"1 ± {bound:.2g}",
        value=spread,
        seeds=trials,
        holds=abs(spread - 1) < bound,
    )
    rate, error = rejected / trials, math.sqrt(0.05 * 0.95 / trials)
    yield Row(
        measure="independent pairs rejected at 5 %",
        bar="0.05 within 3 s.e.",
        value=rate,
        spread=error,
        seeds=trials,
        holds=abs(rate - 0.05) <= 3 * error,
    )


def _dense(k: Tensor, l: Tensor, unbiased: bool) -> float:  # noqa: E741
    """Takes HSIC's three expectations by loops over all tuples of indices, or over those of distinct ones."""

    def mean(size: int, value: object) -> float:
        tuples = (
            itertools.permutations(range(len(k)), size) if unbiased else itertools.product(range(len(k)), repeat=size)
        )
        return float(np.mean([value(*indices) for indices in tuples]))  # type: ignore[operator]

    a, b = k.numpy(), l.numpy()
    return (
        mean(2, lambda i, j: a[i, j] * b[i, j])
        + mean(4, lambda i, j, q, r: a[i, j] * b[q, r])
        - 2 * mean(3, lambda i, j, q: a[i, j] * b[i, q])
    )


def _measure_scores() -> Iterator[Row]:
    """Measures scores of codes and importances that are known."""
    two_of_ten = 1 - math.log(2) / math.log(10)
    dead = dci_of(np.vstack([np.eye(3), np.zeros((2, 3))])).disentanglement
    cases = (
        dci_of(np.eye(10)).disentanglement - 1,
        dci_of(np.repeat(np.eye(5), 2, axis=1)).disentanglement - two_of_ten,
        dead - 1,
        dci_of(np.zeros((5, 5))).disentanglement,
    )
    yield worst_row(
        "DCI of given importances (identity, two of ten, a dead code, none) − exact, greatest",
        [abs(difference) for difference in cases],
        bar="< 0.000001",
        limit=1e-6,
    )
    rng = np.random.default_rng(0)
    factors = rng.uniform(-1, 1, (2000, 5))
    zeros, twice = np.zeros_like(factors), np.repeat(factors, 2, axis=1)
    scores = {
        "DCI": (dci(factors, factors).disentanglement, 0.95),
        "MIG": (mig(factors, factors), 0.9),
        "SAP": (sap(factors, factors), 0.9),
        "FactorVAE": (factor_vae_score(factors, factors, rng), 0.95),
    }
    for name, (value, least) in scores.items():
        yield Row(
            measure=f"{name} of codes that are the factors",
            bar=f"≥ {least}",
            value=value,
            seeds=1,
            holds=value >= least,
        )
    none = [dci(zeros, factors).disentanglement, mig(zeros, factors), sap(zeros, factors),
            factor_vae_score(zeros, factors, rng)]  # fmt: skip
    yield worst_row("all four of codes that are zero, greatest", none, bar="≤ 0.2", limit=0.2)
    yield worst_row("MIG of codes that are there twice", [mig(twice, factors)], bar="≤ 0.1", limit=0.1)
