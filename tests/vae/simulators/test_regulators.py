from __future__ import annotations

import numpy as np
import pytest

from designloop.vae.simulators.regulators import Regulators, cells, regulators


def drawn(seed: int = 0, **knobs: float) -> Regulators:
    return regulators(np.random.default_rng(seed), **knobs)  # type: ignore[arg-type]


def test_regulators_are_standardised_whatever_acts_on_them() -> None:
    truth = drawn()
    factors = cells(truth, 40_000, np.random.default_rng(1)).factors
    np.testing.assert_allclose(factors.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(factors.std(0), 1, atol=0.03)
    assert truth.causes.sum() == 5


def test_noise_and_factors_are_each_others_inverse_and_the_counterfactual_keeps_the_noise() -> None:
    truth, noise = drawn(2), np.random.default_rng(2).standard_normal((50, 5))
    factors = truth.factors(noise)
    np.testing.assert_allclose(truth.noise_of(factors), noise, atol=1e-10)
    np.testing.assert_allclose(truth.counterfactual(factors, {}), factors, atol=1e-10)
    j = truth.order[0]
    changed = truth.counterfactual(factors, {j: 1.5})
    np.testing.assert_allclose(changed[:, j], 1.5)
    np.testing.assert_allclose(np.delete(truth.noise_of(changed) - noise, j, 1), 0, atol=1e-10)
    last = truth.order[-1]  # nothing is behind it
    np.testing.assert_allclose(np.delete(truth.counterfactual(factors, {last: 1.5}) - factors, last, 1), 0, atol=1e-10)


def test_without_curvature_it_is_linear_and_normal() -> None:
    """The covariance is that of (I − A)⁻¹, and an intervention moves by total effects."""
    truth = drawn(3, curvature=0.0)
    a = truth.effects / truth.spreads[:, None]
    inverse = np.linalg.inv(np.eye(5) - a)
    covariance = inverse @ np.diag((truth.noises / truth.spreads) ** 2) @ inverse.T
    factors = cells(truth, 40_000, np.random.default_rng(1)).factors
    np.testing.assert_allclose(np.cov(factors.T), covariance, atol=0.04)
    j = truth.order[0]
    moved = truth.counterfactual(factors, {j: factors[:, j] + 1}) - factors
    np.testing.assert_allclose(moved, np.broadcast_to(inverse[:, j], moved.shape), atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_expression_says_the_regulators(seed: int) -> None:
    truth = drawn(seed)
    seen = cells(truth, 400, np.random.default_rng(seed))
    np.testing.assert_allclose(truth.read(truth.expression(seen.factors)), seen.factors, atol=1e-7)
    assert 0.02 < np.sqrt(((truth.read(seen.x) - seen.factors) ** 2).mean()) < 0.08


def test_cells_under_an_intervention_are_so_from_the_start() -> None:
    truth = drawn(1)
    set_to = np.linspace(-1, 1, 100)
    factors = cells(truth, 100, np.random.default_rng(4), {3: set_to}).factors
    np.testing.assert_array_equal(factors[:, 3], set_to)
    np.testing.assert_array_equal(
        factors, truth.factors(np.random.default_rng(4).standard_normal((100, 5)), {3: set_to})
    )
