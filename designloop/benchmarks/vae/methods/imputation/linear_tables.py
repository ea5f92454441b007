"""Linear-Gaussian tables, where what is missing has a law in closed form; and what filling in does to a bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from designloop.benchmarks.common.rows import Row, mean_row, worst_row
from designloop.vae.inference.gibbs import gibbs_missing
from designloop.vae.inference.imputation import impute, sample_missing
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.linear.linear_gaussian import LinearGaussian, canonicalise, log_evidence, posterior
from designloop.vae.linear.linear_vae import as_vae, expected_elbo
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MLPDecoder
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.missing import mcar, surface
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

ROWS, FEATURES, LATENT, HIDDEN, NOISE, MISSING = 2000, 8, 2, 64, 0.5, 0.4
"""Of the table, and of the model of it."""

STEPS, BATCH, RATE = 2000, 128, 5e-3

DRAWS, COMPLETED, CHECKED = 500, 200, 400
"""Weighted draws of a row, completed copies of it, and rows that are completed."""

SWEEPS = 30
"""Of the chains that complete them as well."""


def linear_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares a trained VAE with the exact conditional expectation, and its intervals with what is missing."""
    results = [measure(seed) for seed in seeds]
    by_name = {name: [of_seed[name] for of_seed in results] for name in results[0]}
    what = f"linear-Gaussian table, {MISSING:.0%} MCAR"
    ratio = by_name["ratio"]
    yield mean_row(
        f"{what}: mean square error over that of the exact conditional expectation",
        ratio,
        bar="≤ 1.05 on each seed",
        holds=max(ratio) <= 1.05,
        ceiling=1.0,
        floor=fmean(by_name["floor"]),
    )
    for name, measured in (
        ("cover", f"share of what is missing in 90 % intervals of {COMPLETED} completed rows"),
        ("cover by chains", f"the same, completed by chains of {SWEEPS} sweeps, Metropolis within Gibbs"),
    ):
        cover = by_name[name]
        yield mean_row(
            f"{what}: {measured}",
            cover,
            bar="0.87 – 0.93 on each seed",
            holds=min(cover) >= 0.87 and max(cover) <= 0.93,
            ceiling=0.9,
            floor=fmean(by_name["cover of a mean"]),
        )
    yield mean_row(f"{what}: share of these chains' draws that are accepted", by_name["accepted"])
    yield from filling_rows(seeds)


def measure(seed: int) -> dict[str, float]:
    """Fits one VAE to the observed entries; the floor fills in zeros, the observed means."""
    rng = np.random.default_rng(seed)
    truth = surface(rng, FEATURES, LATENT, bend=0.0, noise=NOISE)
    table = truth.sample(ROWS, rng)
    x, observed = torch.from_numpy(table).float(), torch.from_numpy(mcar(table.shape, rng, MISSING))
    exact = LinearGaussian(
        torch.from_numpy(truth.outer @ truth.inner).float(), torch.zeros(FEATURES), torch.tensor([NOISE**2])
    )
    vae, generator = fit_vae(x, observed, seed)
    filled = impute(vae, x, observed, k=DRAWS, generator=generator).mean
    best = posterior(exact, x, observed).mean @ exact.weights.T

    def error(guess: Tensor) -> float:
        return float((guess - x)[~observed].square().mean())

    few, seen = x[:CHECKED], observed[:CHECKED]
    drawn = sample_missing(vae, few, seen, n=COMPLETED, k=DRAWS, generator=generator)
    chains = gibbs_missing(vae, few, seen, n=COMPLETED, sweeps=SWEEPS, generator=generator)

    def cover(copies: Tensor) -> float:
        low, high = copies.quantile(torch.tensor([0.05, 0.95]), 0)
        return float(((low <= few) & (few <= high))[~seen].float().mean())

    return {
        "ratio": error(filled) / error(best),
        "floor": error(torch.zeros_like(x)) / error(best),
        "cover": cover(drawn),
        "cover by chains": cover(chains.rows),
        "accepted": float(chains.accepted.mean()),
        "cover of a mean": cover(sample_of_means(vae, few, seen, generator)),
    }


