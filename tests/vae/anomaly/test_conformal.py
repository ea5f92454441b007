"""P-values by counting, and their false positives against the law, with a wrong formula that fails the same test."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from designloop.benchmarks.vae_methods.anomaly import uniformity, wrong_p_values
from designloop.vae.anomaly.conformal import conformal_p_values, false_positive_law
from designloop.vae.anomaly.scores import decoder_nll
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.linear.linear_gaussian import ppca
from designloop.vae.linear.linear_vae import as_vae

DRAWS, N = 200, 1000
few = st.lists(st.integers(0, 5), min_size=1, max_size=8)


@given(few, few)
def test_it_is_the_share_that_scores_no_less_itself_counted(scores: list[int], calibration: list[int]) -> None:
    """Of small integers, so that most of them tie."""
    result = conformal_p_values(torch.tensor(scores).double(), torch.tensor(calibration).double())
    wanted = [(1 + sum(c >= s for c in calibration)) / (len(calibration) + 1) for s in scores]
    assert result.tolist() == wanted


@pytest.fixture(scope="module", params=[0, 1, 2])
def pairs(request: pytest.FixtureRequest) -> Tensor:
    """(draws, 2 N) scores of fresh normal rows under one model."""
    generator = torch.Generator().manual_seed(request.param)
    weights = torch.randn(2, 4, generator=generator, dtype=torch.float64)

    def rows(n: int) -> Tensor:
        z, noise = (torch.randn(n, width, generator=generator, dtype=torch.float64) for width in (2, 4))
        return z @ weights + 0.5 * noise

    vae = as_vae(ppca(rows(100), 2))
    return decoder_nll(vae, rows(DRAWS * 2 * N)).view(DRAWS, 2 * N)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1])
def test_false_positives_follow_the_beta_binomial(pairs: Tensor, level: float) -> None:
    """A right program fails each of nine cases with probability 0.001 by its KS, and 0.0013 by its mean."""
    called = np.array([int((conformal_p_values(scores[N:], scores[:N]) <= level).sum()) for scores in pairs])
    assert uniformity(called, N, N, level, np.random.default_rng(0)) > 0.001
    assert called.mean() / N <= level + 3 * called.std(ddof=1) / N / np.sqrt(DRAWS)


@pytest.mark.parametrize("level", [0.05, 0.1])
def test_without_the_one_in_it_the_same_test_fails(pairs: Tensor, level: float) -> None:
    n = 20
    called = np.array([int((wrong_p_values(scores[N:], scores[:n]) <= level).sum()) for scores in pairs])
    assert uniformity(called, N, n, level, np.random.default_rng(0)) <= 0.001
    right = np.array([int((conformal_p_values(scores[N:], scores[:n]) <= level).sum()) for scores in pairs])
    assert uniformity(right, N, n, level, np.random.default_rng(0)) > 0.001


@pytest.mark.parametrize(("calibration", "level"), [(1000, 0.01), (999, 0.05), (19, 0.1), (1000, 0.1)])
def test_the_law_has_the_mean_of_its_rank(calibration: int, level: float) -> None:
    """l / (n + 1), which is the level itself where (n + 1) α is whole; 0.05 · 1000 is not quite 50 in binary."""
    law = false_positive_law(500, calibration, level)
    assert law.mean() / 500 == pytest.approx(np.floor((calibration + 1) * level + 1e-9) / (calibration + 1))


def test_too_few_calibration_rows_call_nothing() -> None:
    assert false_positive_law(100, 20, 0.01).pmf(0) == 1
    assert float(conformal_p_values(torch.tensor([1e9]), torch.zeros(20)).min()) > 0.01


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ShapeError, match=r"calibration has shape \(0,\), expected a vector"):
        conformal_p_values(torch.zeros(3), torch.zeros(0))
    with pytest.raises(ShapeError, match=r"scores has shape \(3, 1\)"):
        conformal_p_values(torch.zeros(3, 1), torch.zeros(2))
    with pytest.raises(VAEError, match="scores has 1 NaN"):
        conformal_p_values(torch.tensor([torch.nan]), torch.zeros(2))
    with pytest.raises(VAEError, match=r"level is 5, expected a number between 0 and 1"):
        false_positive_law(10, 10, 5)
    with pytest.raises(VAEError, match="rows is 0 and calibration 10"):
        false_positive_law(0, 10, 0.1)
