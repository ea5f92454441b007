"""The optimal linear β-VAE against its closed form, and a trained one against both."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from designloop.vae.disentanglement.beta import beta_curves, beta_optimum, rate_and_error
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.linear.linear_gaussian import ppca
from designloop.vae.linear.linear_vae import as_vae, expected_elbo, untrained_vae
from designloop.vae.model import VAE
from designloop.vae.priors.mixture import GaussianMixture
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine


def data(spreads: list[float], rows: int = 400, seed: int = 0) -> Tensor:
    """Rows whose covariance, divisor n, has these eigenvalues exactly, in turned axes."""
    generator = torch.Generator().manual_seed(seed)
    n = len(spreads)
    x = torch.randn(rows, n, generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / rows)).T
    turn = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q
    turned: Tensor = white * torch.tensor(spreads, dtype=torch.float64).sqrt() @ turn
    return turned + 3


def eigenvalues(x: Tensor) -> Tensor:
    values: Tensor = torch.linalg.eigvalsh(torch.cov(x.T, correction=0))
    return values


def with_noise(vae: VAE, variance: float) -> VAE:
    """The same with a likelihood of fixed variance."""
    features = vae.decode(torch.zeros(1, vae.prior.latent, dtype=torch.float64)).shape[1]
    return VAE(vae.encoder, vae.decoder, Gaussian(features, variance, learned=False).double(), vae.prior)


def beta_loss(vae: VAE, x: Tensor, beta: float) -> float:
    """Without noise: the ELBO is quadratic in it, the KL has none."""
    kl = vae.prior.kl(vae.encode(x), x)
    return float((-expected_elbo(vae, x) + (beta - 1) * kl).detach().mean())


def test_curves_by_hand() -> None:
    result = beta_curves(torch.tensor([1.0, 8.0, 4.0]), 2, 0.5, torch.tensor([1.0, 8.0, 16.0]))
    torch.testing.assert_close(result.kl, 0.5 * torch.tensor([[16.0, 8.0], [2.0, 1.0], [1.0, 1.0]]).log())
    torch.testing.assert_close(result.error, torch.tensor([0.5 + 0.5 + 1, 4.0 + 4 + 1, 8.0 + 4 + 1]))


@given(
    st.lists(st.floats(0.05, 20), min_size=3, max_size=6),
    st.lists(st.floats(0.05, 20), min_size=2, max_size=6),
    st.floats(0.1, 3),
)
def test_kl_falls_and_error_rises_with_beta(values: list[float], betas: list[float], variance: float) -> None:
    grid = torch.tensor(sorted(betas), dtype=torch.float64)
    result = beta_curves(torch.tensor(values, dtype=torch.float64), 3, variance, grid)
    assert (result.kl.diff(dim=0) <= 1e-12).all()
    assert (result.error.diff() >= -1e-12).all()
    assert (result.kl.diff(dim=1) <= 1e-12).all()  # the greatest first


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0, 9.0])
def test_the_optimum_lies_on_the_curves_and_nothing_near_it_is_better(beta: float) -> None:
    x, variance = data([8, 4, 2, 1, 0.5]), 0.5
    vae = with_noise(as_vae(beta_optimum(x, 3, variance, beta)), variance)
    curves = beta_curves(eigenvalues(x), 3, variance, torch.tensor([beta], dtype=torch.float64))
    kl, error = rate_and_error(vae, x, draws=400, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(kl, curves.kl[0], rtol=0, atol=1e-9)
    assert float(error) == pytest.approx(float(curves.error), rel=0.005)  # of 160,000 draws
    at_best = beta_loss(vae, x, beta)
    closed = float(beta * curves.kl.sum() + curves.error / (2 * variance)) + 2.5 * math.log(2 * math.pi * variance)
    assert at_best == pytest.approx(closed, abs=1e-6)  # a Gaussian's variance begins in float32
    generator = torch.Generator().manual_seed(1)
    for _ in range(10):
        near = with_noise(as_vae(beta_optimum(x, 3, variance, beta)), variance)
        with torch.no_grad():
            for parameter in near.parameters():
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
        assert beta_loss(near, x, beta) > at_best


def test_at_beta_one_and_its_own_noise_it_is_ppca() -> None:
    x = data([8, 4, 2, 1, 0.5])
    best = ppca(x, 2)
    result = beta_optimum(x, 2, float(best.variance), 1.0)
    torch.testing.assert_close(result.weights.abs(), best.weights.abs())
    torch.testing.assert_close(result.variance, best.variance)


def test_a_sweep_from_great_to_small_beta_finds_the_curves() -> None:
    """Each unit begins at its own β, in a direction that the others left; a cold start turns into place slowly."""
    x, variance, betas = data([16, 4, 1, 0.25], 200), 0.25, [32.0, 8.0, 2.0]
    curves = beta_curves(eigenvalues(x), 3, variance, torch.tensor(betas, dtype=torch.float64))
    generator = torch.Generator().manual_seed(0)
    vae = with_noise(untrained_vae(4, 3, generator, dtype=torch.float64), variance)
    for index, beta in enumerate(betas):
        optimizer = torch.optim.Adam(vae.parameters(), lr=0.1, betas=(0.9, 0.99))
        fit(vae, ELBO(beta), [Batch(x)] * 350, optimizer, generator=generator, schedule=cosine(350), clip=math.inf)
        kl, error = rate_and_error(vae, x, draws=100, generator=generator)
        assert ((kl - curves.kl[index]).abs() <= (0.02 * curves.kl[index]).clamp_min(0.02)).all()
        assert float(error) == pytest.approx(float(curves.error[index]), rel=0.03)


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(ShapeError, match=r"eigenvalues has shape \(2,\), expected \(at least latent = 3,\)"):
        beta_curves(torch.ones(2), 3, 1.0, torch.ones(1))
    with pytest.raises(VAEError, match=r"variance is 0.0 and beta \[1.0\], expected positive numbers"):
        beta_curves(torch.ones(3), 3, 0.0, torch.ones(1))
    with pytest.raises(ShapeError, match=r"x has shape \(7, 2\), expected \(rows, at least latent = 3\)"):
        beta_optimum(torch.ones(7, 2), 3, 1.0, 1.0)
    vae = as_vae(ppca(data([3, 2, 1]), 1))
    mixture = GaussianMixture(1, 2, torch.Generator())
    with pytest.raises(VAEError, match=r"GaussianMixture offers no kl_units; .* take StandardNormal"):
        rate_and_error(vae.with_prior(mixture), data([3, 2, 1]))
