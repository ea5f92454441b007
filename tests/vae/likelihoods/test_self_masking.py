"""Entries that hide themselves, against integrals by scipy and draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm
from torch import Tensor

from designloop.testing import NonConformance, check_likelihood
from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.inference.imputation import impute, sample_missing
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.likelihoods.self_masking import SelfMasking
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal

SIGN = torch.tensor([1, -1, 0])
MEANS = torch.tensor([[0.3, -1.0, 0.5], [2.0, 1.0, -1.5]], dtype=torch.float64)
SCALE, STEEPNESS, THRESHOLD = 0.7, 2.0, 0.4


def likelihood() -> SelfMasking:
    return SelfMasking(Gaussian(3, SCALE**2), SIGN, STEEPNESS, THRESHOLD).double()


def chance_missing(x: float, sign: int) -> float:
    return float(expit(sign * STEEPNESS * (x - THRESHOLD)))


def moment(mean: float, sign: int, power: int) -> float:
    """∫ xᵖ N(x) P(missing | x) dx; a sign of 0 hides nothing."""

    def integrand(x: float) -> float:
        return float(x**power * norm.pdf(x, mean, SCALE)) * (chance_missing(x, sign) if sign else 1.0)

    return float(quad(integrand, mean - 8, mean + 8)[0])


def expected(power: int) -> Tensor:
    """E[xᵖ | missing]."""
    table = [
        [moment(mean, sign, power) / moment(mean, sign, 0) for mean, sign in zip(row, SIGN.tolist(), strict=True)]
        for row in MEANS.tolist()
    ]
    return torch.tensor(table, dtype=torch.float64)


def test_a_missing_entry_is_integrated_out_and_an_observed_one_has_a_chance_to_be() -> None:
    x = torch.tensor([[0.1, 0.2, 0.3], [1.0, torch.nan, torch.nan]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    result = likelihood().entry_log_prob(MEANS, x, mask).detach()
    for row, column in ((0, 0), (0, 1), (1, 0)):
        value, sign = float(x[row, column]), int(SIGN[column])
        wanted = norm.logpdf(value, MEANS[row, column], SCALE) + np.log(1 - chance_missing(value, sign))
        assert float(result[row, column]) == pytest.approx(float(wanted), rel=1e-6)
    assert float(result[0, 2]) == pytest.approx(norm.logpdf(0.3, 0.5, SCALE))
    assert float(result[1, 1]) == pytest.approx(np.log(moment(1.0, -1, 0)), rel=1e-6)
    assert float(result[1, 2]) == 0, "a sign of 0 leaves what is missing out"
    torch.testing.assert_close(likelihood().log_prob(MEANS, x, mask), result.sum(1))


def test_an_entry_is_observed_or_missing_and_the_chances_add_up() -> None:
    values, step = torch.linspace(-12, 12, 4001, dtype=torch.float64), 24 / 4000
    for column in (0, 1):
        total = []
        for row in range(2):
            x = torch.zeros(len(values), 3, dtype=torch.float64)
            x[:, column] = values
            entries = likelihood().entry_log_prob(MEANS[row].expand(len(values), 3), x).detach()
            seen = entries[:, column].exp().sum() * step
            mask = torch.tensor([[column == 1, column == 0, True]])
            missing = likelihood().entry_log_prob(MEANS[row : row + 1], x[:1], mask)[0, column].detach().exp()
            total.append(float(seen + missing))
        assert total == pytest.approx([1, 1], rel=1e-6)


def test_what_is_missing_has_the_moments_of_the_integrals_and_draws_have_them_too() -> None:
    mean, variance = expected(1), expected(2) - expected(1).square()
    torch.testing.assert_close(likelihood().mean_of_missing(MEANS), mean, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(likelihood().variance_of_missing(MEANS), variance, rtol=1e-5, atol=1e-9)
    assert bool((mean[:, 0] > MEANS[:, 0]).all()), "large entries are missing"
    assert bool((mean[:, 1] < MEANS[:, 1]).all())
    n = 4000
    drawn = likelihood().sample_missing(MEANS.repeat(n, 1), generator()).view(n, 2, 3)
    assert bool(((drawn.mean(0) - mean).abs() < 5 * (variance / n).sqrt()).all())
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.12, atol=0)


def test_binary_entries_are_summed_over_exactly() -> None:
    hidden = SelfMasking(Bernoulli(), torch.tensor([1, -1]), STEEPNESS, THRESHOLD).double()
    logits = torch.tensor([[0.4, -1.0]], dtype=torch.float64)
    mask = torch.tensor([[False, True]])
    result = hidden.entry_log_prob(logits, torch.zeros(1, 2, dtype=torch.float64), mask).detach()
    p = expit(0.4)
    both = p * chance_missing(1, 1) + (1 - p) * chance_missing(0, 1)
    assert float(result[0, 0]) == pytest.approx(np.log(both))
    assert float(hidden.mean_of_missing(logits).detach()[0, 0]) == pytest.approx(p * chance_missing(1, 1) / both)
    drawn = hidden.sample_missing(logits.expand(20_000, 2), generator()).detach()
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    assert float(drawn[:, 0].mean()) == pytest.approx(p * chance_missing(1, 1) / both, abs=0.02)


def test_steepness_and_threshold_have_the_slope_of_finite_differences() -> None:
    hidden = likelihood()
    x, mask = torch.zeros(2, 3, dtype=torch.float64), torch.tensor([[False, True, False], [True, False, True]])

    def value(log_steepness: Tensor, threshold: Tensor) -> Tensor:
        weights = {"log_steepness": log_steepness, "threshold": threshold}
        result: Tensor = torch.func.functional_call(hidden, weights, (MEANS, x, mask)).sum()
        return result

    hidden.forward = hidden.log_prob
    start = (hidden.log_steepness.detach().clone().requires_grad_(), hidden.threshold.detach().clone().requires_grad_())
    assert torch.autograd.gradcheck(value, start)
    for slope in torch.autograd.grad(value(*start), start):
        assert slope[2] == 0, "a sign of 0 learns nothing"
        assert bool((slope[:2] != 0).all())


@pytest.mark.parametrize("wide", [False, True])
def test_data_keep_the_contract_where_nothing_hides(wide: bool) -> None:
    data, params = (HeteroscedasticGaussian(), torch.cat([MEANS, 0.2 * MEANS], 1)) if wide else (Gaussian(3), MEANS)
    open_to_all = SelfMasking(data, torch.zeros(3))
    assert "masks" in check_likelihood(open_to_all, params).passed


def test_draws_and_masked_entries_keep_the_contract_where_some_hide() -> None:
    # A mask is data: what is missing counts, and what is observed does not add up to one without it.
    left_out = ["masks", "normalised", "sampling"]
    passed = check_likelihood(SelfMasking(Gaussian(3), SIGN, STEEPNESS), MEANS, skip=left_out).passed
    assert {"entries", "gradients", "moments", "precision"} <= set(passed)


class Forgetful(SelfMasking):
    """Draws of what is missing are those of any data."""

    def sample_missing(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        return self.sample(params, generator, context)


def test_draws_of_what_is_missing_that_are_not_as_its_mean_says_are_told() -> None:
    with pytest.raises(NonConformance, match=r"the mean of what sample_missing draws is .* as mean_of_missing says"):
        check_likelihood(Forgetful(Gaussian(3), SIGN, STEEPNESS), MEANS, skip=["masks", "normalised", "sampling"])


@pytest.mark.parametrize("extreme", [1e4, torch.inf, torch.nan])
def test_what_stands_in_a_missing_entry_reaches_nothing(extreme: float) -> None:
    mask = torch.tensor([[True, False, True], [False, True, False]])
    params = MEANS.clone().requires_grad_()
    values = []
    for held in (0.0, extreme):
        value = likelihood().log_prob(params, torch.zeros_like(MEANS).masked_fill(~mask, held), mask)
        (slope,) = torch.autograd.grad(value.sum(), params)
        values.append((value.detach(), slope))
    assert torch.equal(values[0][0], values[1][0])
    assert torch.equal(values[0][1], values[1][1])


def test_imputation_is_that_of_missing_entries() -> None:
    torch.manual_seed(0)
    decoder = MLPDecoder(1, 3).double()
    with torch.no_grad():
        decoder.net[0].weight.zero_()  # type: ignore[operator]
        decoder.net[0].bias.copy_(MEANS[0])  # type: ignore[operator]
    vae = VAE(MLPEncoder(3, 1).double(), decoder, likelihood(), StandardNormal(1).double())
    x, mask = torch.zeros(1, 3, dtype=torch.float64), torch.tensor([[False, False, True]])
    filled = impute(vae, x, mask, k=10, generator=generator())
    torch.testing.assert_close(filled.mean[:, :2], expected(1)[:1, :2], rtol=1e-6, atol=1e-9)
    assert filled.variance is not None
    torch.testing.assert_close(filled.variance[:, :2], (expected(2) - expected(1).square())[:1, :2], rtol=1e-5, atol=0)
    drawn = sample_missing(vae, x, mask, n=1500, k=20, generator=generator())
    torch.testing.assert_close(drawn[:, :, :2].mean(0), expected(1)[:1, :2], rtol=0, atol=0.1)
    assert bool((drawn[:, :, 2] == 0).all())
    torch.testing.assert_close(vae.reconstruct(x, mask), MEANS[:1])


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(VAEError, match="the data's likelihood is Poisson, whose missing entries cannot be integrated"):
        SelfMasking(Poisson(), SIGN)
    with pytest.raises(VAEError, match=r"sign is \[2\.0, 0\.0\], expected −1, 0 or 1 a feature"):
        SelfMasking(Gaussian(2), torch.tensor([2.0, 0.0]))
    with pytest.raises(VAEError, match="steepness is -1, expected a positive number"):
        SelfMasking(Gaussian(3), SIGN, -1)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 2\), expected \(batch, 3\); give SelfMasking one sign"):
        SelfMasking(Bernoulli(), SIGN).log_prob(torch.zeros(2, 2), torch.zeros(2, 2))


@pytest.mark.parametrize(("steepness", "most"), [(3.0, 1e-4), (7.0, 0.03), (25.0, 0.5)])
def test_the_quadrature_is_as_far_off_as_is_told(steepness: float, most: float) -> None:
    thresholds = torch.linspace(-3, 3, 61)
    likelihood = SelfMasking(Gaussian(61, 1.0, learned=False), torch.ones(61), steepness).double()
    likelihood.threshold.data = thresholds.double()
    zeros = torch.zeros(1, 61).double()
    result = likelihood.entry_log_prob(zeros, zeros, zeros.bool()).detach()[0]
    x = torch.linspace(-9, 9, 20_001).double()
    density = torch.distributions.Normal(0.0, 1.0).log_prob(x).exp()
    chance = torch.sigmoid(steepness * (x - thresholds.double()[:, None]))
    exact = torch.trapezoid(density * chance, x).log()
    assert float((result - exact).abs().max()) < most
