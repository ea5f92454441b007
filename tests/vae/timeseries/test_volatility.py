from __future__ import annotations

import numpy as np
import pytest
import torch

from designloop.vae.errors import VAEError
from designloop.vae.inference.newton import with_newton
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.volatility import Volatility, returns
from designloop.vae.timeseries.paths import extend, forecast, over, smooth
from designloop.vae.timeseries.volatility import SeriesEncoder, VolatilityDecoder, parameters_of, volatility_vae
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO


def test_draws_are_those_of_the_simulator() -> None:
    """The VAE generates what the simulator does: scale, tails, clustering and leverage by the same moments."""
    vae = volatility_vae(80, scale=0.5, persistence=0.9, wander=0.4, leverage=True, heavy_tails=True).double()
    vae.likelihood.raw_leverage.data.fill_(np.arctanh(-0.8))  # type: ignore[operator]
    drawn = vae.sample(4000, generator=torch.Generator().manual_seed(0)).numpy()
    truth = Volatility(2 * np.log(0.5), 0.9, 0.4, 0.0, -0.8, 10.0)
    known = returns(truth, 4000, 80, np.random.default_rng(0)).returns

    def moments(x: np.ndarray) -> list[float]:
        size = np.log(np.abs(x))
        after, clustered = (
            (x[:, :-1] * size[:, 1:]).mean(),
            np.corrcoef(size[:, :-1].ravel(), size[:, 1:].ravel())[0, 1],
        )
        return [size.mean(), size.std(), after, clustered, np.quantile(x, 0.01)]

    np.testing.assert_allclose(moments(drawn), moments(known), rtol=0.05, atol=0.006)


def test_an_encoder_of_series_takes_any_length_and_gaps() -> None:
    torch.manual_seed(0)
    encoder = SeriesEncoder(0.5, hidden=4, layers=3)
    x = torch.randn(2, 40)
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[1, 10:13] = False
    q = encoder(x.masked_fill(~mask, torch.nan), mask)
    assert q.mean.shape == (2, 41)
    assert bool(q.mean.isfinite().all() & (q.scale > 0).all() & (q.carry.abs() < 1).all())
    assert torch.equal(encoder(x[:1]).mean, encoder(x[:1], mask[:1]).mean)
    far = x.clone()
    far[:, 30:] += 1
    torch.testing.assert_close(encoder(far).mean[:, :20], encoder(x).mean[:, :20])  # 2³ − 1 on either side, and no more
    with pytest.raises(
        VAEError, match="scale is 0, expected the usual size of a return; give their standard deviation"
    ):
        SeriesEncoder(0)


def test_fit_learns_on_and_the_same_model_goes_over_other_steps() -> None:
    x = torch.from_numpy(returns(Volatility(), 32, 30, np.random.default_rng(0)).returns).float()
    torch.manual_seed(0)
    vae = volatility_vae(30, leverage=True, heavy_tails=True)
    noise = vae.draw_noise(32, torch.Generator().manual_seed(1))
    before = float(vae.elbo(x, noise=noise).mean().detach())
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2)
    fit(vae, ELBO(), [Batch(x)] * 40, optimizer, generator=torch.Generator().manual_seed(0))
    assert float(vae.elbo(x, noise=noise).mean().detach()) > before + 0.5
    longer = over(vae, 61)
    assert longer.encode(torch.cat([x, x], 1)).mean.shape == (32, 61)
    assert longer.prior.raw is vae.prior.raw
    assert over(with_newton(vae), 61).encode(torch.cat([x, x], 1)[:2]).mean.shape == (2, 61)


def test_a_forecast_goes_from_todays_volatility_to_the_usual_one() -> None:
    vae = with_newton(volatility_vae(50, persistence=0.8, wander=0.5, learned_mean=False).double())
    x = torch.cat([torch.full((1, 30), 0.5), torch.full((1, 20), 4.0)], 1).double()
    x = x * torch.where(torch.arange(50) % 2 == 0, 1.0, -1.0)
    drawn = forecast(vae, x, 30, n=4000, k=500, generator=torch.Generator().manual_seed(0))
    sizes = (
        drawn[:, 0].abs().log().mean(0)
        - torch.randn(100_000, generator=torch.Generator().manual_seed(0)).abs().log().mean()
    )
    now = smooth(vae, x, k=500, generator=torch.Generator().manual_seed(0)).mean[0, -1] * 0.5 / 0.6 / 2
    expected = now * 0.8 ** torch.arange(30).double()  # ½ E[h], which falls back by φ a day
    assert bool(((sizes - expected).abs() < 0.1).all())
    assert float(expected[0]) > 0.5
    path = smooth(*extend(vae, x, 30), k=500, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(path.mean[0, 50:80] * 0.5 / 0.6 / 2, expected, rtol=0, atol=0.05)
    assert float(path.variance[0, -1]) == pytest.approx(1, abs=0.15)  # of the standardised path, far ahead


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(VAEError, match="wander is 0, expected the positive standard deviation of a log-volatility's"):
        volatility_vae(10, wander=0)
    other = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2))
    with pytest.raises(VAEError, match="the prior is StandardNormal, expected a chain"):
        over(other, 5)
    with pytest.raises(VAEError, match="found a decoder MLPDecoder and a likelihood Gaussian, expected those of"):
        parameters_of(other)
    assert isinstance(volatility_vae(10).decoder, VolatilityDecoder)
    assert set(parameters_of(volatility_vae(10))) == {"level", "persistence", "wander", "mean"}
    assert parameters_of(volatility_vae(10, leverage=True, heavy_tails=True))["df"] == pytest.approx(10)
    assert parameters_of(volatility_vae(10, heavy_tails=True, skewed=True))["skew"] == 1
    with pytest.raises(VAEError, match="df is None of skewed returns, expected more than 1"):
        volatility_vae(10, skewed=True)
