"""Denoising against conjugate posteriors, and Anscombe's transform against the sum that its inverse stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import poisson
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.denoising import anscombe, denoise, inverse_anscombe
from designloop.vae.errors import CapabilityError, VAEError
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.linear.linear_gaussian import LinearGaussian, posterior
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.model import VAE
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.standard_normal import StandardNormal


def linear() -> LinearGaussian:
    weights = torch.tensor([[1.5, 0.3], [0.2, -1.0], [0.7, 0.7], [-0.4, 1.1]], dtype=torch.float64)
    return LinearGaussian(weights, torch.tensor([0.5, 0.0, -1.0, 2.0]).double(), torch.tensor([0.3]).double())


def test_a_gaussian_row_is_denoised_as_the_posterior_says_though_the_encoder_is_too_wide() -> None:
    exact, k = linear(), 4000
    x = torch.tensor([[1.0, 0.5, -0.3, 2.0], [-1.0, 0.1, 0.2, 0.4]], dtype=torch.float64)
    given = posterior(exact, x)
    mean = given.mean @ exact.weights.T + exact.offset
    variance = (exact.weights @ given.covariance @ exact.weights.T).diagonal(dim1=-2, dim2=-1)
    result = denoise(as_vae(exact, widen=1.3), x, k=k, generator=generator())
    error = (variance / result.evidence.effective_samples.unsqueeze(1)).sqrt()
    assert bool(((result.mean - mean).abs() < 5 * error).all())
    torch.testing.assert_close(result.variance, variance.expand_as(mean), rtol=0.15, atol=0)
    assert bool(((result.mean - x).abs() > 0.05).any()), "observed entries are not left as they are"


def counts_vae(size: str | None = None) -> VAE:
    """Images of one rate: log rate = z in every pixel."""

    def decode(z: Tensor, context: object) -> Tensor:
        return z[:, :, None, None].expand(-1, 1, 2, 3)

    def encode(x: Tensor, mask: Tensor | None, context: object) -> DiagonalNormal:
        return DiagonalNormal(torch.zeros(len(x), 1).double(), torch.full((len(x), 1), 1.5).double())

    return VAE(encode, decode, Poisson(size), StandardNormal(1).double())


def exact_rate(total: int, pixels: int, exposure: float) -> float:
    """E[exp(z) | counts] by a sum over a grid of z."""
    z = np.linspace(-8, 8, 20_001)
    log_joint = total * z - pixels * exposure * np.exp(z) - z**2 / 2
    weights = np.exp(log_joint - log_joint.max())
    return float((weights * np.exp(z)).sum() / weights.sum())


@pytest.mark.parametrize("exposure", [1.0, 4.0])
def test_images_of_counts_are_denoised_whatever_their_exposure(exposure: float) -> None:
    x = torch.tensor([[[[1, 0, 2], [0, 3, 1]]], [[[9, 7, 5], [6, 8, 7]]]]).double()
    context = {"exposure": torch.full((2,), exposure).double()}
    result = denoise(counts_vae("exposure"), x, None, context, k=20_000, generator=generator())
    assert result.mean.shape == result.variance.shape == x.shape
    for row, total in enumerate((7, 42)):
        expected = exposure * exact_rate(total, 6, exposure)
        torch.testing.assert_close(result.mean[row], torch.full((1, 2, 3), expected).double(), rtol=0.02, atol=0)


def test_a_masked_pixel_is_said_and_does_not_count() -> None:
    x = torch.tensor([[[[1.0, torch.nan, 2], [0, 3, torch.nan]]]]).double()
    result = denoise(counts_vae(), x, ~x.isnan(), k=20_000, generator=generator())
    torch.testing.assert_close(result.mean[0, 0, 0, 1], torch.tensor(exact_rate(6, 4, 1.0)).double(), rtol=0.02, atol=0)
    assert torch.equal(result.mean[0, 0, 0], result.mean[0, 0, 1])


def test_what_has_no_mean_cannot_be_denoised() -> None:
    vae = counts_vae()
    classes = VAE(vae.encoder, vae.decoder, Categorical(3), vae.prior)
    with pytest.raises(CapabilityError, match="Categorical offers no mean"):
        denoise(classes, torch.zeros(1, 1, 2, 3).double(), k=5)
    with pytest.raises(VAEError, match="k is 0, expected at least one draw"):
        denoise(as_vae(linear()), torch.zeros(1, 4).double(), k=0)


def test_anscombe_makes_the_variance_one() -> None:
    for rate in (4.0, 20.0, 300.0):
        x = np.arange(int(rate + 12 * math.sqrt(rate)) + 20)
        chance, values = poisson.pmf(x, rate), anscombe(torch.from_numpy(x).double()).numpy()
        variance = (chance * values**2).sum() - (chance * values).sum() ** 2
        assert variance == pytest.approx(1, abs=0.02)


def test_the_inverse_is_the_rate_whose_counts_have_that_mean() -> None:
    rates = np.concatenate([[0.0], np.geomspace(0.05, 200, 40)])
    x = np.arange(600)
    means = (poisson.pmf(x, rates[:, None]) * (2 * np.sqrt(x + 0.375))).sum(1)
    result = inverse_anscombe(torch.from_numpy(means)).numpy()
    np.testing.assert_allclose(result, rates, rtol=0, atol=0.05)
    plain = (means / 2) ** 2 - 0.375
    few = (rates > 0.5) & (rates < 50)
    assert (np.abs(result - rates)[few] < 0.5 * np.abs(plain - rates)[few]).all(), "the algebraic inverse is biased"
    assert inverse_anscombe(torch.tensor([0.0, 1.0, 2 * math.sqrt(0.375)])).tolist() == pytest.approx(
        [0, 0, 0], abs=1e-6
    )


def test_a_size_a_row_stands_beside_images_and_is_told_if_it_is_none() -> None:
    likelihood, params = Poisson("exposure"), torch.zeros(2, 1, 2, 3)
    exposure = torch.tensor([1.0, 5.0])
    for size in (exposure, exposure[:, None], exposure[:, None, None, None]):
        mean = likelihood.mean(params, {"exposure": size})
        assert torch.equal(mean, exposure[:, None, None, None].expand(2, 1, 2, 3))
    x = torch.ones(2, 1, 2, 3)
    by_draw = likelihood.log_prob(params.expand(4, 2, 1, 2, 3), x, None, {"exposure": exposure})
    torch.testing.assert_close(by_draw, torch.stack([6 * (exposure.log() - exposure)] * 4))
    with pytest.raises(VAEError, match=r"context\['exposure'\] has shape \(3,\), expected \(2,\); give one size a row"):
        likelihood.mean(params, {"exposure": torch.ones(3)})
    with pytest.raises(VAEError, match=r"context\['exposure'\] has shape \(2, 3\), expected \(2,\)"):
        likelihood.mean(params, {"exposure": torch.ones(2, 3)})


def test_gaussian_images_are_denoised_too() -> None:
    def decode(z: Tensor, context: object) -> Tensor:
        return z[:, :, None, None].expand(-1, 1, 2, 3)

    def encode(x: Tensor, mask: Tensor | None, context: object) -> DiagonalNormal:
        return DiagonalNormal(6 / 7 * x.flatten(1).mean(1, keepdim=True), torch.full((len(x), 1), 7**-0.5).double())

    vae = VAE(encode, decode, Gaussian(3, 1.0, learned=False).double(), StandardNormal(1).double())
    x = torch.arange(12).view(2, 1, 2, 3).double()
    result = denoise(vae, x, k=4000, generator=generator())
    expected = (6 / 7 * x.mean((1, 2, 3), keepdim=True)).expand_as(x)
    torch.testing.assert_close(result.mean, expected, rtol=0, atol=5 * (7 * 4000) ** -0.5)
    torch.testing.assert_close(result.variance, torch.full_like(x, 1 / 7), rtol=0.1, atol=0)
