"""Linear VAEs: evidence against PPCA's closed form, and lattice fields against the renormalization group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from scipy.linalg import subspace_angles
from scipy.stats import multivariate_normal
from sklearn import datasets
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row
from designloop.benchmarks.vae_methods._fields import free_rows, interacting_rows
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.linear.linear_gaussian import LinearGaussian, factor_analysis, log_evidence, posterior, ppca
from designloop.vae.linear.linear_vae import as_vae, expected_elbo, linear_gaussian_of, untrained_vae
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

TITLE = "The core; VAEs and the Renormalization Group"
FILE = "designloop/vae/linear/linear_gaussian.py"
PAGE = "linear.md"

REFERENCES = {
    ("breast_cancer", 2): -31.6849,
    ("breast_cancer", 5): -24.6251,
    ("breast_cancer", 10): -18.1850,
    ("iris", 2): -3.6863,
    ("diabetes", 2): -12.7695,
    ("diabetes", 5): -12.1937,
    ("digits", 2): 0.0057,
    ("digits", 5): 8.9076,
    ("digits", 10): 17.4519,
    ("digits", 20): 27.2773,
}
"""PPCA's log-likelihood at its maximum, nats a row, by data set and units."""

FACTOR_ANALYSIS = -23.5465
"""The same with one noise variance a feature, breast_cancer, two factors."""

TRAINED = (("breast_cancer", 10), ("digits", 5), ("iris", 2))
PHASES, ROWS = ((2000, 0.1), (1000, 0.03)), 1000
"""Of every linear VAE that is trained here: Adam's steps, each with the rate before the cosine; rows a step, about.

Between the two its latent is turned into the canonical rotation, which changes nothing in what it says of data. Where
two kept variances are alike the ELBO hardly slopes along a rotation, and until the diagonal encoder fits, the greater
variance is too small and the lesser too great: without the turn a lattice's longest waves are up to 4 % off after as
many steps (Bao et al. 2020, "Regularized linear autoencoders recover the principal components, eventually").
"""

ENCODER_STEPS = 3000
ENCODER_RATE = 0.01
"""Of an encoder that reads a mask, beside a decoder that is held."""

WIDENED = (2, 5, 10)
"""Units of breast_cancer's PPCA whose encoder is widened."""

MANY = 5000
"""Samples at which IWAE is to be as good as the evidence."""

LONG_RUNS = 3
"""Seeds that something is trained on; all others are used where nothing is."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """The rows of exact evidence, then those of the fields."""
    some = seeds[:LONG_RUNS]
    rows = [*exact_rows(), *widened_rows(seeds)]
    say("linear: closed forms done")
    rows += [*trained_rows(some), *masked_rows(some)]
    say("linear: trained ones done")
    rows += free_rows(seeds, some, train)
    say("linear: free fields done")
    return [*rows, *interacting_rows(seeds)]


def data(name: str) -> Tensor:
    """(rows, features) float64: standardised by the population's sd; digits as they are, divided by 16."""
    if name == "digits":
        return torch.from_numpy(datasets.load_digits().data / 16)
    load = {"breast_cancer": datasets.load_breast_cancer, "iris": datasets.load_iris}
    x = datasets.load_diabetes(scaled=False).data if name == "diabetes" else load[name]().data
    return torch.from_numpy((x - x.mean(0)) / x.std(0))


