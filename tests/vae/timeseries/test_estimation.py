from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from designloop.benchmarks.vae.methods.timeseries.reference import filter_on_grid
from designloop.vae.errors import VAEError
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.simulators.volatility import Volatility, returns
from designloop.vae.timeseries.estimation import estimate
from designloop.vae.timeseries.levels import local_level_vae
from designloop.vae.timeseries.volatility import parameters_of, volatility_vae

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
