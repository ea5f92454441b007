"""The core's criteria: likelihoods and priors against contracts and scipy, evidence and imputation against PPCA."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from statistics import fmean
from time import perf_counter

import numpy as np
import scipy.stats
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.method import CORE
from designloop.testing import NonConformance, check_likelihood, check_prior
from designloop.vae.inference.evidence import annealed_evidence, importance_evidence
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial, information_of_log_dispersion
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.likelihoods.student_t import StudentT
from designloop.vae.linear.linear_gaussian import log_evidence, posterior, ppca
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder, mlp
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.priors.mixture import GaussianMixture, VampPrior
from designloop.vae.priors.standard_normal import NoisedStandardNormal, StandardNormal
from designloop.vae.priors.structural.linear import StructuralCausal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO

TITLE = f"{CORE}; Data Denoising and Imputation"
FILE = "designloop/vae/model.py"
PAGE = "core.md"

STEPS = 1500
"""That the VAE of digits is trained for."""

CHAINS, TEMPERATURES = 256, 200
"""With which its evidence is annealed."""

DRAWS = 50_000
"""By which it is weighted: of 2,000 some digits' weights have Pareto's k near 0.9, and their evidence is 0.3 off."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures contracts, log probabilities, information, annealing, imputation, and how fast ``fit`` is."""
    say("likelihoods and priors")
    rows = [*check_contracts(seeds[0]), *check_formulas()]
    say("evidence by annealing, and imputation")
    results = [measure_on_ppca(seed) for seed in seeds]
    differences = [of_seed["annealed"] for of_seed in results]
    measure = "annealing from the prior − PPCA's evidence (breast_cancer, q = 2, 40 rows), nats a row"
    rows.append(mean_row(measure, differences, bar="within 0.05", holds=abs(fmean(differences)) < 0.05))
    excess = [of_seed["imputed"] / of_seed["best"] - 1 for of_seed in results]
    measure = "a third of breast_cancer missing: error of what is imputed over that of the exact conditional mean, − 1"
    floor = fmean(of_seed["mean"] / of_seed["best"] - 1 for of_seed in results)
    rows.append(mean_row(measure, excess, bar="< 0.01", holds=fmean(excess) < 0.01, ceiling=0.0, floor=floor))
    say("annealing against weighted draws on a trained model")
    differences = [compare_on_digits(seed) for seed in seeds]
    measure = "annealed against weighted evidence of a trained VAE (digits, 8 units), mean |difference|, nats a digit"
    rows.append(mean_row(measure, differences, bar="< 0.25", holds=fmean(differences) < 0.25))
    rows.append(mean_row("fit, MLP 64-128-8-128-64, batch of 128: steps a second", [steps_a_second()]))
    return rows


def check_contracts(seed: int) -> Iterator[Row]:
    """Counts the likelihoods and priors that pass their suites."""
    generator = torch.Generator().manual_seed(seed)
    params, both = torch.randn(4, 3, generator=generator), 0.5 * torch.randn(4, 6, generator=generator)
    size = {"library_size": torch.tensor([0.5, 1.0, 3.0, 10.0])}
    every = torch.tensor(list(product(range(3), repeat=2)))
    likelihoods: list[Callable[[], object]] = [
        lambda: check_likelihood(Gaussian(3, 0.5, per_feature=True), params),
        lambda: check_likelihood(HeteroscedasticGaussian(), both),
        lambda: check_likelihood(StudentT(3, 8.0), params),
        lambda: check_likelihood(Bernoulli(), params, "binary"),
        lambda: check_likelihood(Poisson("library_size"), params, "counts", context=size),
        lambda: check_likelihood(NegativeBinomial(3, 3.0), params, "counts", context=size),
        lambda: check_likelihood(NegativeBinomial(3, 4.0, decoded=True, size=None), both, "counts"),
        lambda: check_likelihood(Categorical(3), both, every),
    ]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # modules draw their first weights from the global generator
        encoder, network = MLPEncoder(3, 2), mlp([1, 4])
    chain = StructuralCausal(torch.tensor([[0, 0], [1, 0]]), effect=0.7)
    priors: list[Callable[[], object]] = [
        lambda: check_prior(StandardNormal(2)),
        lambda: check_prior(NoisedStandardNormal(2), context={"noise": torch.tensor([0.0, 0.5, 2.0])}),
        lambda: check_prior(ConditionalNormal(2, network), context={"condition": torch.tensor([[0.0], [1.0], [-2.0]])}),
        lambda: check_prior(AutoregressiveNormal(2, correlation=0.8)),
        lambda: check_prior(chain),
        lambda: check_prior(GaussianMixture(2, 3, generator, spread=2.0)),
        lambda: check_prior(VampPrior(encoder, 3 * torch.randn(4, 3, generator=generator), 2)),
    ]
    for name, checks in (
        ("likelihoods that pass check_likelihood", likelihoods),
        ("priors that pass check_prior", priors),
    ):
        passed = sum(map(_passes, checks))
        yield Row(measure=name, bar=f"all {len(checks)}", value=passed, seeds=1, holds=passed == len(checks))


