"""PPCA of observed entries: the closed form where nothing is missing, a stationary point where something is."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence, ppca
from designloop.vae.linear.missing_entries import ppca_of_observed


def table(rows: int = 80, missing: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor]:
    draws = generator(seed)
    weights = torch.randn(5, 2, generator=draws, dtype=torch.float64)
    noise = 0.5 * torch.randn(rows, 5, generator=draws, dtype=torch.float64)
    x = torch.randn(rows, 2, generator=draws, dtype=torch.float64) @ weights.T + noise + 1000
    mask = torch.rand(rows, 5, generator=draws) >= missing
    mask[torch.arange(rows), torch.arange(rows) % 5] = True
    return x, mask


def test_with_nothing_missing_it_is_the_closed_form() -> None:
    x, mask = table(missing=0)
    away = LinearGaussian(torch.ones(5, 2).double().triu(), x.mean(0) + 1, torch.ones(1).double())
    result, exact = ppca_of_observed(x, mask, 2, start=away, steps=5000, tolerance=1e-14), ppca(x, 2)
    torch.testing.assert_close(result.covariance, exact.covariance, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(result.offset, exact.offset)
    torch.testing.assert_close(result.weights, exact.weights, rtol=1e-4, atol=1e-4)  # in the canonical rotation


def test_no_slope_is_left_where_it_ends() -> None:
    x, mask = table()
    model = ppca_of_observed(x.masked_fill(~mask, torch.nan), mask, 2, steps=5000, tolerance=1e-14)
    parts = [part.clone().requires_grad_() for part in (model.weights, model.offset, model.variance)]
    log_evidence(LinearGaussian(*parts), x, mask).sum().backward()
    assert all(float(part.grad.abs().max()) < 1e-3 for part in parts if part.grad is not None)
    poor = ppca(torch.where(mask, x, x.mean(0)), 2)
    assert float(log_evidence(model, x, mask).sum()) > float(log_evidence(poor, x, mask).sum()) + 5


@given(seed=st.integers(0, 1000), missing=st.floats(0, 0.6))
@settings(max_examples=10, deadline=None)
def test_no_step_lowers_the_evidence(seed: int, missing: float) -> None:
    x, mask = table(30, missing, seed)
    by_steps = [ppca_of_observed(x, mask, 2, steps=steps, tolerance=-1) for steps in (0, 1, 2, 5)]
    evidences = [float(log_evidence(model, x, mask).sum()) for model in by_steps]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(evidences))


def test_what_cannot_be_is_said() -> None:
    x, mask = table()
    with pytest.raises(ShapeError, match=r"x has shape \(80, 5\), expected \(rows, more than latent = 5 features\)"):
        ppca_of_observed(x, mask, 5)
    with pytest.raises(VAEError, match="feature 3 is observed in no row; leave it out"):
        ppca_of_observed(x, mask & (torch.arange(5) != 3), 2)
    with pytest.raises(ShapeError, match=r"start has shape \(5, 3\), expected \(5, 2\)"):
        ppca_of_observed(x, mask, 2, start=ppca(x, 3))
    with pytest.raises(VAEError, match="mask observes nothing of 1 rows"):
        ppca_of_observed(x, mask & (torch.arange(80) != 4).unsqueeze(1), 2)