def exact_rows() -> Iterator[Row]:
    """At the maximum evidence, ELBO and IWAE are one number, and the one that is known."""
    models: list[tuple[LinearGaussian, Tensor, float]] = [
        (ppca(data(name), units), data(name), known) for (name, units), known in REFERENCES.items()
    ]
    models.append((factor_analysis(data("breast_cancer"), 2), data("breast_cancer"), FACTOR_ANALYSIS))
    off, elbo_off, iwae_off, generator = [], [], [], torch.Generator().manual_seed(0)
    for model, x, known in models:
        exact, vae = log_evidence(model, x), as_vae(model)
        off.append(abs(float(exact.mean()) - known))
        elbo_off.append(_greatest(expected_elbo(vae, x) - exact))
        iwae = [importance_evidence(vae, x, k=k, generator=generator).log_evidence for k in (1, 10)]
        iwae_off += [_greatest(bound - exact) for bound in iwae]
    yield _worst(
        "evidence at 11 known maxima (PPCA, factor analysis), greatest error, nats a row", "< 0.0001", off, 1e-4
    )
    yield _worst("ELBO there − evidence, greatest of any row, nats", "< 0.000001", elbo_off, 1e-6)
    yield _worst("IWAE there, k = 1 and 10, − evidence, greatest of any row, nats", "< 0.000001", iwae_off, 1e-6)


def widened_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """An encoder 1.3 times as wide costs what it has to, and importance weights buy it back."""
    x = data("breast_cancer")
    fall_off, ones, steps, tight = [], [], [], []
    for units in WIDENED:
        model = ppca(x, units)
        exact, wide = log_evidence(model, x), as_vae(model, widen=1.3)
        gap = units * (0.69 - math.log(1.69)) / 2
        fall_off.append(_greatest(exact - gap - expected_elbo(wide, x)))
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            misses = [importance_evidence(wide, x, k=k, generator=generator).log_evidence - exact for k in (1, 10, 100)]
            error = float(misses[0].std()) / math.sqrt(len(x))
            ones.append(abs(float(misses[0].mean()) + gap) / error)
            steps += [float((b - a).mean()) for a, b in pairwise(misses)]
        generator = torch.Generator().manual_seed(seeds[0])
        bound = importance_evidence(wide, x, k=MANY, generator=generator).log_evidence
        tight.append(abs(float((bound - exact).mean())))
    what = "encoder 1.3 times as wide"
    yield _worst(
        f"{what}: ELBO − (evidence − q(0.69 − ln 1.69)/2), greatest of any row, nats", "< 0.000001", fall_off, 1e-6
    )
    yield _worst(f"{what}: IWAE at k = 1 − ELBO, greatest, in s.e.", "< 4", ones, 4)
    least = min(steps)
    yield Row(f"{what}: least rise of IWAE, k = 1 to 10 to 100, nats a row", "> 0", least, None, len(steps), least > 0)
    yield _worst(f"{what}: IWAE at k = {MANY:,} − evidence, greatest, nats a row", "< 0.002", tight, 0.002)


def train(vae: VAE, x: Tensor, seed: int) -> VAE:
    """A VAE fitted by this method's one set of hyper-parameters: all rows a step where they are few, else a part."""
    generator = torch.Generator().manual_seed(seed)
    few = x.repeat(max(1, round(ROWS / len(x))), 1)

    def batches(steps: int) -> Iterator[Batch]:
        for _ in range(steps):
            yield Batch(few if len(x) <= 2 * ROWS else x[torch.randint(len(x), (ROWS,), generator=generator)])

    for phase, (steps, rate) in enumerate(PHASES):
        if phase:
            vae = as_vae(linear_gaussian_of(vae))
        optimizer = torch.optim.Adam(vae.parameters(), lr=rate, betas=(0.9, 0.99))
        fit(vae, ELBO(), batches(steps), optimizer, generator=generator, schedule=cosine(steps), clip=math.inf)
    return vae


def trained_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """A linear VAE that is trained reaches PPCA's maximum and spans its subspace."""
    gaps, angles = [], []
    for name, units in TRAINED:
        x = data(name)
        best = ppca(x, units)
        for seed in seeds:
            start = untrained_vae(x.shape[1], units, torch.Generator().manual_seed(seed), dtype=torch.float64)
            vae = train(start, x, seed)
            gaps.append(float((log_evidence(best, x) - expected_elbo(vae, x)).mean()))
            turned = subspace_angles(linear_gaussian_of(vae).weights.numpy(), best.weights.numpy())
            angles.append(math.degrees(turned.max()))
    which = ", ".join(f"{name} q = {units}" for name, units in TRAINED)
    yield _worst(f"trained: evidence of PPCA − ELBO, greatest of {which}, nats a row", "< 0.02", gaps, 0.02)
    yield _worst(
        "trained: largest principal angle to the PPCA subspace, greatest of the same, degrees", "< 1", angles, 1
    )


