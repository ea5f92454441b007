from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from designloop.testing import check_likelihood
from designloop.vae.errors import MissingContextError, VAEError
from designloop.vae.likelihoods.negative_binomial import (
    MOST,
    NegativeBinomial,
    information_of_log_dispersion,
    log_pmf,
)
from designloop.vae.likelihoods.poisson import Poisson
from tests.vae.likelihoods.test_poisson import COUNTS, offsets

PARAMS = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
BOTH = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
SIZE = {"library_size": torch.tensor([0.5, 1.0, 3.0, 10.0], dtype=torch.float64)}
X = torch.tensor([[0.0, 1, 2], [3, 0, 40], [7, 1, 1], [0, 0, 900]], dtype=torch.float64)


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("dispersion", [0.05, 1.0, 30.0, 1e4])
def test_pmf_against_scipy(dispersion: float) -> None:
    likelihood = NegativeBinomial(3, dispersion).double()
    r = likelihood.log_dispersion.detach().exp().numpy()
    mean = (PARAMS.exp() * SIZE["library_size"].unsqueeze(1)).numpy()
    known = scipy.stats.nbinom(r, r / (r + mean))
    np.testing.assert_allclose(likelihood.log_prob(PARAMS, X, None, SIZE).detach(), known.logpmf(X).sum(1), rtol=1e-9)
    np.testing.assert_allclose(likelihood.mean(PARAMS, SIZE).detach(), known.mean())
    np.testing.assert_allclose(likelihood.variance(PARAMS, SIZE).detach(), known.var())


def test_decoded_dispersion_is_a_factor_of_the_start() -> None:
    decoded = NegativeBinomial(3, 2.0, decoded=True, size=None).double()
    r = 2.0 * BOTH[:, 3:].exp().numpy()
    wanted = scipy.stats.nbinom(r, r / (r + BOTH[:, :3].exp().numpy())).logpmf(X)
    np.testing.assert_allclose(decoded.log_prob(BOTH, X), wanted.sum(1), rtol=1e-6)  # 2.0 in float32's logarithm


@pytest.mark.parametrize(
    ("likelihood", "params", "context"),
    [
        (NegativeBinomial(3, 3.0), PARAMS, SIZE),
        (NegativeBinomial(3, 4.0, decoded=True, size=None), 0.5 * BOTH, None),
    ],
)
def test_keeps_the_contract(likelihood: NegativeBinomial, params: torch.Tensor, context: None) -> None:
    assert "fisher" in check_likelihood(likelihood, params, "counts", context=context).passed


def test_a_large_dispersion_is_poisson_also_in_single_precision() -> None:
    wanted = Poisson().log_prob(PARAMS, X)
    for dtype in (torch.float64, torch.float32):
        result = NegativeBinomial(3, 1e9, size=None).to(dtype).log_prob(PARAMS.to(dtype), X.to(dtype))
        torch.testing.assert_close(result.double().detach(), wanted, rtol=1e-5, atol=1e-5)


def information_by_its_series(mean: float, r: float) -> float:
    """r² (Σ_j P(X > j) / (r + j)² − μ / (r (r + μ))), the plain sum; another formula than the one that is tested."""
    known = scipy.stats.nbinom(r, r / (r + mean))
    j = np.arange(min(int(known.isf(1e-9)) + 10, 300_000))  # what is left out is less than r² / 300,000
    return float(r**2 * ((known.sf(j) / (r + j) ** 2).sum() - mean / (r * (r + mean))))


@pytest.mark.parametrize("mean", [0.01, 0.3, 2.0, 50.0, 2000.0])
@pytest.mark.parametrize("r", [0.01, 0.3, 1.0, 7.0, 100.0])
def test_information_of_the_dispersion_is_its_series(mean: float, r: float) -> None:
    result = float(information_of_log_dispersion(number(math.log(mean)), number(math.log(r))))
    assert result == pytest.approx(information_by_its_series(mean, r), rel=2e-6, abs=1e-13)
    single = information_of_log_dispersion(number(math.log(mean)).float(), number(math.log(r)).float())
    assert float(single) == pytest.approx(result, rel=1e-3)


