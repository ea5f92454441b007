from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.inference.newton import NewtonEncoder, with_newton
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.priors.standard_normal import StandardNormal

STEPS = 7


class Mixed(nn.Module):
    """Params that lean on a step and the next."""

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        return 0.5 + z[..., :-1] - 0.4 * z[..., 1:]


class Plain(nn.Module):
    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        return z


def linear() -> VAE:
    prior = AutoregressiveNormal(STEPS + 1, 1, 0.8).double()
    return with_newton(VAE(MLPEncoder(1, 1), Mixed(), Gaussian(STEPS, 0.3).double(), prior))


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_linear_gaussian_model_has_its_own_posterior_with_gaps_too() -> None:
    vae, x = linear(), numbers(3, STEPS)
    mask = torch.rand(3, STEPS, generator=torch.Generator().manual_seed(1)) < 0.6
    mask[2] = True
    q = vae.encode(x.masked_fill(~mask, torch.nan), mask)
    lags = np.abs(np.subtract.outer(np.arange(STEPS + 1), np.arange(STEPS + 1)))
    rho = float(vae.prior.correlation.detach())  # type: ignore[operator]
    noise = float(vae.likelihood.log_variance.detach().exp())  # type: ignore[operator]
    prior = rho**lags
    design = np.eye(STEPS, STEPS + 1) - 0.4 * np.eye(STEPS, STEPS + 1, 1)
    for row in range(3):
        seen = mask[row].numpy()
        own = design[seen]
        spread = own @ prior @ own.T + noise * np.eye(len(own))
        gain = prior @ own.T @ np.linalg.inv(spread)
        residual = x[row].numpy()[seen] - 0.5
        np.testing.assert_allclose(q.mean[row], gain @ residual, atol=1e-8)
        np.testing.assert_allclose(q.variance[row], np.diag(prior - gain @ own @ prior), rtol=1e-7)
    evidence = importance_evidence(vae, x, mask, k=2).log_evidence
    out = vae(x, mask, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((out.log_prob + out.log_prior - out.log_posterior).detach(), evidence, rtol=1e-7, atol=0)


def test_it_is_nearer_to_the_posterior_than_the_peak_is() -> None:
    """Counts at low rates: a skewed posterior, whose mean is no mode."""
    prior = AutoregressiveNormal(40, 1, 0.9).double()
    vae = with_newton(VAE(MLPEncoder(1, 1), Plain(), Poisson(), prior))
    x = torch.poisson(prior.sample(5, generator=torch.Generator().manual_seed(3)).exp().detach() * 0.5)
    generator = torch.Generator().manual_seed(0)
    effective = []
    for averaged in (0, 2):
        encoder = NewtonEncoder(prior, vae.decoder, vae.likelihood, averaged=averaged)  # type: ignore[arg-type]
        other = VAE(encoder, vae.decoder, vae.likelihood, prior)
        effective.append(importance_evidence(other, x, k=500, generator=generator).effective_samples)
    assert bool((effective[1] > effective[0]).all())
    assert float(effective[1].min()) > 300


class Double(nn.Module):
    """A mean that does not tell the sign of z: two peaks, and a valley between."""

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        return z.square()


def test_a_posterior_that_is_not_concave_has_a_normal_all_the_same() -> None:
    prior = AutoregressiveNormal(4, 1, 0.5).double()
    vae = with_newton(VAE(MLPEncoder(1, 1), Double(), Gaussian(4, 0.1).double(), prior))
    q = vae.encode(torch.full((1, 4), 1.0).double())
    assert bool(q.mean.isfinite().all())
    assert bool((q.variance > 0).all())


def test_a_peak_that_is_not_found_is_told() -> None:
    vae = linear()
    encoder = NewtonEncoder(vae.prior, vae.decoder, vae.likelihood, most=1)  # type: ignore[arg-type]
    vae = VAE(encoder, vae.decoder, vae.likelihood, vae.prior)
    with pytest.raises(VAEError, match=r"the peak of row 0 was not found in 1 Newton steps, the last gained .* nats"):
        vae.encode(numbers(1, STEPS))


def test_numbers_out_of_reach_are_told() -> None:
    vae = linear()
    vae.prior.raw.data.fill_(1e4)  # type: ignore[operator]
    with pytest.raises(VAEError, match=r"the prior's precision goes from inf to inf, expected positive numbers; its"):
        vae.encode(numbers(1, STEPS))
    with pytest.raises(VAEError, match=r"log p\(x, z\) or its slope is no finite number on the way to the peak"):
        linear().encode(torch.full((1, STEPS), 1e200, dtype=torch.float64))


def test_what_is_no_chain_of_one_channel_is_refused() -> None:
    parts = (Plain(), Gaussian(4))
    with pytest.raises(VAEError, match="the prior has 2 channels, expected 1; take a MarkovEncoder for several"):
        with_newton(VAE(MLPEncoder(4, 4), *parts, AutoregressiveNormal(2, 2)))
    with pytest.raises(VAEError, match="the prior is StandardNormal, expected a chain: AutoregressiveNormal or Random"):
        with_newton(VAE(MLPEncoder(4, 4), *parts, StandardNormal(4)))
