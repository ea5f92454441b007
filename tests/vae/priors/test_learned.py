"""The learned prior against scipy's and scikit-learn's densities, noised and not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.mixture import GaussianMixture

from designloop.testing import check_prior
from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.learned import LearnedPrior


def mixture(components: int, latent: int = 2) -> LearnedPrior:
    roots = torch.randn(components, latent, latent, dtype=torch.float64, generator=generator(1))
    covariances = roots @ roots.mT + 0.3 * torch.eye(latent, dtype=torch.float64)
    means = 2 * torch.randn(components, latent, dtype=torch.float64, generator=generator(2))
    return LearnedPrior(torch.arange(1.0, components + 1, dtype=torch.float64), means, covariances)


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("noised", [False, True])
def test_it_keeps_the_contract_of_a_prior(components: int, noised: bool) -> None:
    context = {"noise": torch.tensor([0.0, 0.5, 2.0])} if noised else None
    check_prior(mixture(components).float(), context=context)


@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_density_is_scipys(noise: float) -> None:
    prior = mixture(3, 4)
    z = torch.randn(50, 4, dtype=torch.float64, generator=generator(3))
    covariances = prior.axes @ torch.diag_embed(prior.variances) @ prior.axes.mT
    densities = [
        float(w) * scipy.stats.multivariate_normal(m.numpy(), c.numpy() + noise**2 * np.eye(4)).pdf(z.numpy())
        for w, m, c in zip(prior.weights, prior.means, covariances, strict=True)
    ]
    context = {"noise": torch.full((50,), noise, dtype=torch.float64)}
    np.testing.assert_allclose(prior.log_prob(z, context), np.log(np.sum(densities, 0)), rtol=1e-10)


def test_one_component_has_the_latents_own_moments() -> None:
    latents = torch.randn(400, 3, dtype=torch.float64, generator=generator()) @ torch.randn(
        3, 3, dtype=torch.float64, generator=generator(4)
    )
    prior = LearnedPrior.fit(latents, floor=0.0)
    covariance = prior.axes[0] @ torch.diag(prior.variances[0]) @ prior.axes[0].T
    np.testing.assert_allclose(prior.means[0], latents.mean(0), atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(latents.numpy().T, bias=True), rtol=1e-9, atol=1e-12)
    assert prior.means.dtype == torch.float64
    assert LearnedPrior.fit(latents.float()).means.dtype == torch.float32


def test_a_fit_finds_the_mixture_that_the_latents_come_from() -> None:
    """Its likelihood of fresh rows is that of scikit-learn's own fit, and within reach of the true density's."""
    true = LearnedPrior(
        torch.tensor([1.0, 3.0]), torch.tensor([[-3.0, 0.0], [3.0, 1.0]]), torch.eye(2).expand(2, 2, 2) * 0.5
    ).double()
    rows, fresh = true.sample(4000, generator=generator(5)), true.sample(4000, generator=generator(6))
    result = LearnedPrior.fit(rows, components=2, seed=1)
    theirs = GaussianMixture(2, random_state=1).fit(rows.numpy()).score_samples(fresh.numpy())
    assert float(result.log_prob(fresh).mean()) == pytest.approx(float(theirs.mean()), abs=1e-3)
    assert float((true.log_prob(fresh) - result.log_prob(fresh)).mean()) < 0.01
    single = LearnedPrior.fit(rows)
    assert float((result.log_prob(fresh) - single.log_prob(fresh)).mean()) > 0.3


def test_noise_is_a_convolution() -> None:
    """Draws at a noise level are draws without one plus normal noise: the same moments, each row its own level."""
    prior, levels = mixture(2), torch.tensor([0.0, 3.0], dtype=torch.float64)
    drawn = prior.sample(60_000, {"noise": levels}, generator(7))
    mean = (prior.weights[:, None] * prior.means).sum(0)
    clean = prior.sample(60_000, generator=generator(8))
    for row, level in enumerate(levels.tolist()):
        np.testing.assert_allclose(drawn[:, row].mean(0), mean, atol=0.06)
        wanted = np.cov(clean.numpy().T) + level**2 * np.eye(2)
        np.testing.assert_allclose(np.cov(drawn[:, row].numpy().T), wanted, atol=0.25)


def test_kl_of_one_component_is_the_closed_form_between_normals() -> None:
    prior = mixture(1, 3)
    posterior = DiagonalNormal(
        torch.randn(5, 3, dtype=torch.float64, generator=generator(9)),
        torch.rand(5, 3, dtype=torch.float64, generator=generator(10)) + 0.1,
    )
    covariance = prior.axes[0] @ torch.diag(prior.variances[0]) @ prior.axes[0].T
    theirs = torch.distributions.kl_divergence(
        torch.distributions.MultivariateNormal(posterior.mean, torch.diag_embed(posterior.scale.square())),
        torch.distributions.MultivariateNormal(prior.means[0], covariance),
    )
    np.testing.assert_allclose(prior.kl(posterior, posterior.mean), theirs, rtol=1e-10)


def test_what_cannot_be_fitted_is_told() -> None:
    with pytest.raises(ShapeError, match=r"latents has shape \(5, 3\), expected \(at least 8, latent\); encode more"):
        LearnedPrior.fit(torch.zeros(5, 3), components=2)
    rows = torch.randn(50, 3, generator=generator())
    rows[3, 1] = torch.nan
    with pytest.raises(VAEError, match="latents hold NaN or infinite values"):
        LearnedPrior.fit(rows)
    with pytest.raises(VAEError, match=r"the smallest variance 0, expected positive"):
        LearnedPrior(torch.ones(1), torch.zeros(1, 2), torch.zeros(1, 2, 2))
    with pytest.raises(ShapeError, match="one weight, one mean and one covariance a component"):
        LearnedPrior(torch.ones(2), torch.zeros(1, 2), torch.eye(2)[None])