def test_fisher_of_the_mean_is_r_over_mu_mu_plus_r() -> None:
    likelihood = NegativeBinomial(3, 2.0, decoded=True, size="library_size").double()
    tangents = torch.eye(6, dtype=torch.float64).expand(4, 6, 6)
    result = likelihood.fisher(BOTH, tangents, None, SIZE)
    log_mean, log_r = likelihood.parts(BOTH, SIZE)
    mean, r = log_mean.exp(), log_r.exp()
    torch.testing.assert_close(result.diagonal(dim1=1, dim2=2)[:, :3], mean.square() * r / (mean * (mean + r)))
    assert torch.equal(result, result.diagonal(dim1=1, dim2=2).diag_embed())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(VAEError, match="dispersion is 0, expected a positive number"):
        NegativeBinomial(3, 0)
    with pytest.raises(VAEError, match="entries that are no counts"):
        NegativeBinomial(3, size=None).double().log_prob(PARAMS, X + 0.5)
    with pytest.raises(MissingContextError, match="the context holds nothing"):
        NegativeBinomial(3).double().log_prob(PARAMS, X)
    with pytest.raises(VAEError, match=r"params has shape \(4, 3\), expected \(…, 2 × 3 = 6\)"):
        NegativeBinomial(3, decoded=True, size=None).double().log_prob(PARAMS, X)


@pytest.mark.parametrize("r", [1e-3, 0.5, 3.0, 19.0, 21.0, 1e3, 1e6])
def test_large_counts_are_as_exact_in_float32_as_the_log_mean_is(r: float) -> None:
    """Beside scipy in float64 at the same params, in value and slope; 1e9 is Poisson's law, as above."""
    log_mean = offsets(COUNTS)[:4]
    log_r = torch.tensor(math.log(r))
    exact, exact_r = log_mean.double().requires_grad_(), log_r.double().requires_grad_()
    mean, shape = exact.detach().exp().numpy(), math.exp(float(exact_r.detach()))
    wanted = scipy.stats.nbinom(shape, shape / (shape + mean)).logpmf(COUNTS.numpy())
    np.testing.assert_allclose(log_pmf(exact, exact_r, COUNTS.double()).detach(), wanted, rtol=1e-9, atol=1e-7)
    single, single_r = log_mean.clone().requires_grad_(), log_r.clone().requires_grad_()
    result = log_pmf(single, single_r, COUNTS)
    np.testing.assert_allclose(result.detach(), wanted, rtol=1e-5, atol=2e-3)
    slopes = torch.autograd.grad(result.sum(), (single, single_r))
    exacts = torch.autograd.grad(log_pmf(exact, exact_r, COUNTS.double()).sum(), (exact, exact_r))
    np.testing.assert_allclose(slopes[0], exacts[0], rtol=2e-3, atol=12)
    np.testing.assert_allclose(slopes[1], exacts[1], rtol=2e-3, atol=0.1)


@pytest.mark.parametrize("log_r", [-1e4, -200.0, -100.0, 100.0, 1e4])
def test_a_dispersion_that_cannot_be_written_is_the_last_that_can(log_r: float) -> None:
    likelihood = NegativeBinomial(4, decoded=True, size=None)
    x = torch.tensor([[0.0, 1.0, 30.0, 1e4]])
    params = torch.tensor([[1.0, -1.0, 3.0, 9.0] + 4 * [log_r]]).requires_grad_()
    value = likelihood.log_prob(params, x)
    (slope,) = torch.autograd.grad(value.sum(), params)
    assert bool(slope.isfinite().all())
    limit = params.detach().clone().clamp(-MOST, MOST)
    assert torch.equal(value.detach(), likelihood.log_prob(limit, x))
    if log_r > 0:
        torch.testing.assert_close(value.detach(), Poisson().log_prob(limit[:, :4], x), rtol=1e-5, atol=1e-5)
    for drawn in (likelihood.sample(params.detach(), torch.Generator()), likelihood.variance(params.detach())):
        assert not bool(drawn.isnan().any())
