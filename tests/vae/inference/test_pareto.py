"""The tail's shape on known distributions, against scipy's maximum likelihood, and at its ends."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from designloop.vae.inference.pareto import generalised_pareto_shape, pareto_k


@pytest.mark.parametrize("k", [-0.4, 0.2, 0.7, 1.3])
def test_shape_is_that_of_the_distribution_and_of_scipys_fit(k: float) -> None:
    x = np.sort(scipy.stats.genpareto(k, scale=3.0).rvs(4000, random_state=np.random.default_rng(0)))
    result = float(generalised_pareto_shape(torch.from_numpy(x).unsqueeze(1)))
    assert result == pytest.approx(k, abs=4 * (1 + k) / np.sqrt(4000) + 0.01)  # (1 + k) / √n is the maximum's error
    assert result == pytest.approx(scipy.stats.genpareto.fit(x, floc=0)[0], abs=0.01)


@pytest.mark.parametrize("k", [0.3, 0.8])
def test_tail_of_weights_whose_moments_are_known(k: float) -> None:
    """Pareto weights have 1 / k moments; the pull of ten prior observations towards 0.5 is taken out."""
    draws = 100_000
    generator = torch.Generator().manual_seed(0)
    log_weights = -k * torch.rand(draws, 6, dtype=torch.float64, generator=generator).log() + torch.arange(6.0) * 500
    tail = np.ceil(3 * np.sqrt(draws))
    wanted = (tail * k + 5) / (tail + 10)
    result = pareto_k(log_weights)
    assert float(result.mean()) == pytest.approx(wanted, abs=4 * (1 + k) / np.sqrt(6 * tail))
    single = pareto_k((log_weights - log_weights.mean(0)).float())
    torch.testing.assert_close(single.double(), result, rtol=1e-3, atol=1e-3)


def test_a_proposal_that_is_too_narrow_is_found_out() -> None:
    """N(0, 1) drawn from N(0, s²): the weights' tail has k = 1 − s² where s < 1, and a bound where s > 1."""
    noise = torch.randn(50_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    result = [float(pareto_k(0.5 * noise.square() * (1 - s**2))) for s in (0.3, 0.6, 1.5)]
    assert result[0] > 0.7
    assert 0.4 < result[1] < 0.75
    assert result[2] < 0.2


def test_weights_that_are_all_the_same_have_no_tail_and_few_tell_nothing() -> None:
    same = torch.full((100, 2), -31.7, dtype=torch.float64)
    same[:, 1] += torch.linspace(-2, 2, 100, dtype=torch.float64)
    result = pareto_k(same)
    assert float(result[0]) == -np.inf
    assert bool(result[1].isfinite())
    assert bool(pareto_k(same[:20]).isnan().all())


def test_one_weight_that_outdoes_all_others_is_no_error() -> None:
    log_weights = torch.zeros(400, 1)
    log_weights[7] = 300.0
    result = pareto_k(log_weights)
    assert float(result) > 1
