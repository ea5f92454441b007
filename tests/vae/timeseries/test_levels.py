from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.model import VAE
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.timeseries.estimation import estimate
from designloop.vae.timeseries.kalman import kalman_filter, kalman_smoother, local_level
from designloop.vae.timeseries.levels import LevelDecoder, local_level_vae
from designloop.vae.timeseries.nile import NILE
from designloop.vae.timeseries.paths import extend, forecast, smooth

Y = torch.tensor(NILE, dtype=torch.float64).unsqueeze(0)
GAPS = torch.ones_like(Y, dtype=torch.bool)
GAPS[:, 20:40] = GAPS[:, 60:80] = False


@pytest.mark.parametrize("mask", [None, GAPS], ids=["whole", "gaps"])
def test_the_vae_of_a_local_level_is_the_kalman_smoother(mask: torch.Tensor | None) -> None:
    vae, model = local_level_vae(100, 1478.8, 15078.0), local_level(1478.8, 15078.0)
    exact = kalman_filter(model, Y, mask).log_likelihood.sum(1)
    evidence = importance_evidence(vae, Y, mask, k=3).log_evidence
    torch.testing.assert_close(evidence, exact, rtol=1e-10, atol=0)
    mean, covariance = kalman_smoother(model, Y, mask)
    posterior = vae.encode(Y, mask)
    torch.testing.assert_close(posterior.mean, mean[..., 0], rtol=1e-8, atol=0)
    torch.testing.assert_close(posterior.variance, covariance[..., 0, 0], rtol=1e-6, atol=0)
    smoothed = smooth(vae, Y, mask, k=1000, generator=torch.Generator().manual_seed(0))
    assert bool(((smoothed.mean - mean[..., 0]).abs() < 5 * (covariance[..., 0, 0] / 1000).sqrt()).all())
    torch.testing.assert_close(smoothed.variance, covariance[..., 0, 0], rtol=0.3, atol=0)


def test_the_maximum_with_gaps_is_that_of_the_books() -> None:
    vae = local_level_vae(100, 300.0, 30_000.0)
    best = estimate(vae, Y, GAPS, k=1)
    assert isinstance(vae.decoder, LevelDecoder)
    noise, wander = float(vae.decoder.log_noise.detach().exp()), float(vae.prior.raw.detach().exp().square())  # type: ignore[operator]
    model = local_level(wander, noise)
    assert float(kalman_filter(model, Y, GAPS).log_likelihood[:, 1:].sum()) == pytest.approx(-379.9900, abs=5e-4)
    assert best.log_likelihood == pytest.approx(float(kalman_filter(model, Y, GAPS).log_likelihood.sum()), rel=1e-9)


def test_a_forecast_is_what_the_filter_carries_on() -> None:
    vae, model = local_level_vae(100, 1478.8, 15078.0), local_level(1478.8, 15078.0)
    drawn = forecast(vae, Y, 12, n=6000, k=6000, generator=torch.Generator().manual_seed(0))
    assert drawn.shape == (6000, 1, 12)
    longer = torch.cat([Y, torch.zeros(1, 12).double()], 1)
    seen = torch.arange(112).unsqueeze(0) < 100
    ahead = kalman_filter(model, longer, seen)
    mean, variance = ahead.predicted[0, 100:, 0], ahead.predicted_covariance[0, 100:, 0, 0] + 15078.0
    assert bool(((drawn[:, 0].mean(0) - mean).abs() < 5 * (variance / 2500).sqrt()).all())  # draws come up repeatedly
    torch.testing.assert_close(drawn[:, 0].var(0), variance, rtol=0.12, atol=0)


def test_variances_have_to_be_positive() -> None:
    with pytest.raises(VAEError, match=r"wander is 0, expected a positive variance"):
        local_level_vae(5, 0, 1)
    with pytest.raises(VAEError, match=r"start_variance is -1, expected a positive variance"):
        local_level_vae(5, 1, 1, -1)
    with pytest.raises(VAEError, match=r"noise is 0, expected a positive variance, in the data's unit squared"):
        local_level_vae(5, 1, 0)
    with pytest.raises(VAEError, match=r"steps is 0, expected at least one step ahead"):
        forecast(local_level_vae(100, 1.0, 1.0), Y, 0, n=1, k=1)


class Halves(nn.Module):
    """An encoder of paths of any number of steps and channels."""

    def forward(self, x: Tensor, mask: Any = None, context: Any = None) -> DiagonalNormal:
        return DiagonalNormal(0.5 * x, torch.full_like(x, 0.7))


@pytest.mark.parametrize("channels", [1, 2])
def test_the_path_ahead_has_as_many_channels_as_the_one_so_far(channels: int) -> None:
    prior = AutoregressiveNormal(10, channels, 0.8, learned=False)
    vae = VAE(Halves(), LevelDecoder(0.04), HeteroscedasticGaussian(), prior).requires_grad_(False)
    x = prior.sample(3, None, torch.Generator().manual_seed(1))
    longer, padded, mask = extend(vae, x, 1)
    assert longer.prior.latent == padded.shape[1] == 11 * channels
    assert torch.equal(mask, torch.arange(11 * channels).expand(3, -1) < 10 * channels)
    assert longer.encode(padded, mask).mean.shape == (3, 11 * channels)
    drawn = forecast(vae, x, 2, n=5, k=50, generator=torch.Generator().manual_seed(0))
    assert drawn.shape == (5, 3, 2 * channels)
    path = smooth(longer, padded, mask, k=50, generator=torch.Generator().manual_seed(0))
    assert path.mean.shape == (3, 11 * channels)
    one, wide, _ = extend(vae, x[:, :10], 3)  # one column a step, seen of all channels
    assert one.prior.latent == 13 * channels
    assert wide.shape == (3, 13)
