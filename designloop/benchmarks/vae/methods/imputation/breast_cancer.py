"""Breast cancer with half of its entries missing, beside a joint Gaussian by EM: the bench of MIWAE's notebook."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.methods.imputation.gaussian_em import gaussian_em
from designloop.vae.inference.imputation import impute
from designloop.vae.linear.linear_vae import exact_vae, linear_gaussian_of, untrained_vae
from designloop.vae.simulators.missing import mcar
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

MASKS = (1234, *range(1, 10))
"""Seeds of the masks; the first is that of the notebook, whose generator is another."""

SHARE, LATENT, STEPS, RATE, DRAWS = 0.5, 16, 200, 0.05, 500

ITERATIONS = (20, 200)
"""Of EM: stopped early, which spares it some of its overfitting, and at its end."""


def breast_cancer_rows() -> Iterator[Row]:
    """Compares mean square errors of what is missing over ten masks."""
    results = [measure(seed) for seed in MASKS]
    by_name = {name: [of_seed[name] for of_seed in results] for name in results[0]}
    own, stopped, ended = (by_name[name] for name in ("VAE", "stopped", "ended"))
    what = "breast_cancer, standardised, 50 % MCAR: MSE of what is missing"
    floor = fmean(by_name["mean"])
    yield mean_row(f"{what}, linear VAE of full covariance, {LATENT} units", own, floor=floor)
    yield mean_row(f"{what}, joint Gaussian by EM, {ITERATIONS[1]} iterations", ended, floor=floor)
    yield mean_row(f"{what}, joint Gaussian by EM, stopped at {ITERATIONS[0]}", stopped, floor=floor)
    for name, peer in (("at its end", ended), (f"stopped at {ITERATIONS[0]}", stopped)):
        ratio = fmean(own) / fmean(peer)
        yield Row(
            measure=f"{what}: that of the linear VAE over that of EM {name}",
            bar="≤ 1.05",
            value=ratio,
            seeds=len(own),
            holds=ratio <= 1.05,
        )


def measure(seed: int) -> dict[str, float]:
    """Fills in one mask's entries by each: mean square errors by name."""
    data = load_breast_cancer().data
    x = (data - data.mean(0)) / data.std(0)
    mask = mcar(x.shape, np.random.default_rng(seed), SHARE)

    def error(filled: np.ndarray) -> float:
        return float(((filled - x)[~mask] ** 2).mean())

    generator = torch.Generator().manual_seed(seed)
    rows, observed = torch.from_numpy(np.where(mask, x, np.nan)), torch.from_numpy(mask)
    start = untrained_vae(x.shape[1], LATENT, generator, per_feature=True, dtype=torch.float64)
    vae = exact_vae(linear_gaussian_of(start))
    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), [Batch(rows, observed)] * STEPS, optimizer, generator=generator, schedule=cosine(STEPS))
    filled = impute(vae, rows, observed, k=DRAWS, generator=generator).mean.numpy()
    errors = {"VAE": error(filled), "mean": error(_observed_means(x, mask))}
    for name, iterations in zip(("stopped", "ended"), ITERATIONS, strict=True):
        errors[name] = error(gaussian_em(x, mask, iterations).fill_in(x, mask)[0])
    return errors


def _observed_means(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask, x, np.where(mask, x, 0.0).sum(0) / mask.sum(0))
