"""Disentanglement: β-VAEs, total correlation, HSIC and scores against what is known, and cell lines under drugs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row
from designloop.benchmarks.vae_methods._cell_lines import cell_rows
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
    """The rows of what is known in closed form, then those of the cell lines."""
    rows = [*_sweep(seeds[:SWEEPS]), *_total_correlation(seeds), *_hsic(seeds), *_scores()]
    say("disentanglement: closed forms done")
    return [*rows, *cell_rows(seeds, say)]


def planted(seed: int) -> Tensor:
    """(rows, features) float64 whose covariance, divisor n, has the planted eigenvalues exactly, in turned axes."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, len(SPREADS)))
    turned, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    axes, _ = np.linalg.qr(rng.standard_normal((len(SPREADS), len(SPREADS))))
    return torch.from_numpy(math.sqrt(ROWS) * turned * np.sqrt(SPREADS) @ axes.T)


def sweep(x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """KL (betas, units) and error (betas,) of a linear β-VAE trained at one β after the other."""
    generator = torch.Generator().manual_seed(seed)
    start = untrained_vae(x.shape[1], UNITS, generator, dtype=x.dtype)
    likelihood = Gaussian(x.shape[1], VARIANCE, learned=False).to(x)
    vae = VAE(start.encoder, start.decoder, likelihood, start.prior)
    kl, error = [], []
    for beta in BETAS:
        optimizer = torch.optim.Adam(vae.parameters(), lr=RATE, betas=(0.9, 0.99))
        batches = itertools.repeat(Batch(x), STEPS)
        fit(vae, ELBO(beta), batches, optimizer, generator=generator, schedule=cosine(STEPS), clip=math.inf)
        rate, off = rate_and_error(vae, x, draws=100, generator=generator)
        kl.append(rate)
        error.append(off)
    return torch.stack(kl), torch.stack(error)


def _sweep(seeds: Sequence[int]) -> Iterator[Row]:
    """Trained β-VAEs beside the curves."""
    off, errors, falls, rises = [], [], [], []
    for seed in seeds:
        x = planted(seed)
        curves = beta_curves(x.new_tensor(SPREADS), UNITS, VARIANCE, x.new_tensor(BETAS))
        kl, error = sweep(x, seed)
        off.append(float(((kl - curves.kl).abs() / (0.02 * curves.kl).clamp_min(0.02)).max()))
        errors.append(float((error / curves.error - 1).abs().max()))
        falls.append(float(kl.sum(1).diff().min()))  # the βs go down, so KL rises and the error falls
        rises.append(float((-error.diff()).min()))
    of = f"linear β-VAE, β = {BETAS[-1]} to {BETAS[0]:.0f}"
    yield _at_most(f"{of}: KLᵢ − ½ ln(λᵢ/βσ²), greatest, in units of 2 % or 0.02 nats", "≤ 1", off, 1)
    yield _at_most(f"{of}: error − Σ min(λᵢ, βσ²), relative, greatest", "≤ 0.02", errors, 0.02)
    for what, steps in (("fall of the KL, nats", falls), ("rise of the error", rises)):
        least = min(steps)
        yield Row(f"{of}: least {what}, from one β to the next", "> 0", least, None, len(steps), least > 0)


def _total_correlation(seeds: Sequence[int]) -> Iterator[Row]:
    """Estimators beside the closed form of a normal."""
    covariance = torch.tensor(CORRELATED, dtype=torch.float64)
    wanted = float(gaussian_total_correlation(covariance))
    scale = 0.4
    spread = torch.linalg.cholesky(covariance - scale**2 * torch.eye(3, dtype=torch.float64))
    found: dict[str, list[float]] = {"full aggregate": [], "minibatch-stratified": [], "density ratio": [], "naive": []}
    apart = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        mean = torch.randn(COMPONENTS, 3, generator=generator, dtype=torch.float64) @ spread.T
        q = DiagonalNormal(mean, torch.full_like(mean, scale))
        z = q.rsample(generator)
        full = [total_correlation_of(part, q) for part in z.split(PART)]
        some, naive = [], []
        for rows in torch.arange(COMPONENTS).split(PART):
            own = DiagonalNormal(q.mean[rows], q.scale[rows])
            some.append(total_correlation_of(z[rows], own, stratified_log_weights(PART, COMPONENTS)))
            naive.append(total_correlation_of(z[rows], own))
            for size in (COMPONENTS, PART):
                over = total_correlation_of(z[rows], own, weighted_log_weights(PART, size)) - naive[-1]
                apart.append(float((over - 2 * math.log(size)).abs().max()))
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
        for name, each in (("full aggregate", torch.cat(full)), ("minibatch-stratified", torch.cat(some)),
                             ("density ratio", by_ratio), ("naive", torch.cat(naive))):  # fmt: skip
            found[name].append(float(each.mean()) - wanted)
    of = f"total correlation of a normal, {wanted:.3f} nats"
    for name in ("full aggregate", "minibatch-stratified", "density ratio"):
        values = found[name]
        mean_off = abs(sum(values) / len(values))
        error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
        yield Row(f"{of}: {name}, error of the mean, absolute, nats", "< 0.05", mean_off, error, len(values),
                  mean_off < 0.05, floor=sum(found["naive"]) / len(values))  # fmt: skip
    what = "minibatch-weighted − naive mixture − (d − 1) ln N, same batch, at M < N and M = N, greatest, nats"
    yield _at_most(what, "< 0.000001", apart, 1e-6)


def _hsic(seeds: Sequence[int]) -> Iterator[Row]:
    """HSIC beside sums over tuples, its null beside the null's mean, and how often it is wrong."""
    off, nulls, wrong, trials = [], [], 0, 0
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(10, 2, generator=generator, dtype=torch.float64)
        for y in (x[:, :1] ** 2, torch.arange(10) % 3):
            k, l = kernel(x).double(), kernel(y).double()  # noqa: E741 - the letters of the papers
            off += [abs(float(hsic_of(x, y, way)) - _dense(k, l, way)) for way in (False, True)]
        for _ in range(20):
            x, y = torch.randn(2, 60, 1, generator=generator, dtype=torch.float64)
            test = independence(x, y, permutations=99, generator=generator)
            exact = float(centre_kernel(kernel(x)).trace() * centre_kernel(kernel(y)).trace()) / (60**2 * 59)
            nulls.append((float(test.null.mean()) - exact) / (float(test.null.std()) / math.sqrt(99)))
            wrong, trials = wrong + (test.p_value <= 0.05), trials + 1
    yield _at_most("HSIC, biased and unbiased, of numbers and labels, − sum over tuples, greatest", "< 0.000001", off,
                   1e-6)  # fmt: skip
    spread = float(np.mean(np.square(nulls)))
    bound = 4 * math.sqrt(2 / trials)
    yield Row("permutation null: (mean − its closed form)², in s.e.², mean", f"1 ± {bound:.2g}", spread, None, trials,
              abs(spread - 1) < bound)  # fmt: skip
    rate, error = wrong / trials, math.sqrt(0.05 * 0.95 / trials)
    yield Row("independent pairs rejected at 5 %", "0.05 within 3 s.e.", rate, error, trials,
              abs(rate - 0.05) <= 3 * error)  # fmt: skip


def _dense(k: Tensor, l: Tensor, unbiased: bool) -> float:  # noqa: E741
    """HSIC's three expectations by loops over all tuples of indices, or over those of distinct ones."""

    def mean(size: int, value: object) -> float:
        tuples = (
            itertools.permutations(range(len(k)), size) if unbiased else itertools.product(range(len(k)), repeat=size)
        )
        return float(np.mean([value(*one) for one in tuples]))  # type: ignore[operator]

    a, b = k.numpy(), l.numpy()
    return (
        mean(2, lambda i, j: a[i, j] * b[i, j])
        + mean(4, lambda i, j, q, r: a[i, j] * b[q, r])
        - 2 * mean(3, lambda i, j, q: a[i, j] * b[i, q])
    )


def _scores() -> Iterator[Row]:
    """Scores of codes and importances that are known."""
    two_of_ten = 1 - math.log(2) / math.log(10)
    dead = dci_of(np.vstack([np.eye(3), np.zeros((2, 3))])).disentanglement
    cases = (
        dci_of(np.eye(10)).disentanglement - 1,
        dci_of(np.repeat(np.eye(5), 2, axis=1)).disentanglement - two_of_ten,
        dead - 1,
        dci_of(np.zeros((5, 5))).disentanglement,
    )
    yield _at_most("DCI of given importances (identity, two of ten, a dead code, none) − exact, greatest",
                   "< 0.000001", [abs(one) for one in cases], 1e-6)  # fmt: skip
    rng = np.random.default_rng(0)
    factors = rng.uniform(-1, 1, (2000, 5))
    zeros, twice = np.zeros_like(factors), np.repeat(factors, 2, axis=1)
    own = {
        "DCI": (dci(factors, factors).disentanglement, 0.95),
        "MIG": (mig(factors, factors), 0.9),
        "SAP": (sap(factors, factors), 0.9),
        "FactorVAE": (factor_vae_score(factors, factors, rng), 0.95),
    }
    for name, (value, least) in own.items():
        yield Row(f"{name} of codes that are the factors", f"≥ {least}", value, None, 1, value >= least)
    none = [dci(zeros, factors).disentanglement, mig(zeros, factors), sap(zeros, factors),
            factor_vae_score(zeros, factors, rng)]  # fmt: skip
    yield _at_most("all four of codes that are zero, greatest", "≤ 0.2", none, 0.2)
    yield _at_most("MIG of codes that are there twice", "≤ 0.1", [mig(twice, factors)], 0.1)


def _at_most(measure: str, bar: str, values: Sequence[float], most: float) -> Row:
    """The row of a bar that every value has to keep."""
    worst = float(max(values))
    return Row(measure, bar, worst, None, len(values), worst < most or (bar[0] == "≤" and worst == most))