def fit_vae(x: Tensor, observed: Tensor, seed: int) -> tuple[VAE, torch.Generator]:
    """Fits a linear decoder and an encoder of full covariance that reads the mask, by the bound of what is observed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = FullEncoder(FEATURES, LATENT, [HIDDEN], reads_mask=True), MLPDecoder(LATENT, FEATURES)
    vae = VAE(encoder, decoder, Gaussian(FEATURES, 0.5), StandardNormal(LATENT))

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            rows = torch.randint(len(x), (BATCH,), generator=generator)
            yield Batch(x[rows], observed[rows])

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches(), optimizer, generator=generator, schedule=cosine(STEPS))
    return vae, generator


@torch.no_grad()
def sample_of_means(vae: VAE, x: Tensor, observed: Tensor, generator: torch.Generator) -> Tensor:
    """(copies, batch, features) decoded means at draws of the posterior, without the entries' own noise."""
    given = vae.encode(x, observed)
    return torch.stack([vae.decode(given.rsample(generator)) for _ in range(COMPLETED)])


def filling_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Shows what becomes of the bound when missing entries are filled in, in the likelihood and before the encoder."""
    results = [measure_filling(seed) for seed in seeds]
    by_name = {name: [of_seed[name] for of_seed in results] for name in results[0]}
    yield worst_row(
        "filled in, in the likelihood: bound − (bound of what is observed + Σ E_q log p(fill given z)), greatest, nats",
        by_name["identity"],
        bar="< 1e-9",
        limit=1e-9,
    )
    for fill in FILLS:
        gap = by_name[f"{fill}, likelihood"]
        measure_of = f"filled in with {fill}, in the likelihood: bound − evidence of what is observed, nats a row"
        if fill == "conditional means":
            yield mean_row(measure_of, gap, bar="> 0 on each seed: it is no bound", holds=min(gap) > 0)
        else:
            yield mean_row(measure_of, gap)
    for fill in FILLS:
        what = f"filled in with {fill}, before the encoder alone"
        valid = by_name[f"{fill}, greatest"]
        yield worst_row(f"{what}: bound − evidence, greatest of any row, nats", valid, bar="< 1e-9", limit=1e-9)
        yield mean_row(f"{what}: bound − evidence, nats a row", by_name[f"{fill}, encoder"], ceiling=0.0)


FILLS = ("observed means", "conditional means")


def measure_filling(seed: int) -> dict[str, float]:
    """Compares bounds of a true model, whose encoder is exact for whole rows, with the evidence of what is observed."""
    rng = np.random.default_rng(seed)
    truth = surface(rng, FEATURES, LATENT, bend=0.0, noise=0.2)
    x = torch.from_numpy(truth.sample(ROWS, rng))
    observed = torch.from_numpy(mcar((ROWS, FEATURES), rng, MISSING))
    exact = canonicalise(
        LinearGaussian(
            torch.from_numpy(truth.outer @ truth.inner), torch.zeros(FEATURES).double(), torch.tensor([0.04]).double()
        )
    )
    vae, evidence = as_vae(exact).requires_grad_(False), log_evidence(exact, x, observed)
    means = torch.where(observed, x, 0.0).sum(0) / observed.sum(0)
    given = posterior(exact, x, observed).mean @ exact.weights.T
    results, off = {}, []
    for name, fill in zip(FILLS, (means, given), strict=True):
        filled = torch.where(observed, x, fill)
        whole = expected_elbo(vae, filled)
        # The same encoder, that is given the filled rows whatever is masked; the likelihood still reads the mask.
        blind = VAE(_OfRows(vae, filled), vae.decoder, vae.likelihood, vae.prior)
        bound = expected_elbo(blind, x, observed)
        off.append(float((whole - bound - expected_log_fill(vae, exact, filled, observed)).abs().max()))
        results[f"{name}, likelihood"] = float((whole - evidence).mean())
        results[f"{name}, encoder"] = float((bound - evidence).mean())
        results[f"{name}, greatest"] = float((bound - evidence).max())
    return {**results, "identity": max(off)}


def expected_log_fill(vae: VAE, exact: LinearGaussian, filled: Tensor, observed: Tensor) -> Tensor:
    """(batch,) Σ over what is missing of E_q log p(fill | z), in closed form."""
    given = vae.encode(filled)
    around = given.variance @ exact.weights.square().T  # variance of the decoded means under q
    squares = ((filled - vae.decode(given.mean)).square() + around) / exact.variance
    log_fill: Tensor = -0.5 * (squares + exact.variance.log() + np.log(2 * np.pi))
    return log_fill.masked_fill(observed, 0.0).sum(1)


class _OfRows(nn.Module):
    """An encoder that is given the same rows whatever is asked."""

    def __init__(self, vae: VAE, rows: Tensor) -> None:
        super().__init__()
        self.vae, self.rows = vae, rows

    def forward(self, x: Tensor, mask: Tensor | None, context: Context | None) -> Posterior:
        """(batch, features) -> (batch, latent) posterior."""
        return self.vae.encode(self.rows)
