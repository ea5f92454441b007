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
