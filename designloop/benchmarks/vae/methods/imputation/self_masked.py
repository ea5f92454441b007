"""Self-masked tables: large entries hide themselves, so that a model of the observed ones alone is biased."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from designloop.benchmarks.common.rows import Row, mean_row
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.self_masking import SelfMasking
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MLPDecoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.missing import Array, Mask, self_masked, surface
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

ROWS, FEATURES, HIDING, LATENT, HIDDEN = 2000, 6, 5, 2, 32
"""Of the table, linear-Gaussian, of which the first features hide themselves; and of the model."""

NOISE, STEEPNESS = 0.3, 5.0
"""Of the table about its plane, and of the law by which entries above 0 hide."""

STEPS, BATCH, RATE, DRAWS = 1500, 128, 5e-3, 200


def self_masked_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares the missingness model with the bound of the observed entries, and with the wrong sign."""
    results = [measure(seed) for seed in seeds]
    by_name = {name: [of_seed[name] for of_seed in results] for name in results[0]}
    ceiling, floor = fmean(by_name["truth"]), fmean(by_name["mean"])
    gains = [1 - own / plain for own, plain in zip(by_name["model"], by_name["plain"], strict=True)]
    what = "self-masked table"
    yield mean_row(
        f"{what}: RMSE of what is missing, missingness model", by_name["model"], ceiling=ceiling, floor=floor
    )
    yield mean_row(f"{what}: RMSE, bound of the observed entries alone", by_name["plain"], ceiling=ceiling, floor=floor)
    yield mean_row(
        f"{what}: how much lower the missingness model's is", gains, bar="≥ 0.3 on each seed", holds=min(gains) >= 0.3
    )
    measure_of = f"{what}: mean of what is filled in − of what is missing, bound of the observed entries alone"
    bias = by_name["plain, bias"]
    yield mean_row(measure_of, bias, bar="< −0.3 on each seed: it is biased", holds=max(bias) < -0.3)
    yield mean_row(f"{what}: the same, missingness model", by_name["model, bias"])
    worse = [wrong / plain for wrong, plain in zip(by_name["wrong"], by_name["plain"], strict=True)]
    yield mean_row(
        f"{what}: RMSE under the wrong sign over that of the observed entries' bound",
        worse,
        bar="> 1 on each seed: it is worse",
        holds=min(worse) > 1,
    )
    yield mean_row(f"{what}: threshold that is learnt", by_name["threshold"], ceiling=0.0)
    yield mean_row(f"{what}: steepness that is learnt", by_name["steepness"], ceiling=STEEPNESS)


def measure(seed: int) -> dict[str, float]:
    """Fits three models to one table: root mean square errors and biases by name."""
    rng = np.random.default_rng(seed)
    truth = surface(rng, FEATURES, LATENT, bend=0.0, noise=NOISE)
    table = truth.sample(ROWS, rng)
    mask = self_masked(table, rng, 0.0, STEEPNESS, columns=HIDING)
    x, observed = torch.from_numpy(table).float(), torch.from_numpy(mask)
    sign = torch.cat([torch.ones(HIDING), torch.zeros(FEATURES - HIDING)])

    def gaussian() -> Gaussian:
        return Gaussian(FEATURES, 0.3, per_feature=True)

    hiding = SelfMasking(gaussian(), sign)
    results = {}
    for name, likelihood in (("model", hiding), ("plain", gaussian()), ("wrong", SelfMasking(gaussian(), -sign))):
        off = (fill_in(likelihood, x, observed, seed) - x)[~observed]
        results |= {name: float(off.square().mean().sqrt()), f"{name}, bias": float(off.mean())}
    return {
        **results,
        "mean": float((_observed_means(x, observed) - x)[~observed].square().mean().sqrt()),
        "truth": float(np.sqrt(((fill_by_truth(truth.outer @ truth.inner, table, mask) - table)[~mask] ** 2).mean())),
        "threshold": float(hiding.threshold[:HIDING].detach().mean()),
        "steepness": float(hiding.log_steepness[:HIDING].detach().exp().mean()),
    }


def fill_in(likelihood: Entrywise, x: Tensor, observed: Tensor, seed: int) -> Tensor:
    """Fits a linear VAE with a likelihood to the observed entries, and fills in the others."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = (
            FullEncoder(FEATURES, LATENT, [HIDDEN, HIDDEN], reads_mask=True),
            MLPDecoder(LATENT, FEATURES),
        )
    vae = VAE(encoder, decoder, likelihood, StandardNormal(LATENT))

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            rows = torch.randint(len(x), (BATCH,), generator=generator)
            yield Batch(x[rows], observed[rows])

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches(), optimizer, generator=generator, schedule=cosine(STEPS))
    return impute(vae, x, observed, k=DRAWS, generator=generator).mean


def _observed_means(x: Tensor, observed: Tensor) -> Tensor:
    means = torch.where(observed, x, 0.0).sum(0) / observed.sum(0)
    return torch.where(observed, x, means)


def fill_by_truth(weights: Array, x: Array, mask: Mask, points: int = 61) -> Array:
    """Fills in by the mean of what is missing under the true table and law, given what is observed and that it is.

    By sums over grids: of the two latents, and for each of them of what a missing entry may be.
    """
    axis, t = np.linspace(-4, 4, points), np.linspace(-6, 6, 241)
    z = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, LATENT)
    on = z @ weights.T
    values = on[:, :HIDING, None] + NOISE * t
    joint = np.exp(-0.5 * t**2) * expit(STEEPNESS * values)
    chance = np.concatenate([joint.sum(2), np.ones((len(z), FEATURES - HIDING))], 1)
    hidden = np.concatenate([(joint * values).sum(2) / joint.sum(2), on[:, HIDING:]], 1)
    seen = np.where(mask, x, 0.0)
    squares = -2 * seen @ on.T + mask @ (on**2).T
    log_weights = -0.5 * (z**2).sum(1) - 0.5 * squares / NOISE**2 + ~mask @ np.log(chance).T
    shares = np.exp(log_weights - log_weights.max(1, keepdims=True))
    return np.where(mask, x, shares @ hidden / shares.sum(1, keepdims=True))
