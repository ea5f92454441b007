"""PPCA and factor analysis against published values, scikit-learn and dense Gaussians of scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA, FactorAnalysis
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.linear.linear_gaussian import (
    LinearGaussian,
    canonicalise,
    factor_analysis,
    log_evidence,
    posterior,
    ppca,
)


def standardised(data: np.ndarray) -> Tensor:
    return torch.from_numpy((data - data.mean(0)) / data.std(0))


def a_model(features: int = 5, latent: int = 2, shared: bool = False, seed: int = 0) -> LinearGaussian:
    numbers = {"generator": generator(seed), "dtype": torch.float64}
    return LinearGaussian(
        torch.randn(features, latent, **numbers),  # type: ignore[call-overload]
        torch.randn(features, **numbers),  # type: ignore[call-overload]
        torch.rand(1 if shared else features, **numbers) + 0.1,  # type: ignore[call-overload]
    )


DATA = {
    "breast_cancer": standardised(load_breast_cancer().data),
    "iris": standardised(load_iris().data),
    "diabetes": standardised(load_diabetes(scaled=False).data),
    "digits": torch.from_numpy(load_digits().data / 16),
}

PPCA = [
    ("breast_cancer", 2, -31.6849),
    ("breast_cancer", 5, -24.6251),
    ("breast_cancer", 10, -18.1850),
    ("iris", 2, -3.6863),
    ("diabetes", 2, -12.7695),
    ("diabetes", 5, -12.1937),
    ("digits", 2, 0.0057),
    ("digits", 5, 8.9076),
    ("digits", 10, 17.4519),
    ("digits", 20, 27.2773),
]


@pytest.mark.parametrize(("name", "latent", "published"), PPCA)
def test_ppca_reaches_the_maxima_that_are_known(name, latent, published) -> None:
    x = DATA[name]
    model = ppca(x, latent)
    assert float(log_evidence(model, x).mean()) == pytest.approx(published, abs=5.1e-5)
    # scikit-learn divides by n − 1: its model is ours with all second moments n / (n − 1) as large.
    more = len(x) / (len(x) - 1)
    theirs = PCA(latent, svd_solver="full").fit(x.numpy())
    np.testing.assert_allclose(more * model.covariance, theirs.get_covariance(), atol=1e-9)
    scaled = LinearGaussian(model.weights * math.sqrt(more), model.offset, model.variance * more)
    np.testing.assert_allclose(log_evidence(scaled, x), theirs.score_samples(x.numpy()), rtol=1e-8, atol=1e-8)


def test_the_score_of_ppca_is_its_closed_form() -> None:
    """At the maximum the quadratic form averages to the number of features (Tipping & Bishop 1999, eq. 4)."""
    x = DATA["breast_cancer"]
    values = torch.linalg.eigvalsh(x.T @ x / len(x)).flip(0)
    noise = values[5:].mean()
    wanted = -0.5 * (30 * math.log(2 * math.pi) + values[:5].log().sum() + 25 * noise.log() + 30)
    assert float(log_evidence(ppca(x, 5), x).mean()) == pytest.approx(float(wanted), abs=1e-9)


def test_ppca_is_a_maximum() -> None:
    x = DATA["iris"]
    best = ppca(x, 2)
    top = float(log_evidence(best, x).mean())
    for seed in range(5):
        step = a_model(4, 2, shared=True, seed=seed)
        for size in (1e-2, -1e-2):
            moved = LinearGaussian(
                best.weights + size * step.weights,
                best.offset + size * step.offset,
                best.variance * (1 + size * step.variance),
            )
            assert float(log_evidence(moved, x).mean()) < top


def test_factor_analysis_reaches_the_maximum_that_is_known() -> None:
    x = DATA["breast_cancer"]
    model = factor_analysis(x, 2)
    assert float(log_evidence(model, x).mean()) == pytest.approx(-23.5465, abs=5.1e-5)
    theirs = FactorAnalysis(2, tol=1e-8, max_iter=5000, svd_method="lapack").fit(x.numpy())
    assert float(log_evidence(model, x).mean()) == pytest.approx(theirs.score(x.numpy()), abs=1e-6)
    np.testing.assert_allclose(model.covariance, theirs.get_covariance(), atol=2e-4)


def test_factor_analysis_finds_what_drew_the_data() -> None:
    truth = a_model(8, 2)
    z = torch.randn(20_000, 2, generator=generator(1), dtype=torch.float64)
    noise = torch.randn(20_000, 8, generator=generator(2), dtype=torch.float64)
    x = z @ truth.weights.T + truth.offset + truth.variance.sqrt() * noise
    result = factor_analysis(x, 2)
    size = float(truth.covariance.diagonal().max())
    torch.testing.assert_close(result.covariance, truth.covariance, rtol=0, atol=0.05 * size)
    torch.testing.assert_close(result.variance, truth.variance, rtol=0.1, atol=0.03)


def test_a_factor_that_is_a_feature_stops_at_the_floor() -> None:
    """A Heywood case: with five factors some features of this data have no noise at the maximum, only below it."""
    for floor in (1e-3, 1e-6):
        assert float(factor_analysis(DATA["breast_cancer"], 5, floor).variance.min()) == pytest.approx(floor, rel=1e-6)


@given(features=st.integers(2, 6), seed=st.integers(0, 1000), shared=st.booleans(), data=st.data())
def test_evidence_and_posterior_are_those_of_the_dense_gaussian(features, seed, shared, data) -> None:
    """Marginals and conditionals of N((b, 0), [[W Wᵀ + ψ, W], [Wᵀ, I]]), whatever is observed."""
    latent = data.draw(st.integers(1, 4))
    model = a_model(features, latent, shared, seed)
    x = torch.randn(3, features, generator=generator(seed + 1), dtype=torch.float64)
    mask = torch.tensor(data.draw(st.lists(st.lists(st.booleans(), min_size=features, max_size=features),
                                           min_size=3, max_size=3)))  # fmt: skip
    held = torch.where(mask, x, torch.full_like(x, math.nan))
    result, evidence = posterior(model, held, mask), log_evidence(model, held, mask)
    for row in range(3):
        seen = mask[row].numpy()
        cross, within = model.weights[seen].numpy(), model.covariance.numpy()[np.ix_(seen, seen)]
        away = (x[row] - model.offset).numpy()[seen]
        gain = cross.T @ np.linalg.inv(within)
        np.testing.assert_allclose(result.mean[row], gain @ away, atol=1e-9)
        np.testing.assert_allclose(result.covariance[row], np.eye(latent) - gain @ cross, atol=1e-9)
        wanted = multivariate_normal(cov=within).logpdf(away) if seen.any() else 0.0
        assert float(evidence[row]) == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)


def test_what_stands_in_a_missing_entry_reaches_no_gradient() -> None:
    x = torch.randn(3, 5, generator=generator(), dtype=torch.float64)
    mask = torch.tensor([[1, 1, 0, 1, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1]]).bool()
    parts = a_model()
    slopes = []
    for held in (0.0, math.nan, math.inf):
        leaves = [parameter.clone().requires_grad_() for parameter in (parts.weights, parts.offset, parts.variance)]
        value = log_evidence(LinearGaussian(*leaves), x.masked_fill(~mask, held), mask).sum()
        slopes.append(torch.autograd.grad(value, leaves))
    for other in slopes[1:]:
        assert all(torch.equal(a, b) for a, b in zip(slopes[0], other, strict=True))
    torch.autograd.gradcheck(
        lambda w, b, v: log_evidence(LinearGaussian(w, b, v), x, mask),
        [parameter.clone().requires_grad_() for parameter in (parts.weights, parts.offset, parts.variance)],
    )


def test_without_a_mask_all_is_observed() -> None:
    model, x = a_model(), torch.randn(4, 5, generator=generator(), dtype=torch.float64)
    everything = torch.ones(4, 5, dtype=torch.bool)
    torch.testing.assert_close(log_evidence(model, x), log_evidence(model, x, everything))
    torch.testing.assert_close(posterior(model, x).mean, posterior(model, x, everything).mean)
    torch.testing.assert_close(
        posterior(model, x).covariance.expand(4, 2, 2), posterior(model, x, everything).covariance
    )


def test_a_full_normal_is_the_one_of_torch() -> None:
    x = torch.randn(3, 5, generator=generator(), dtype=torch.float64)
    mask = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]).bool()
    given_x = posterior(a_model(), x, mask)
    theirs = torch.distributions.MultivariateNormal(given_x.mean, given_x.covariance)
    z = torch.randn(7, 3, 2, generator=generator(1), dtype=torch.float64)
    torch.testing.assert_close(given_x.log_prob(z), theirs.log_prob(z))
    noise = torch.randn(200_000, 3, 2, generator=generator(2), dtype=torch.float64)
    away = given_x.at(noise) - given_x.mean
    result = torch.einsum("nbi,nbj->bij", away, away) / len(noise)
    torch.testing.assert_close(result, given_x.covariance, rtol=0, atol=5 * math.sqrt(2 / len(noise)))
    assert torch.equal(given_x.rsample(generator(3)), given_x.rsample(generator(3)))
    assert given_x.rsample(generator(3)).shape == (3, 2)


@pytest.mark.parametrize("shared", [True, False])
def test_the_canonical_rotation_keeps_the_distribution_and_parts_the_units(shared) -> None:
    model = a_model(6, 3, shared)
    turned = canonicalise(model)
    torch.testing.assert_close(turned.covariance, model.covariance)
    products = turned.weights.T @ (turned.weights / model.variance.unsqueeze(-1))
    torch.testing.assert_close(products, torch.diag(products.diagonal()), rtol=0, atol=1e-10)
    assert all(a > b for a, b in itertools.pairwise(products.diagonal().tolist()))
    torch.testing.assert_close(canonicalise(turned).weights, turned.weights)


@pytest.mark.parametrize("fitted", [ppca, factor_analysis])
def test_what_is_fitted_is_canonical_and_of_the_dtype_that_came(fitted) -> None:
    for dtype, bound in ((torch.float64, 1e-7), (torch.float32, 1e-3)):
        model = fitted(DATA["breast_cancer"].to(dtype), 2)
        assert model.weights.dtype == model.offset.dtype == model.variance.dtype == dtype
        torch.testing.assert_close(canonicalise(model).weights, model.weights, rtol=bound, atol=bound)


def test_what_cannot_be_fitted_is_told() -> None:
    x = DATA["iris"]
    for latent in (0, 4):
        with pytest.raises(ShapeError, match=r"x has shape \(150, 4\), expected \(rows, more than latent = \d feat"):
            ppca(x, latent)
    with pytest.raises(VAEError, match=r"NaN or infinite.*leave those rows out"):
        ppca(x.masked_fill(x > 2, math.nan), 2)
    flat = x[:, :2] @ torch.randn(2, 4, generator=generator(), dtype=torch.float64)
    with pytest.raises(VAEError, match=r"latent is 2, and the data has no variance outside .* lower latent"):
        ppca(flat, 2)
    with pytest.raises(VAEError, match="feature 3 of x is constant"):
        factor_analysis(x * torch.tensor([1, 1, 1, 0]), 1)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"x has shape \(2, 4\), expected \(batch, 5\)"):
        log_evidence(a_model(), torch.zeros(2, 4).double())
    with pytest.raises(ShapeError, match=r"mask has shape \(1, 5\), expected \(2, 5\) as x"):
        posterior(a_model(), torch.zeros(2, 5).double(), torch.ones(1, 5).bool())
