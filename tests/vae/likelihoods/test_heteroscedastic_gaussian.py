from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from designloop.testing import check_likelihood
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian

PARAMS = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_density_against_scipy() -> None:
    sd = (0.5 * PARAMS[:, 3:]).exp().numpy()
    wanted = scipy.stats.norm(PARAMS[:, :3].numpy(), sd).logpdf(X.numpy()).sum(1)
    np.testing.assert_allclose(HeteroscedasticGaussian(0.0).log_prob(PARAMS, X), wanted, rtol=1e-12)


@pytest.mark.parametrize("least", [0.0, 0.4])
def test_keeps_the_contract(least: float) -> None:
    assert "fisher" in check_likelihood(HeteroscedasticGaussian(least), PARAMS).passed


@pytest.mark.parametrize("least", [0.0, 0.4])
def test_fisher_is_that_of_mean_and_standard_deviation(least: float) -> None:
    """Jμᵀ Jμ / σ² + 2 Jσᵀ Jσ / σ², with Jσ by finite differences of the standard deviation."""
    likelihood = HeteroscedasticGaussian(least)
    tangents = torch.randn(4, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def sd(params: torch.Tensor) -> torch.Tensor:
        return likelihood.variance(params).sqrt()

    step = 1e-5
    ways = [(sd(PARAMS + step * t) - sd(PARAMS - step * t)) / (2 * step) for t in tangents.unbind(1)]
    of_sd, of_mean = torch.stack(ways, 1) / sd(PARAMS).unsqueeze(1), tangents[..., :3] / sd(PARAMS).unsqueeze(1)
    wanted = of_mean @ of_mean.transpose(1, 2) + 2 * of_sd @ of_sd.transpose(1, 2)
    torch.testing.assert_close(likelihood.fisher(PARAMS, tangents), wanted, rtol=1e-7, atol=1e-7)


def test_the_least_variance_bounds_the_density() -> None:
    params = torch.tensor([[1.0, -300.0]], dtype=torch.float64)
    met = HeteroscedasticGaussian(0.01).log_prob(params, torch.ones(1, 1, dtype=torch.float64))
    assert float(met) == pytest.approx(-0.5 * np.log(2 * np.pi * 0.01))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(VAEError, match=r"least is -1\.0, expected a variance"):
        HeteroscedasticGaussian(-1.0)
    with pytest.raises(ShapeError, match=r"params has shape \(4, 3\), expected \(…, 2 × 3 = 6\)"):
        HeteroscedasticGaussian().log_prob(X, X)


@pytest.mark.parametrize("log_variance", [-1e4, -100.0, 100.0, 1e4])
@pytest.mark.parametrize("least", [0.0, 1e-6])
def test_a_variance_that_cannot_be_written_is_the_last_that_can(log_variance: float, least: float) -> None:
    """In float32, in value and slope."""
    likelihood = HeteroscedasticGaussian(least)
    params, x = torch.tensor([[0.5, log_variance]]).requires_grad_(), torch.tensor([[0.75]])
    value = likelihood.log_prob(params, x)
    (slope,) = torch.autograd.grad(value.sum(), params)
    assert bool(slope.isfinite().all())
    sd = np.sqrt(np.exp(np.clip(log_variance, -60, 60)) + least)
    assert float(value.detach()) == pytest.approx(scipy.stats.norm(0.5, sd).logpdf(0.75), rel=1e-5)
