from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from designloop.testing import check_likelihood
from designloop.vae.errors import MissingContextError, VAEError
from designloop.vae.likelihoods.poisson import Poisson

PARAMS = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SIZE = {"library_size": torch.tensor([0.5, 1.0, 3.0, 10.0], dtype=torch.float64)}
X = torch.tensor([[0.0, 1, 2], [3, 0, 40], [7, 1, 1], [0, 0, 0]], dtype=torch.float64)


@pytest.mark.parametrize("size", [None, "library_size"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_pmf_against_scipy(size: str | None, dtype: torch.dtype) -> None:
    rate = PARAMS.exp() * (SIZE["library_size"].unsqueeze(1) if size else 1.0)
    wanted = scipy.stats.poisson(rate.numpy()).logpmf(X.numpy()).sum(1)
    np.testing.assert_allclose(Poisson(size).log_prob(PARAMS, X.to(dtype), None, SIZE), wanted, rtol=1e-11)
    torch.testing.assert_close(Poisson(size).mean(PARAMS, SIZE), rate)


@pytest.mark.parametrize("context", [None, SIZE])
def test_keeps_the_contract(context: dict[str, torch.Tensor] | None) -> None:
    likelihood = Poisson("library_size" if context else None)
    assert "fisher" in check_likelihood(likelihood, PARAMS, "counts", context=context).passed


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (0.5, r"x has 1 entries that are no counts, the first is 0\.5; give raw counts"),
        (-1.0, "x has 1 entries that are no counts, the first is -1;"),
        (float("nan"), "the first is nan;"),
        (float("inf"), "the first is inf;"),
    ],
)
def test_what_is_no_count_is_refused_unless_masked(wrong: float, message: str) -> None:
    x = X.clone()
    x[1, 2] = wrong
    with pytest.raises(VAEError, match=message):
        Poisson().log_prob(PARAMS, x)
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[1, 2] = False
    assert bool(Poisson().log_prob(PARAMS, x, mask).isfinite().all())


def test_a_size_that_is_missing_or_none() -> None:
    with pytest.raises(MissingContextError, match=r"Poisson reads context\['library_size'\], the context holds batch;"):
        Poisson("library_size").log_prob(PARAMS, X, None, {"batch": torch.zeros(4)})
    with pytest.raises(VAEError, match=r"context\['library_size'\] has sizes that are not positive"):
        Poisson("library_size").sample(PARAMS, None, {"library_size": torch.tensor([1.0, 0, 1, 1])})


def test_values_are_not_looked_at_where_they_cannot_be() -> None:
    log_prob = Poisson().log_prob
    compiled = torch.compile(log_prob, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(PARAMS, X), log_prob(PARAMS, X))
    torch.testing.assert_close(torch.func.vmap(log_prob)(PARAMS, X), log_prob(PARAMS, X))


def offsets(counts: torch.Tensor) -> torch.Tensor:
    """(5, counts) float32 log means up to two standard deviations from the counts, and further off."""
    away = torch.tensor([-2.0, -0.5, 0.0, 1.0, 30.0])[:, None]
    return counts.clamp_min(0.5).log() + away / counts.clamp_min(1).sqrt()


COUNTS = torch.tensor([0.0, 1, 19, 20, 21, 100, 1e4, 1e6, 1e7])


def test_large_counts_are_as_exact_in_float32_as_the_log_rate_is() -> None:
    """Beside scipy in float64 at the same log rates; these are known to 1e-6 of 16, which is √x times that in nats."""
    params = offsets(COUNTS).requires_grad_()
    result = Poisson().entry_log_prob(params, COUNTS.expand(5, -1))
    exact = params.detach().double()
    wanted = scipy.stats.poisson(exact.exp().numpy()).logpmf(COUNTS.numpy())
    np.testing.assert_allclose(result.detach()[:4], wanted[:4], rtol=2e-6, atol=3e-3)
    np.testing.assert_allclose(result.detach()[4], wanted[4], rtol=1e-4)
    (slope,) = torch.autograd.grad(result.sum(), params)
    np.testing.assert_allclose(slope, COUNTS - exact.exp(), rtol=2e-3, atol=12)
    half = Poisson().entry_log_prob(params.detach(), COUNTS.expand(5, -1))[:, :7]
    np.testing.assert_allclose(half, wanted[:, :7], rtol=2e-6, atol=1e-4)
