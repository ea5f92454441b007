from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.timeseries.kalman import StateSpace, kalman_filter, kalman_smoother, local_level
from designloop.vae.timeseries.nile import NILE

STEPS = 9


def trend() -> StateSpace:
    """A level with a slope: two states, an observation that mixes them, and a start that is no origin."""
    turn = torch.tensor([[1.0, 1.0], [0.0, 0.9]], dtype=torch.float64)
    news = torch.tensor([[0.5, 0.1], [0.1, 0.3]], dtype=torch.float64)
    design, start = torch.tensor([1.0, 0.3]).double(), torch.tensor([2.0, -1.0]).double()
    return StateSpace(
        turn, news, design, torch.tensor(0.7).double(), start, torch.diag(torch.tensor([3.0, 2.0]).double())
    )


def dense(model: StateSpace) -> tuple[np.ndarray, np.ndarray]:
    """Mean (steps · states,) and covariance of all states, by unrolling the model: x = A (start, η_1, …)."""
    states = len(model.start)
    turn, news = model.transition.numpy(), model.news.numpy()
    mean, maps = [], []
    for step in range(STEPS):
        mean.append(np.linalg.matrix_power(turn, step) @ model.start.numpy())
        row = [
            np.linalg.matrix_power(turn, step - k) if k <= step else np.zeros((states, states)) for k in range(STEPS)
        ]
        maps.append(np.hstack(row))
    spread = np.zeros((STEPS * states, STEPS * states))
    for k in range(STEPS):
        own = model.start_covariance.numpy() if k == 0 else news
        spread[k * states : (k + 1) * states, k * states : (k + 1) * states] = own
    unrolled = np.vstack(maps)
    return np.concatenate(mean), unrolled @ spread @ unrolled.T


def series() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    y = 2 * torch.randn(3, STEPS, dtype=torch.float64, generator=generator)
    mask = torch.rand(3, STEPS, generator=generator) < 0.6
    mask[0] = True
    return y, mask


def test_likelihood_and_smoother_are_those_of_the_dense_normal() -> None:
    model, (y, mask) = trend(), series()
    mean, covariance = dense(model)
    design = np.kron(np.eye(STEPS), model.design.numpy())
    filtered = kalman_filter(model, y.masked_fill(~mask, torch.nan), mask)
    smoothed, spreads = kalman_smoother(model, y, mask)
    for row in range(3):
        seen = mask[row].numpy()
        own, value = design[seen], y[row].numpy()[seen]
        spread = own @ covariance @ own.T + 0.7 * np.eye(len(own))
        known = multivariate_normal(own @ mean, spread).logpdf(value)
        np.testing.assert_allclose(filtered.log_likelihood[row].sum(), known, rtol=1e-6)
        gain = covariance @ own.T @ np.linalg.inv(spread)
        np.testing.assert_allclose(smoothed[row].flatten(), mean + gain @ (value - own @ mean), atol=1e-6)
        left = covariance - gain @ own @ covariance
        for step in range(STEPS):
            place = slice(2 * step, 2 * step + 2)
            np.testing.assert_allclose(spreads[row, step], left[place, place], atol=1e-6)
    assert bool((filtered.log_likelihood[~mask] == 0).all())


def test_what_comes_later_changes_nothing_that_was_filtered() -> None:
    model, (y, mask) = trend(), series()
    other, gaps = y.clone(), mask.clone()
    other[:, 5:] += 100
    gaps[:, 6] = ~gaps[:, 6]
    before, after = kalman_filter(model, y, mask), kalman_filter(model, other, gaps)
    for name in ("log_likelihood", "predicted", "mean", "covariance"):
        assert torch.equal(getattr(before, name)[:, :5], getattr(after, name)[:, :5])
    assert not torch.equal(before.mean[:, 5:], after.mean[:, 5:])


def test_the_nile_has_the_likelihood_of_the_books() -> None:
    y = torch.tensor(NILE, dtype=torch.float64).unsqueeze(0)
    assert (len(NILE), sum(NILE)) == (100, 91_935)
    model = local_level(1478.8, 15078.0)
    assert float(kalman_filter(model, y).log_likelihood[:, 1:].sum()) == pytest.approx(-632.5378, abs=5e-5)
    mask = torch.ones_like(y, dtype=torch.bool)
    mask[:, 20:40] = mask[:, 60:80] = False
    assert float(kalman_filter(model, y, mask).log_likelihood[:, 1:].sum()) == pytest.approx(-380.588, abs=5e-4)


def test_what_cannot_be_is_told() -> None:
    model = local_level(1.0, 1.0)
    with pytest.raises(ShapeError, match=r"y has shape \(3,\), expected \(batch, steps\); give y.unsqueeze\(0\)"):
        kalman_filter(model, torch.zeros(3).double())
    with pytest.raises(ShapeError, match=r"mask has shape \(1, 2\), expected \(1, 3\) as y"):
        kalman_filter(model, torch.zeros(1, 3).double(), torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(VAEError, match=r"y\[0, 1\] is observed and no finite number; mask it"):
        kalman_filter(model, torch.tensor([[1.0, torch.nan]]).double())


def test_a_series_comes_in_by_the_door() -> None:
    model = local_level(1.0, 2.0)
    y = torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.float64)
    whole = kalman_filter(model, y).log_likelihood
    for given in (y.float(), y.numpy(), [[1, 2, 4]], y.long()):
        assert torch.equal(kalman_filter(model, given).log_likelihood, whole)
    seen = [[True, False, True]]
    masked = kalman_filter(model, y, torch.tensor(seen)).log_likelihood
    assert torch.equal(kalman_filter(model, y, seen).log_likelihood, masked)
    with pytest.raises(VAEError, match="y is of type str, expected a tensor"):
        kalman_filter(model, "1, 2")


def test_a_mask_of_numbers_is_told() -> None:
    y = torch.zeros(1, 5)
    with pytest.raises(VAEError, match=r"mask is of torch.int64, expected torch.bool, True where observed; give mask."):
        kalman_filter(local_level(1.0, 1.0), y, torch.ones(1, 5, dtype=torch.long))
