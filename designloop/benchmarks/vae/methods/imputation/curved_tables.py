"""Curved tables with 10 to 70 % missing, completely at random and at random, beside the imputers of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # makes IterativeImputer known
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from designloop.benchmarks.common.rows import Row, mean_row
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MLPDecoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.missing import Mask, Surface, mar, mcar, surface
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

Array = NDArray[np.float64]

ROWS, FEATURES, LATENT, HIDDEN = 2000, 12, 3, 64
"""Of the table, and of the model; the surface itself has two dimensions."""

STEPS, BATCH, RATE, DRAWS = 1500, 128, 3e-3, 500

SHARES = (0.1, 0.4, 0.7)

KINDS: dict[str, Callable[[Array, np.random.Generator, float], Mask]] = {
    "MCAR": lambda x, rng, share: mcar((x.shape[0], x.shape[1]), rng, share),
    "MAR": mar,
}

PEERS: dict[str, Callable[[], object]] = {
    "mean": SimpleImputer,
    "kNN": lambda: KNNImputer(n_neighbors=5),
    "iterative": lambda: IterativeImputer(max_iter=30, random_state=0),
}


def curved_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares root mean square errors of what is missing, for each kind and share."""
    for kind in KINDS:
        for share in SHARES:
            results = [measure(kind, share, seed) for seed in seeds]
            by_name = {name: [of_seed[name] for of_seed in results] for name in results[0]}
            best = [min(of_seed[name] for name in PEERS) for of_seed in results]
            said = ", ".join(f"{name} {fmean(by_name[name]):.3f}" for name in PEERS)
            worst = max(own - peer for own, peer in zip(by_name["VAE"], best, strict=True))
            yield mean_row(
                f"curved table, {share:.0%} {kind}: RMSE of what is missing (scikit-learn: {said})",
                by_name["VAE"],
                bar="below all three on each seed",
                holds=worst < 0,
                ceiling=fmean(by_name["truth"]),
                floor=fmean(by_name["mean"]),
            )


def measure(kind: str, share: float, seed: int) -> dict[str, float]:
    """Fills in one table by the VAE, by scikit-learn's imputers and by the true surface: RMSE by name."""
    rng = np.random.default_rng(seed)
    truth = surface(rng, FEATURES)
    x = truth.sample(ROWS, rng)
    mask = KINDS[kind](x, rng, share)
    holes = np.where(mask, x, np.nan)

    def error(filled: Array) -> float:
        return float(np.sqrt(((filled - x)[~mask] ** 2).mean()))

    errors = {name: error(make().fit_transform(holes)) for name, make in PEERS.items()}  # type: ignore[attr-defined]
    return {**errors, "VAE": error(fill_by_vae(holes, mask, seed)), "truth": error(fill_by_truth(truth, x, mask))}


def fill_by_vae(holes: Array, mask: Mask, seed: int) -> Array:
    """Fits a VAE to the observed entries alone, and fills in the rest by importance-weighted draws."""
    x, observed = torch.from_numpy(holes).float(), torch.from_numpy(mask)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = FullEncoder(x.shape[1], LATENT, [HIDDEN, HIDDEN], reads_mask=True)
        decoder = MLPDecoder(LATENT, x.shape[1], [HIDDEN, HIDDEN])
    vae = VAE(encoder, decoder, Gaussian(x.shape[1], 0.3, per_feature=True), StandardNormal(LATENT))

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            rows = torch.randint(len(x), (BATCH,), generator=generator)
            yield Batch(x[rows], observed[rows])

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches(), optimizer, generator=generator, schedule=cosine(STEPS))
    return np.asarray(impute(vae, x, observed, k=DRAWS, generator=generator).mean.double().numpy())


def fill_by_truth(truth: Surface, x: Array, mask: Mask, points: int = 61) -> Array:
    """Fills in by E[x_missing | x_observed] under the true surface, summed over a grid of its two dimensions."""
    axis = np.linspace(-4, 4, points)
    z = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    on, prior = truth.mean(z), -0.5 * (z**2).sum(1)
    seen = np.where(mask, x, 0.0)
    squares = (seen**2).sum(1)[:, None] - 2 * seen @ on.T + mask @ (on**2).T
    log_weights = prior - 0.5 * squares / truth.noise**2
    weights = np.exp(log_weights - log_weights.max(1, keepdims=True))
    return np.asarray(weights @ on / weights.sum(1, keepdims=True))
