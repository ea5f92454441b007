"""The improvement over whatever is best of noisy measurements: against BoTorch's, closed forms, and what it must do."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement
from botorch.models import SingleTaskGP
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.means import ZeroMean
from scipy.stats import norm

from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
from designloop.strategies.acquisition.log_nei import LogNoisyExpectedImprovement, log_gains
from designloop.strategies.surrogates.base import Posterior, quiet

N = 20
"""Candidates."""


def toy(noise: float, seed: int) -> tuple[SingleTaskGP, torch.Tensor, torch.Tensor, np.ndarray]:
    """A process of a wave in the plane, the candidates, what was measured, and its noisy values."""
    rng = np.random.default_rng(seed)
    new, known = torch.from_numpy(rng.random((N, 2))), torch.from_numpy(rng.random((10, 2)))
    values = torch.sin(5 * known[:, :1]) * known[:, 1:] + noise * torch.from_numpy(rng.standard_normal((10, 1)))
    kernel = ScaleKernel(MaternKernel(2.5))
    with quiet():
        model = SingleTaskGP(
            known,
            values,
            torch.full_like(values, noise**2),
            covar_module=kernel,
            mean_module=ZeroMean(),
            outcome_transform=None,
        )
    kernel.outputscale, kernel.base_kernel.lengthscale = 0.5, 0.5
    return model.eval(), new, known, values.squeeze(-1).numpy()


def posterior_of(noise: float, seed: int) -> Posterior:
    """Over the candidates, and after them what was measured."""
    model, new, known, values = toy(noise, seed)
    with torch.no_grad():
        joint = model.posterior(torch.cat([new, known])).distribution
    mean, covariance = joint.mean.numpy(), joint.covariance_matrix.numpy()
    noises, best = [noise**2], float(values.max())
    return Posterior([mean], lambda: [np.diag(covariance)], lambda: [covariance], noises, best, measured=len(known))


@pytest.mark.parametrize("seed", range(3))
def test_gains_and_each_choice_of_a_batch_are_botorchs(seed: int) -> None:
    noise = 0.15
    model, new, known, _ = toy(noise, seed)
    posterior = posterior_of(noise, seed)
    with quiet():
        sampler = SobolQMCNormalSampler(torch.Size([2048]), seed=0)
        theirs = qLogNoisyExpectedImprovement(model, known, sampler, prune_baseline=False, cache_root=False)
    draws = posterior.samples(20_000, seed=1)
    best = draws[:, N:].max(1)
    rows = list(islice(LogNoisyExpectedImprovement().select(posterior, 3, 5), 3))
    for place, row in enumerate(rows):
        with torch.no_grad(), quiet():
            theirs.set_X_pending(new[rows[:place]] if place else None)
            values = theirs(new.unsqueeze(1)).numpy()
        likely = values > values.max() - 1.5
        likely[rows[:place]] = False
        np.testing.assert_allclose(log_gains(draws[:, :N], best)[likely], values[likely], atol=0.15)
        assert values[row] > values[likely].max() - 0.15
        best = np.maximum(best, draws[:, row])


@pytest.mark.parametrize("seed", range(4))
def test_without_noise_it_is_qlogei(seed: int) -> None:
    """Gains against the closed form, and choices against those of the other."""
    posterior = posterior_of(1e-5, seed)
    mean, doubt = (row[:N] for row in posterior.moments())
    z = (mean - posterior.best) / doubt
    expected = doubt * (norm.pdf(z) + z * norm.cdf(z))
    draws = posterior.samples(20_000, seed=1)
    np.testing.assert_allclose(draws[:, N:].max(1), posterior.best, atol=5e-3)
    gains = np.exp(log_gains(draws[:, :N], draws[:, N:].max(1)))
    likely = expected > 0.05 * expected.max()
    np.testing.assert_allclose(gains[likely], expected[likely], rtol=0.1, atol=1e-4)
    covariance = posterior.covariances()[0][:N, :N]
    alone = Posterior([mean], lambda: [doubt**2], lambda: [covariance], posterior.noises, posterior.best)
    reached = []
    for acquisition, believed in ((LogExpectedImprovement(), alone), (LogNoisyExpectedImprovement(), posterior)):
        rows = list(islice(acquisition.select(believed, 3, seed), 3))
        assert expected[rows[0]] > 0.95 * expected.max()
        reached.append(np.maximum(draws[:, rows].max(1) - posterior.best, 0).mean())
    assert reached[1] == pytest.approx(reached[0], rel=0.05), "batches of one expected improvement"


def test_a_lucky_measurement_is_no_bar() -> None:
    """Of 40 that are measured once and are all of one value, the best measured is lucky."""
    noise, rng = 0.5, np.random.default_rng(0)
    measured = noise * rng.standard_normal(40)
    variance = 1 / (1 + 40 / noise**2)
    mean = np.concatenate([[0.6, 0.3], np.full(40, measured.sum() * variance / noise**2)])
    covariance = np.zeros((42, 42))
    covariance[:2, :2], covariance[2:, 2:] = 0.01 * np.eye(2), variance
    posterior = Posterior(
        [mean], lambda: [np.diag(covariance)], lambda: [covariance], [noise**2], measured.max(), measured=40
    )
    draws = posterior.samples(4000, 0)
    over_measured = log_gains(draws[:, :2], np.full(4000, measured.max()))
    assert (log_gains(draws[:, :2], draws[:, 2:].max(1)) > over_measured).all()
    assert next(LogNoisyExpectedImprovement().select(posterior, 1, 0)) == 0


def test_all_candidates_follow_and_what_was_measured_does_not() -> None:
    posterior = posterior_of(0.1, 0)
    order = list(LogNoisyExpectedImprovement(most=5).select(posterior, 2, 0))
    assert sorted(order) == list(range(N))
    assert sorted(LogNoisyExpectedImprovement().select(posterior, 2, 0, lambda row: row % 2 == 0)) == [*range(0, N, 2)]
    nothing = replace(posterior, measured=len(posterior))
    assert list(LogNoisyExpectedImprovement().select(nothing, 2, 0)) == []


def test_without_what_was_measured_there_is_no_improvement() -> None:
    with pytest.raises(
        ValueError, match="found a posterior over candidates alone, expected one over what was measured"
    ):
        next(LogNoisyExpectedImprovement().select(replace(posterior_of(0.1, 0), measured=0), 1, 0))
