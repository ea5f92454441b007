"""Time series: references against closed forms, backtests against simulated truth, and rows made from little."""

from __future__ import annotations

import json
from typing import cast

import numpy as np
import pytest
from scipy import stats
from torch import nn

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae.methods.timeseries import backtests, coverage, method, reference, sp500
from designloop.benchmarks.vae.methods.timeseries.garch import Garch, fit_garch
from designloop.vae.simulators.volatility import Volatility, returns
from designloop.vae.timeseries.estimation import Estimate, LogPrior
from designloop.vae.timeseries.volatility import volatility_vae


def test_a_filter_on_a_grid_is_the_sum_over_all_paths() -> None:
    """Of two days, whose likelihood is a double integral over normal log-volatilities."""
    x, level, phi, wander = np.array([[1.3, -0.4]]), -0.5, 0.8, 0.6
    spread = wander / np.sqrt(1 - phi**2)
    h = np.linspace(-9, 9, 1201)
    weight = stats.norm.pdf(h) * (h[1] - h[0])
    first = level + spread * h
    second = level + phi * spread * h[:, None] + wander * h[None]
    of_second = (stats.norm.pdf(x[0, 1], scale=np.exp(second / 2)) * weight).sum(1)
    of_first = stats.norm.pdf(x[0, 0], scale=np.exp(first / 2)) * weight
    on_grid = reference.filter_on_grid(x, np.array([level]), np.array([phi]), np.array([wander]), nodes=200)
    assert on_grid.log_likelihood[0] == pytest.approx(np.log((of_first * of_second).sum()), abs=1e-4)
    assert on_grid.mean[0, 0] == pytest.approx((of_first * first).sum() / of_first.sum(), abs=1e-4)


def test_a_bootstrap_filter_agrees_with_the_grid() -> None:
    x = returns(Volatility(persistence=0.9, wander=0.5), 1, 50, np.random.default_rng(0)).returns
    grid = reference.filter_on_grid(x, np.zeros(1), np.array([0.9]), np.array([0.5]), nodes=150)
    own = reference.bootstrap_filter(x[0], 0.0, 0.9, 0.5, 20_000, np.random.default_rng(1))
    np.testing.assert_allclose(own, grid.mean[0], atol=0.08)


def test_the_sampler_draws_from_the_prior_where_there_is_next_to_nothing_to_see() -> None:
    """One day of every series: the posterior of φ and σ is nearly the prior, whose quantiles are known."""
    x = np.full((40, 1), 1.0)
    centre, covariance = np.tile([0.0, 1.0, -0.5], (40, 1)), np.tile(np.diag([4.0, 0.5, 2.0]), (40, 1, 1))
    draws, accepted = reference.sample_posterior(x, centre, covariance, np.random.default_rng(0), 300, 100)
    assert draws.shape == (300, 40, 3)
    assert 0.2 < accepted < 1
    known = 2 * stats.beta(5, 1.5).ppf([0.25, 0.5, 0.75]) - 1
    np.testing.assert_allclose(np.quantile(draws[..., 1], [0.25, 0.5, 0.75]), known, atol=0.06)


def test_garch_is_its_recursion_and_its_maximum_is_near_the_truth() -> None:
    rng, truth = np.random.default_rng(0), Garch(0.1, 0.05, 0.03, 0.12, 0.85, 7.0)
    e, variance, x = rng.standard_t(7, 6000) * np.sqrt(5 / 7), 1.0, np.empty(6000)
    for day in range(6000):
        move = np.sqrt(variance) * e[day]
        x[day] = 0.1 + move
        variance = 0.05 + (0.03 + 0.12 * (move < 0)) * move**2 + 0.85 * variance
    model = fit_garch(x, asymmetric=True, heavy_tails=True)
    names = ("mean", "reaction", "asymmetry", "memory")
    for name in names:
        assert getattr(model, name) == pytest.approx(getattr(truth, name), abs=0.05)
    own = truth.variances(x)
    for day in (1, 2, 3000):
        move = x[day - 1] - 0.1
        assert own[day] == pytest.approx(0.05 + (0.03 + 0.12 * (move < 0)) * move**2 + 0.85 * own[day - 1])
    assert np.mean(x < model.quantile(x, 0.05)) == pytest.approx(0.05, abs=0.01)
    assert model.log_scores(x).sum() >= truth.log_scores(x).sum()
    scale = np.sqrt(own[10])
    unit = scale * np.sqrt(5 / 7)
    assert truth.log_scores(x)[10] == pytest.approx(stats.t(7, 0.1, unit).logpdf(x[10]))