def _passes(check: Callable[[], object]) -> bool:
    try:
        check()
    except NonConformance:
        return False
    return True


def check_formulas() -> Iterator[Row]:
    """Checks the negative binomial's log pmf and the information of its dispersion, over a wide range of both."""
    means, dispersions = np.geomspace(0.01, 1000, 6), np.geomspace(0.01, 1000, 6)
    worst, information = 0.0, 0.0
    for mean, r in product(means, dispersions):
        distribution = scipy.stats.nbinom(r, r / (r + mean))
        x = np.unique([*distribution.ppf(np.linspace(0.01, 0.999, 30)).astype(int), 0])
        likelihood = NegativeBinomial(1, size=None, decoded=True).double()
        params = torch.tensor([[math.log(mean), math.log(r)]], dtype=torch.float64).expand(len(x), 2)
        estimate = likelihood.log_prob(params, torch.from_numpy(x).unsqueeze(1)).numpy()
        expected = distribution.logpmf(x)
        worst = max(worst, float(np.max(np.abs(estimate - expected) / np.maximum(np.abs(expected), 1))))
        j = np.arange(min(int(distribution.isf(1e-9)) + 10, 100_000))
        series = r**2 * ((distribution.sf(j) / (r + j) ** 2).sum() - mean / (r * (r + mean)))
        approximation = float(information_of_log_dispersion(params[0, 0], params[0, 1]))
        if series > 1e-7:  # below, the plain series is its own rounding error
            information = max(information, abs(approximation / series - 1))
    measure = "negative binomial, log pmf against scipy's, largest relative error"
    yield Row(measure=measure, bar="< 1e-8", value=worst, seeds=1, holds=worst < 1e-8)
    measure = "negative binomial, information of the dispersion against its plain series, largest relative error"
    yield Row(measure=measure, bar="< 1e-4", value=information, seeds=1, holds=information < 1e-4)


def measure_on_ppca(seed: int) -> dict[str, float]:
    """Measures errors of annealing and imputation on PPCA's model of breast_cancer, where both have closed forms."""
    data = load_breast_cancer().data
    x = torch.from_numpy((data - data.mean(0)) / data.std(0))
    model = ppca(x, 2)
    vae = as_vae(model, widen=2.0)
    generator = torch.Generator().manual_seed(seed)
    sample = x[torch.randperm(len(x), generator=generator)[:40]]
    annealed = annealed_evidence(vae, sample, generator=generator, chains=64, temperatures=60)
    observed = torch.rand(sample.shape, generator=generator) > 1 / 3
    observed[:, 0] |= ~observed.any(1)
    filled = impute(vae, sample, observed, k=2000, generator=generator).mean
    exact = posterior(model, sample, observed).mean @ model.weights.T + model.offset

    def error(guess: Tensor) -> float:
        return float((guess - sample)[~observed].square().mean().sqrt())

    return {
        "annealed": float((annealed.log_evidence - log_evidence(model, sample)).mean()),
        "imputed": error(filled),
        "best": error(exact),
        "mean": error(torch.zeros_like(sample)),
    }


def compare_on_digits(seed: int) -> float:
    """Compares two estimates of the evidence of digits that a VAE was not trained on: mean |difference|, nats."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(load_digits().data).float() / 16
    order = torch.randperm(len(x), generator=generator)
    train, test = x[order[:1500]], x[order[1500:1510]]
    vae = build_small_vae(seed)
    batches = (Batch(train[torch.randint(len(train), (128,), generator=generator)]) for _ in range(STEPS))
    fit(vae, ELBO(), batches, torch.optim.Adam(vae.parameters(), lr=2e-3), generator=generator, clip=1.0)
    weighted = importance_evidence(vae, test, k=DRAWS, generator=generator)
    annealed = annealed_evidence(vae, test, generator=generator, chains=CHAINS, temperatures=TEMPERATURES)
    return float((weighted.log_evidence - annealed.log_evidence).abs().mean())


def build_small_vae(seed: int) -> VAE:
    """Builds a VAE of digits, 64-128-8-128-64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = MLPEncoder(64, 8, [128]), MLPDecoder(8, 64, [128])
    return VAE(encoder, decoder, Gaussian(64, 0.1), StandardNormal(8))


def steps_a_second(steps: int = 300) -> float:
    """Times ``fit`` on one small model."""
    generator = torch.Generator().manual_seed(0)
    x, vae = torch.rand(128, 64, generator=generator), build_small_vae(0)
    optimizer = torch.optim.Adam(vae.parameters())
    fit(vae, ELBO(), [Batch(x)] * 20, optimizer, generator=generator, clip=1.0)
    began = perf_counter()
    fit(vae, ELBO(), [Batch(x)] * steps, optimizer, generator=generator, clip=1.0)
    return steps / (perf_counter() - began)
