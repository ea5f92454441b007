from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import Tensor

from designloop.benchmarks.vae.methods.timeseries.reference import filter_on_grid
from designloop.vae.errors import VAEError
from designloop.vae.model import VAE
from designloop.vae.simulators.volatility import Volatility, returns
from designloop.vae.timeseries.levels import local_level_vae
from designloop.vae.timeseries.particles import FilteredVolatility, particle_filter
from designloop.vae.timeseries.returns import Returns
from designloop.vae.timeseries.scores import from_normal
from designloop.vae.timeseries.volatility import volatility_vae

STEPS = 60


def model(leverage: bool = False, heavy_tails: bool = False, wander: float = 0.4) -> VAE:
    return volatility_vae(
        STEPS, persistence=0.9, wander=wander, leverage=leverage, heavy_tails=heavy_tails, learned_mean=False
    ).double()


def series(rows: int = 2) -> Tensor:
    drawn = returns(Volatility(persistence=0.9, wander=0.4), rows, STEPS, np.random.default_rng(0))
    return torch.from_numpy(drawn.returns)


def run(vae: VAE, x: Tensor, mask: Tensor | None = None, particles: int = 300) -> FilteredVolatility:
    generator = torch.Generator().manual_seed(1)
    return particle_filter(vae, x, mask, particles=particles, generator=generator, levels=(0.05, 0.5))


@pytest.mark.parametrize(("leverage", "heavy_tails"), [(False, False), (True, True)])
def test_what_comes_later_changes_nothing_that_was_filtered(leverage: bool, heavy_tails: bool) -> None:
    x, vae = series(), model(leverage, heavy_tails)
    mask = torch.ones_like(x, dtype=torch.bool)
    other, gaps = x.clone(), mask.clone()
    other[:, 40:] *= -7.0
    gaps[0, 50:] = False
    before, after = run(vae, x, mask), run(vae, other, gaps)
    for name in ("log_likelihood", "mean", "deviation"):
        assert torch.equal(getattr(before, name)[:, :40], getattr(after, name)[:, :40])
        assert not torch.equal(getattr(before, name)[:, 40:], getattr(after, name)[:, 40:])
    assert torch.equal(before.quantiles[:, :41], after.quantiles[:, :41])  # the next return's, of those before it


def test_likelihood_and_volatility_are_those_of_a_filter_on_a_grid() -> None:
    x = series(3)
    filtered = run(model(), x, particles=20_000)
    grid = filter_on_grid(x.numpy(), np.zeros(3), np.full(3, 0.9), np.full(3, 0.4), nodes=200)
    np.testing.assert_allclose(filtered.log_likelihood.sum(1), grid.log_likelihood, atol=0.1)
    np.testing.assert_allclose(filtered.mean, grid.mean, atol=0.06)


def test_leverage_and_tails_have_the_likelihood_of_all_paths() -> None:
    """Of a short series, by plain Monte Carlo over paths of the simulator's own kind."""
    vae, x = model(True, True), series(1)[:, :4]
    rng, draws = np.random.default_rng(2), 100_000
    df = 10.0
    z, total = rng.standard_normal(draws), np.zeros(draws)
    for value in x[0].numpy():
        h = 0.4 / np.sqrt(1 - 0.81) * z
        e = value * np.exp(-h / 2)
        total += stats.t(df).logpdf(e) - h / 2
        u = stats.norm.ppf(stats.t(df).cdf(e))
        z = 0.9 * z + np.sqrt(1 - 0.81) * (-0.3 * u + np.sqrt(1 - 0.09) * rng.standard_normal(draws))
    known = np.log(np.exp(total).mean())
    short = particle_filter(vae, x, particles=100_000, generator=torch.Generator().manual_seed(0))
    assert float(short.log_likelihood.sum()) == pytest.approx(known, abs=0.02)


def test_a_gap_is_carried_over() -> None:
    x = series(1)
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 20:] = False
    filtered = run(model(), x.masked_fill(~mask, torch.nan), mask, particles=20_000)
    assert bool((filtered.log_likelihood[:, 20:] == 0).all())
    spread = 0.4 / np.sqrt(1 - 0.81)
    expected = filtered.mean[0, 19] * 0.9 ** torch.arange(1, 41)
    np.testing.assert_allclose(filtered.mean[0, 20:], expected, atol=0.05)
    assert float(filtered.deviation[0, -1]) == pytest.approx(spread, rel=0.03)


