"""The process over vectors: its posterior, evidence and slopes against independent ones, and what its fit learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal, spearmanr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from designloop.strategies.surrogates.fitted_process import (
    FittedProcess,
    Shape,
    log_density,
    log_evidence,
    log_prior,
)

RNG = np.random.default_rng(0)
X = RNG.uniform(-(3**0.5), 3**0.5, (40, 3))
Y = np.sin(3 * X[:, 0]) + X[:, 1] ** 2
PLACES = RNG.uniform(-(3**0.5), 3**0.5, (6, 3))
SHAPE = Shape(np.array([0.6, 1.2, 2.5]), noise=0.01, fine=0.1, rough=0.2, bowl=0.3)
PLAIN = replace(SHAPE, rough=0.0, bowl=0.0)


def test_without_roughness_and_bowl_it_is_the_process_of_scikit_learn() -> None:
    process = FittedProcess.of(X, Y, PLAIN)
    theirs = GaussianProcessRegressor(Matern(SHAPE.lengths, nu=2.5), alpha=0.01, optimizer=None).fit(
        X, process.scale(Y) - process.mean
    )
    mean, deviation = theirs.predict(PLACES, return_std=True)
    own, doubt = process(PLACES).moments()
    assert own == pytest.approx(mean + process.mean)
    assert doubt == pytest.approx(deviation * process.variance**0.5)


def test_the_evidence_is_the_density_of_the_values_at_the_mean_and_the_variance_that_it_takes() -> None:
    process = FittedProcess.of(X, Y, SHAPE)
    covariance, seen = process.variance * (SHAPE.kernel(X, X) + SHAPE.noise * np.eye(len(X))), process.scale(Y)
    density = multivariate_normal.logpdf(seen, np.full(len(Y), process.mean), covariance)
    constant = 0.5 * len(Y) * (1 + np.log(2 * np.pi))
    assert log_evidence(SHAPE.logs(), X, seen)[0] == pytest.approx(density + constant)
    for mean, scale in ((0.01, 1.0), (0.0, 1.02), (0.0, 0.98)):
        assert multivariate_normal.logpdf(seen, np.full(len(Y), process.mean + mean), scale * covariance) < density


@pytest.mark.parametrize(
    ("of", "numbers"),
    [
        (lambda logs: log_evidence(logs, X, Y)[:2], SHAPE.logs()),
        (log_prior, SHAPE.logs()),
        (lambda numbers: log_density(numbers, X, Y), np.append(SHAPE.logs(), 0.3)),
        (lambda numbers: log_density(numbers, X, Y), np.append(SHAPE.logs(), 1.8)),
    ],
    ids=["evidence", "prior", "density", "density of another scale"],
)
def test_slopes_of_what_is_fitted_are_those_of_finite_differences(
    of: Callable[[np.ndarray], tuple[float, np.ndarray]], numbers: np.ndarray
) -> None:
    steps = approx_fprime(numbers, lambda near: of(near)[0], 1e-6)
    assert of(numbers)[1] == pytest.approx(steps, rel=1e-3, abs=1e-3)


def test_the_evidence_rises_with_values_as_finite_differences_do() -> None:
    steps = approx_fprime(Y, lambda near: log_evidence(SHAPE.logs(), X, near)[0], 1e-6)
    assert log_evidence(SHAPE.logs(), X, Y)[2] == pytest.approx(steps, rel=1e-3, abs=1e-3)


def test_slopes_of_bounds_are_those_of_finite_differences() -> None:
    kappa = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 3.0])
    whole, bent = FittedProcess.of(X, Y, SHAPE), FittedProcess.of(X, Y, SHAPE, power=0.4)
    for process in (whole, whole.trend(), bent):
        moved = [
            process.bounds(PLACES + step, kappa) - process.bounds(PLACES - step, kappa) for step in 1e-5 * np.eye(3)
        ]
        assert process.slopes(PLACES, kappa) == pytest.approx(np.stack(moved, 1) / 2e-5, rel=1e-4, abs=1e-5)


def test_covariances_have_the_variances() -> None:
    for process in (FittedProcess.of(X, Y, SHAPE), FittedProcess.of(X, Y, SHAPE).trend()):
        posterior = process(PLACES)
        assert np.diagonal(posterior.covariances()[0]) == pytest.approx(posterior.variances()[0], rel=1e-5)


def test_the_trend_is_all_but_what_is_rough() -> None:
    whole, trend = SHAPE.kernel(PLACES, X), SHAPE.trend().kernel(PLACES, X)
    rough = replace(SHAPE, rough=1.0, bowl=0.0, level=SHAPE.rough).kernel(PLACES, X)
    assert whole == pytest.approx(trend + rough)
    assert SHAPE.trend().variance(PLACES) == pytest.approx(SHAPE.variance(PLACES) - SHAPE.rough)
    assert np.diagonal(SHAPE.kernel(PLACES, PLACES)) == pytest.approx(SHAPE.variance(PLACES))


def test_a_fit_tells_axes_apart_and_short_waves_from_the_slope_that_they_lie_on() -> None:
    points = np.random.default_rng(1).uniform(-(3**0.5), 3**0.5, (120, 2))
    waves = 0.3 * np.cos(40 * points[:, 0])
    process = FittedProcess.fit(points, np.sin(2 * points[:, 0]) + waves)
    assert process.shape.lengths[1] > 2 * process.shape.lengths[0], "nothing changes along the second axis"
    along = np.column_stack([np.linspace(-1.5, 1.5, 60), np.zeros(60)])
    slope = process.trend().bounds(along, 0.0)
    assert np.abs(slope - np.sin(2 * along[:, 0])).mean() < 0.12


def test_a_bowl_is_foreseen_beyond_what_was_seen() -> None:
    points = np.random.default_rng(2).uniform(-1.7, 0.0, (40, 4))
    process = FittedProcess.fit(points, -np.square(points - 0.8).sum(1))
    beyond = np.full((1, 4), 0.8)
    assert process.bounds(beyond, 0.0)[0] == pytest.approx(0.0, abs=0.2), "the best seen is about -3"


def test_values_are_seen_on_a_scale_that_shows_more_of_them() -> None:
    rng = np.random.default_rng(3)
    points, others = rng.uniform(-1.7, 1.7, (2, 60, 3))

    def peak(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-3 * np.linalg.norm(x - 0.5, axis=1)))

    process = FittedProcess.fit(points, peak(points))
    assert process.scale.power < 0.4, "few values tower above all others"
    as_it_is = FittedProcess.of(points, peak(points), process.shape)
    own, theirs = (spearmanr(each.bounds(others, 0.0), peak(others)).statistic for each in (process, as_it_is))
    assert own > 0.95
    assert own > theirs + 0.05
    abyss = FittedProcess.fit(points, -peak(points))
    assert abyss.scale.power == pytest.approx(2 - process.scale.power, abs=0.02)
    assert abyss.bounds(others, 0.0) == pytest.approx(-process.bounds(others, 0.0), abs=0.01)


def test_a_later_fit_goes_on_from_an_earlier_one() -> None:
    first = FittedProcess.fit(X, Y)
    again = FittedProcess.fit(X, Y, first)
    assert again.shape.lengths == pytest.approx(first.shape.lengths, rel=0.05)


@pytest.mark.parametrize("values", [np.zeros(5), np.array([1e6, -1e6, 0.0, 1.0, 2.0])])
def test_odd_values_give_numbers(values: np.ndarray) -> None:
    process = FittedProcess.fit(np.repeat(X[:1], 5, axis=0), values)
    mean, doubt = process(PLACES).moments()
    assert np.isfinite(mean).all()
    assert (np.isfinite(doubt) & (doubt >= 0)).all()