def test_backtests_refuse_what_is_wrong_and_keep_what_is_right() -> None:
    rng = np.random.default_rng(0)
    assert backtests.kupiec_region(2000, 0.01) == (10, 32)
    assert backtests.kupiec_region(2000, 0.05) == (76, 126)
    fair = rng.random((300, 2000)) < 0.05
    p = np.array([backtests.christoffersen(row, 0.05) for row in fair])
    assert np.mean(p < 0.05, axis=0) == pytest.approx([0.05, 0.05], abs=0.045)
    clustered = np.repeat(rng.random(500) < 0.05, 4)
    assert backtests.christoffersen(clustered, 0.05)[0] < 1e-6
    assert backtests.christoffersen(rng.random(2000) < 0.1, 0.05)[1] < 1e-6
    score = rng.standard_normal(2000)
    assert backtests.p_of_being_worse(score, score + 0.2 + 0.1 * rng.standard_normal(2000)) < 1e-6
    assert backtests.p_of_being_worse(score + 0.2 + 0.1 * rng.standard_normal(2000), score) > 0.999
    x = rng.standard_normal(100_000)
    losses = [backtests.pinball(x, np.full(len(x), at), 0.05) for at in (-2.0, stats.norm.ppf(0.05), -1.3)]
    assert losses[1] == min(losses)


def test_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {
        coverage: {"SERIES": 2, "STEPS": 150, "OURS": 50, "THEIRS": 50, "DRAWS": 20, "BURN_IN": 2},
        method: {"MANY": 40, "SHORT": 10, "STEPS": 5},
        sp500: {"LAST": 60, "CHECKED": 40, "FILTERS": 2, "PARTICLES": 50, "DRAWS": 3, "PARTICLES_OF_DRAW": 20},
    }
    for module, values in small.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    days = returns(Volatility(wander=0.4, leverage=-0.7, df=5.0), 1, 260, np.random.default_rng(0)).returns[0]
    monkeypatch.setattr(method, "load_returns", lambda: days)

    fitted_days = []

    def nothing_fitted(
        returns: np.ndarray, full: bool, seed: int = 0, skewed: bool = False, log_prior: LogPrior | None = None
    ) -> sp500.Fitted:
        fitted_days.append(len(returns))
        vae = volatility_vae(len(returns), scale=1.0, leverage=full, heavy_tails=full, skewed=skewed).double()
        decoder = cast(nn.Module, vae.decoder)
        parts = nn.ModuleDict({"prior": vae.prior, "decoder": decoder, "likelihood": vae.likelihood})
        free = {name: value for name, value in parts.named_parameters() if value.requires_grad}
        values = np.array([float(value.detach()) for value in free.values()])
        return sp500.Fitted(vae, Estimate(0.0, tuple(free), values, 0.01 * np.eye(len(values)), 0), 0.0)

    monkeypatch.setattr(sp500, "fit_volatility", nothing_fitted)
    rows = method.run([0], lambda line: None)
    by_measure = {row.measure: row for row in rows}
    assert len(by_measure) == len(rows)
    assert fitted_days == [260, 260, 160, 160, 200], "in sample; to choose by; and what the last days are told by"
    tried = {measure: row.value for measure, row in by_measure.items() if measure.startswith("the 40 days before")}
    assert len(tried) == 4
    best = max(tried.values())
    assert [value for measure, value in tried.items() if measure.endswith("(chosen)")] == [best]
    exact = [row for row in rows if row.measure.startswith("Nile")]
    assert len(exact) == 5
    assert all(row.holds for row in exact)
    assert sum("95 % intervals that hold" in measure for measure in by_measure) == 3
    assert by_measure["last 60 days: p that our log score is worse than that of GARCH, Diebold–Mariano"].seeds == 1
    assert json.loads(json.dumps([as_json("timeseries", row) for row in rows]))


def test_a_series_without_a_maximum_counts_as_missed() -> None:
    drawn = returns(coverage.TRUTH, 2, 80, np.random.default_rng(0))
    wide = np.array([[-9.0, 9.0], [-1.0, 1.0], [0.0, 9.0]])
    right = coverage.Study(
        np.array([-0.5, 2.0, -1.6]), np.eye(3), wide, drawn.log_volatility[0], drawn.log_volatility[0], 7
    )
    posterior = np.random.default_rng(0).random((20, 1, 3))
    of_seed = coverage.Seed(drawn.returns, drawn.log_volatility, [right, None], posterior, 0.5)
    rows = list(coverage.rows_of([of_seed]))
    assert [(row.value, row.holds) for row in rows if "that hold" in row.measure] == [(1, False)] * 3
