from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import minimize

from designloop.benchmarks.vae.methods.timeseries.reference import filter_on_grid
from designloop.vae.errors import VAEError
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.simulators.volatility import Volatility, returns
from designloop.vae.timeseries.estimation import Estimate, estimate
from designloop.vae.timeseries.levels import LevelDecoder, local_level_vae
from designloop.vae.timeseries.nile import NILE
from designloop.vae.timeseries.returns import Returns
from designloop.vae.timeseries.volatility import VolatilityDecoder, log_prior_of_df, parameters_of, volatility_vae

SERIES = returns(Volatility(level=-1.0, persistence=0.9, wander=0.5), 1, 400, np.random.default_rng(3)).returns


def test_maximum_and_curvature_are_those_of_the_likelihood_on_a_grid() -> None:
    vae = volatility_vae(400, persistence=0.5, wander=0.2, learned_mean=False).double()
    best = estimate(vae, torch.from_numpy(SERIES), k=10)

    def deviance(theta: np.ndarray) -> float:
        raw, level, log_wander = (np.array([number]) for number in theta)
        return -float(filter_on_grid(SERIES, level, np.tanh(raw), np.exp(log_wander)).log_likelihood[0])

    def second(i: int, j: int, step: float = 0.05) -> float:
        """A central difference; what BFGS leaves behind hangs on the way that it took."""
        a, b = step * np.eye(3)[i], step * np.eye(3)[j]
        corners = ((1, a + b), (-1, a - b), (-1, b - a), (1, -a - b))
        return sum(sign * deviance(known.x + corner) for sign, corner in corners) / (4 * step**2)

    known = minimize(deviance, [1.5, -1.0, -0.7], method="BFGS")
    assert best.names == ("prior.raw", "decoder.level", "decoder.log_wander")
    assert best.log_likelihood == pytest.approx(-known.fun, abs=0.15)
    np.testing.assert_allclose(best.values, known.x, atol=0.05)
    expected = np.linalg.inv([[second(i, j) for j in range(3)] for i in range(3)])
    np.testing.assert_allclose(np.sqrt(np.diag(best.covariance)), np.sqrt(np.diag(expected)), rtol=0.2)
    low, high = best.interval("level")
    assert (low + high) / 2 == pytest.approx(best.values[1])
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(best.covariance[1, 1]), rel=1e-4)
    numbers = parameters_of(vae)  # the VAE holds what was found
    assert (numbers["level"], np.arctanh(numbers["persistence"])) == pytest.approx(tuple(best.values[[1, 0]]))
    with pytest.raises(VAEError, match=r"'df' is none of the parameters prior\.raw, decoder\.level, decoder"):
        best.interval("df")


def test_draws_are_those_of_the_normal_about_the_top() -> None:
    vae = volatility_vae(60, learned_mean=False)
    names = ("prior.raw", "decoder.level", "decoder.log_wander")
    covariance = np.array([[0.04, 0.01, 0.0], [0.01, 0.09, -0.02], [0.0, -0.02, 0.16]])
    best = Estimate(0.0, names, np.array([1.5, -1.0, -0.7]), covariance, 0)
    before = parameters_of(vae)
    drawn = best.draw(vae, 400, np.random.default_rng(0))
    raw = [parameters_of(copy) for copy in drawn]
    theta = np.array([[np.arctanh(p["persistence"]), p["level"], np.log(p["wander"])] for p in raw])
    np.testing.assert_allclose(theta.mean(0), best.values, atol=4 * 0.4 / 20)
    np.testing.assert_allclose(np.cov(theta.T), covariance, atol=0.03)
    assert parameters_of(vae) == before, "the VAE itself stays as it is"
    for copy in drawn:
        assert isinstance(copy.decoder, VolatilityDecoder)
        assert copy.decoder.prior is copy.prior, "what was shared is shared in the copies"
    other = volatility_vae(60, heavy_tails=True, learned_mean=False)
    with pytest.raises(VAEError, match=r"the VAE has the parameters .*log_df, expected prior\.raw, decoder"):
        best.draw(other, 1, np.random.default_rng(0))


def test_a_prior_moves_the_top_by_its_slope_times_the_covariance_and_is_left_out_of_the_likelihood() -> None:
    x = torch.tensor(NILE, dtype=torch.float64).unsqueeze(0)

    def log_prior(vae: VAE) -> float:
        assert isinstance(vae.decoder, LevelDecoder)
        return 0.3 * float(vae.decoder.log_noise.detach())

    plain, tilted = (estimate(local_level_vae(100, 1500.0, 15_000.0), x, k=1, log_prior=p) for p in (None, log_prior))
    place = plain.names.index("decoder.log_noise")
    np.testing.assert_allclose(tilted.values - plain.values, 0.3 * plain.covariance[place], rtol=0.2, atol=1e-3)
    assert -0.01 < tilted.log_likelihood - plain.log_likelihood < 0, "near the top the likelihood itself hardly falls"


def test_the_prior_of_degrees_of_freedom_is_that_of_their_logarithm() -> None:
    vae = volatility_vae(20, heavy_tails=True)
    densities = []
    for df in (4.0, 20.0, 90.0):
        assert isinstance(vae.likelihood, Returns)
        assert vae.likelihood.log_df is not None
        vae.likelihood.log_df.data.fill_(np.log(df))
        densities.append(log_prior_of_df(vae) - stats.gamma(2, scale=10).logpdf(df) - np.log(df))
    np.testing.assert_allclose(densities, densities[0], atol=1e-5)
    with pytest.raises(VAEError, match=r"the returns have no degrees of freedom; build volatility_vae\(heavy_tails"):
        log_prior_of_df(volatility_vae(20))


def test_what_cannot_be_is_told() -> None:
    x = torch.from_numpy(SERIES[:, :20])
    fixed = volatility_vae(20).double().requires_grad_(False)
    with pytest.raises(VAEError, match="no parameter asks for a gradient, so that there is nothing to look for"):
        estimate(fixed, x, k=1)
    level = local_level_vae(20, 1.0, 1.0)
    wide = VAE(MLPEncoder(20, 20), torch.nn.Linear(20, 20), level.likelihood, AutoregressiveNormal(20))
    with pytest.raises(VAEError, match=r"decoder\.weight holds 400 numbers, expected one a parameter; fix it, or"):
        estimate(wide.double(), x, k=1)


def test_a_search_that_ends_early_is_told() -> None:
    x = torch.tensor([[5.0, 5.3, 4.9, 5.6, 6.0, 5.8]], dtype=torch.float64)
    with pytest.raises(VAEError, match=r"the search ended about .* nats below the top \(Maximum number of iterations"):
        estimate(local_level_vae(6, 0.02, 0.005, start_variance=100.0), x, k=1, most=1)


def test_a_likelihood_without_a_top_is_told() -> None:
    """A series that never moves wants no noise at all, and there is no least variance."""
    vae = local_level_vae(10, 1.0, 1.0, start_variance=1.0)
    with pytest.raises(VAEError, match="the likelihood does not bend down everywhere where the search ended"):
        estimate(vae, torch.zeros(1, 10).double(), k=1, most=8)
