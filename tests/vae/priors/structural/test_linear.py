from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from designloop.testing import check_prior
from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.structural.linear import StructuralCausal

CAUSES = torch.tensor([[0, 0, 1], [1, 0, 1], [0, 0, 0]])
"""2 causes 0 and 1, 0 causes 1: no order of the numbers."""

EFFECTS = torch.tensor([[9.0, 9.0, 0.8], [-1.5, 9.0, 0.4], [9.0, 9.0, 9.0]])
"""The nines stand where nothing is caused."""


def model(causes: torch.Tensor = CAUSES) -> StructuralCausal:
    prior = StructuralCausal(causes)
    n = len(causes)
    prior.effects.data.copy_(EFFECTS[:n, :n])
    prior.offset.data.copy_(torch.tensor([0.5, -0.2, 1.0])[:n])
    prior.log_scale.data.copy_(torch.tensor([-0.5, 0.3, 0.1])[:n])
    return prior


def test_keeps_the_contract() -> None:
    assert "divergence" in check_prior(model()).passed
    assert "normalised" in check_prior(model(torch.tensor([[0, 0], [1, 0]]))).passed


def test_density_and_divergence_are_those_of_the_normal_that_it_implies() -> None:
    prior = model().double()
    a = np.array([[0, 0, 0.8], [-1.5, 0, 0.4], [0, 0, 0]])
    inverse = np.linalg.inv(np.eye(3) - a)
    mean = inverse @ prior.offset.detach().numpy()
    covariance = inverse @ np.diag(np.exp(2 * prior.log_scale.detach().numpy())) @ inverse.T
    z = torch.randn(5, 4, 3, dtype=torch.float64, generator=generator())
    np.testing.assert_allclose(prior.log_prob(z).detach(), multivariate_normal(mean, covariance).logpdf(z), rtol=1e-6)
    q = DiagonalNormal(z[0], (0.3 * z[1]).exp())
    known = torch.distributions.MultivariateNormal(torch.from_numpy(mean), torch.from_numpy(covariance))
    own = torch.distributions.MultivariateNormal(q.mean, torch.diag_embed(q.scale.square()))
    wanted = torch.distributions.kl_divergence(own, known)
    torch.testing.assert_close(prior.kl(q, z[0]).detach(), wanted, rtol=1e-6, atol=1e-6)  # effects are made in float32


def test_an_intervention_changes_effects_and_never_causes() -> None:
    """do(z0 = 2): unit 2 as before, unit 1 = −1.5 · 2 + 0.4 z2 − 0.2 + noise; mean and variance in closed form."""
    prior, n = model().double(), 100_000
    free, cut = prior.sample(n, None, generator()).detach(), prior.sample(n, None, generator(), do={0: 2.0}).detach()
    assert torch.equal(cut[:, 0], torch.full((n,), 2.0, dtype=torch.float64))
    assert torch.equal(cut[:, 2], free[:, 2])
    scale = prior.log_scale.detach().exp()
    variance = 0.16 * scale[2] ** 2 + scale[1] ** 2
    assert float(cut[:, 1].mean()) == pytest.approx(-1.5 * 2 + 0.4 * 1.0 - 0.2, abs=5 * float(variance / n) ** 0.5)
    assert float(cut[:, 1].var()) == pytest.approx(float(variance), rel=5 * (2 / n) ** 0.5)


def test_a_counterfactual_keeps_the_noise() -> None:
    prior = model().double()
    z = prior.sample(6, None, generator()).detach()
    torch.testing.assert_close(prior.counterfactual(z, {}), z)
    torch.testing.assert_close(prior.counterfactual(z, {2: z[:, 2]}), z)
    moved = prior.counterfactual(z, {2: z[:, 2] + 1}).detach()
    step = torch.tensor([0.8, 0.4 - 1.5 * 0.8, 1.0], dtype=torch.float64)  # the total effects of unit 2
    torch.testing.assert_close(moved - z, step.expand(6, 3), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(prior.noise_of(moved)[:, :2], prior.noise_of(z)[:, :2])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(VAEError, match="causes has a cycle among the units 0, 1; take out an arrow"):
        StructuralCausal(torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    with pytest.raises(VAEError, match="no unit may cause itself"):
        StructuralCausal(torch.eye(2))
    with pytest.raises(ShapeError, match=r"causes has shape \(2, 3\), expected \(latent, latent\)"):
        StructuralCausal(torch.zeros(2, 3))
    with pytest.raises(VAEError, match="do sets unit 7, the units are 0 to 2; give one of them"):
        model().sample(2, do={7: 0.0})
    with pytest.raises(ShapeError, match=r"do\[0\] has shape \(3,\), expected \(\) or \(2,\); give a number, or one a"):
        model().sample(2, do={0: torch.zeros(3)})
    with pytest.raises(ShapeError, match=r"do\[0\] has shape \(2, 1\), expected \(\) or \(2,\)"):
        model().sample(2, do={0: torch.zeros(2, 1)})