def masked_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """30 % of the entries missing: exact against dense Gaussians, and an amortised encoder against the exact."""
    x = data("iris")
    model = ppca(x, 2)
    covariance = model.covariance.numpy()
    off, gaps, misses, errors = [], [], [], []
    for seed in seeds:
        mask = _mask(x, seed)
        exact, given = log_evidence(model, x, mask), posterior(model, x, mask)
        for row in range(len(x)):
            seen = mask[row].numpy()
            cross, within = model.weights[seen].numpy(), covariance[np.ix_(seen, seen)]
            away = (x[row] - model.offset).numpy()[seen]
            gain = cross.T @ np.linalg.inv(within)
            off += [
                abs(float(exact[row]) - multivariate_normal(cov=within).logpdf(away)),
                float(np.abs(given.mean[row].numpy() - gain @ away).max()),
                float(np.abs(given.covariance[row].numpy() - np.eye(2) + gain @ cross).max()),
            ]
        vae = _amortised(model, x, seed)
        gaps.append(float((exact - expected_elbo(vae, x, mask)).mean()))
        generator = torch.Generator().manual_seed(seed)
        missed = exact - importance_evidence(vae, x, mask, k=MANY, generator=generator).log_evidence
        misses.append(abs(float(missed.mean())))
        errors.append(float(missed.std()) / math.sqrt(len(missed)))
    what = "30 % of iris missing"
    yield _worst(
        f"{what}: evidence, posterior mean and covariance − dense Gaussian's, greatest", "< 0.000001", off, 1e-6
    )
    least = min(gaps)
    yield Row(f"{what}: evidence − ELBO of a diagonal encoder, least, nats a row", "> 0.01: it cannot be exact",
              least, None, len(gaps), least > 0.01)  # fmt: skip
    yield Row(f"{what}: its IWAE at k = {MANY:,} − evidence, greatest, nats a row", "< 0.01", max(misses), max(errors),
              len(misses), max(misses) < 0.01, floor=least)  # fmt: skip


def _amortised(model: LinearGaussian, x: Tensor, seed: int) -> VAE:
    """The model's decoder with an encoder of diagonal covariance that reads the mask, trained on masks of its own."""
    generator = torch.Generator().manual_seed(1000 + seed)
    parts = as_vae(model).requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = MLPEncoder(x.shape[1], 2, [32], reads_mask=True).to(x)
    vae = VAE(encoder, parts.decoder, parts.likelihood, StandardNormal(2).to(x))
    few = x.repeat(round(ROWS / len(x)), 1)
    batches = (Batch(few, _mask(few, 10_000 * (seed + 1) + step)) for step in range(ENCODER_STEPS))
    optimizer = torch.optim.Adam(encoder.parameters(), lr=ENCODER_RATE)
    fit(vae, ELBO(), batches, optimizer, generator=generator, schedule=cosine(ENCODER_STEPS))
    return vae


def _mask(x: Tensor, seed: int) -> Tensor:
    """(batch, features) True in 70 % of the entries, and once in a row that would have none."""
    mask = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) < 0.7
    mask[:, 0] |= ~mask.any(1)
    return mask


def _greatest(each: Tensor) -> float:
    return float(each.abs().max())


def _worst(measure: str, bar: str, values: Sequence[float], below: float) -> Row:
    """The row of a bar that every value has to keep."""
    worst = float(max(values))
    return Row(measure, bar, worst, None, len(values), worst < below)