@pytest.mark.parametrize("heavy_tails", [False, True])
def test_quantiles_are_those_of_the_next_return(heavy_tails: bool) -> None:
    """Of a volatility that stands still they are the noise's own."""
    filtered = run(model(heavy_tails=heavy_tails, wander=1e-6), series(1), particles=20_000)
    law = stats.t(10) if heavy_tails else stats.norm()
    np.testing.assert_allclose(filtered.quantiles[0].mean(0), law.ppf([0.05, 0.5]), atol=1e-3)


def still(scale: float, skew: float | None = None) -> VAE:
    """A model whose volatility stands still."""
    vae = volatility_vae(
        STEPS, scale=scale, wander=1e-6, heavy_tails=True, learned_mean=False, skewed=skew is not None
    ).double()
    if skew is not None:
        assert isinstance(vae.likelihood, Returns)
        assert vae.likelihood.log_skew is not None
        vae.likelihood.log_skew.data.fill_(math.log(skew))
    return vae


def test_several_models_tell_the_density_and_the_quantiles_of_their_mixture() -> None:
    x, scales = series(2), (0.5, 2.0)
    filtered = particle_filter(
        [still(scale) for scale in scales], x, particles=5000, generator=torch.Generator().manual_seed(1),
        levels=(0.01, 0.3),
    )  # fmt: skip
    laws = [stats.t(10, scale=scale) for scale in scales]
    known = np.logaddexp.reduce([law.logpdf(x) for law in laws], 0) - np.log(2)
    np.testing.assert_allclose(filtered.log_likelihood, known, atol=1e-4)
    for place, level in enumerate((0.01, 0.3)):
        quantile = optimize.brentq(lambda r, wanted=level: sum(law.cdf(r) for law in laws) / 2 - wanted, -30, 0)
        assert float(filtered.quantiles[..., place].mean()) == pytest.approx(quantile, rel=4e-3)
    levels = 2 * np.log(scales)
    np.testing.assert_allclose(filtered.mean, levels.mean(), atol=1e-4)
    np.testing.assert_allclose(filtered.deviation, levels.std(), rtol=1e-4)


def test_skewed_returns_have_their_own_quantiles() -> None:
    filtered = particle_filter(
        still(1.0, 0.7), series(1), particles=5000, generator=torch.Generator().manual_seed(1), levels=(0.05, 0.95)
    )
    log_df, log_skew = torch.tensor(10.0).double().log(), torch.tensor(0.7).double().log()
    known = from_normal(torch.from_numpy(stats.norm.ppf([0.05, 0.95])), log_df, log_skew)
    np.testing.assert_allclose(filtered.quantiles[0].mean(0), known, atol=5e-3)
    assert -float(known[0]) > 1.2 * float(known[1])


def test_one_model_several_times_is_that_model() -> None:
    x, vae = series(2), model(True, True)
    alone, thrice = run(vae, x, particles=3000), run([vae] * 3, x, particles=1000)  # type: ignore[arg-type]
    np.testing.assert_allclose(thrice.log_likelihood.sum(1), alone.log_likelihood.sum(1), atol=0.5)
    np.testing.assert_allclose(thrice.mean, alone.mean, atol=0.25)


def test_what_cannot_be_is_told() -> None:
    x, generator = series(1), torch.Generator().manual_seed(0)
    with pytest.raises(VAEError, match="found no VAE, expected at least one; give a volatility_vae, or draws of one"):
        particle_filter([], x, particles=9, generator=generator)
    for kinds in ([model(), model(True)], [model(True, True), model(False, True)]):
        with pytest.raises(VAEError, match="the VAEs differ in leverage, tails or skew, expected one kind"):
            particle_filter(kinds, x, particles=9, generator=generator)
    with pytest.raises(VAEError, match="particles is 1, expected at least 2; 1,000 are a start"):
        particle_filter(model(), x, particles=1, generator=generator)
    with pytest.raises(VAEError, match=r"levels is \(1\.0,\), expected probabilities between 0 and 1"):
        particle_filter(model(), x, particles=9, generator=generator, levels=(1.0,))
    with pytest.raises(VAEError, match="found a decoder LevelDecoder and a likelihood HeteroscedasticGaussian, expec"):
        particle_filter(local_level_vae(STEPS, 1.0, 1.0), x, particles=9, generator=generator)
