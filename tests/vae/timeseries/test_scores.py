from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from designloop.vae.timeseries.scores import ScoreTable, from_normal, log_student, normal_score


def tails() -> torch.Tensor:
    return torch.cat([-torch.logspace(2, -3, 60), torch.logspace(-3, 2, 60)]).double()


@pytest.mark.parametrize("df", [2.5, 5.0, 40.0])
def test_scores_are_those_of_scipy_there_and_back(df: float) -> None:
    e, log_df = tails(), torch.tensor(math.log(df), dtype=torch.float64)
    law = stats.t(df)
    known = np.where(e < 0, stats.norm.ppf(law.cdf(e)), stats.norm.isf(law.sf(e)))
    scores = normal_score(e, log_df)
    np.testing.assert_allclose(scores, known, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(from_normal(scores, log_df), e, rtol=1e-7)
    np.testing.assert_allclose(log_student(e, log_df), law.logpdf(e), rtol=1e-9, atol=1e-9)
    table = ScoreTable(log_df)
    np.testing.assert_allclose(table(e), known, atol=1e-5)
    u = torch.linspace(-6, 6, 77).double()
    np.testing.assert_allclose(table.back(u), from_normal(u, log_df), rtol=1e-4, atol=1e-7)
    assert float(table(torch.tensor(1e9).double())) == pytest.approx(
        float(table(torch.tensor(3000.0).double())), rel=1e-6
    )


@pytest.mark.parametrize("skew", [None, 0.8, 1.3])
def test_slopes_are_those_of_differences(skew: float | None) -> None:
    e = torch.tensor([-4.0, -0.3, 0.2, 7.0], dtype=torch.float64).requires_grad_()
    log_df = torch.tensor(math.log(6.0), dtype=torch.float64).requires_grad_()
    log_skew = None if skew is None else torch.tensor(math.log(skew), dtype=torch.float64).requires_grad_()
    inputs = [e, log_df] if log_skew is None else [e, log_df, log_skew]
    assert torch.autograd.gradcheck(normal_score, inputs, eps=1e-5, atol=1e-6)
    assert torch.autograd.gradcheck(log_student, inputs, eps=1e-6, atol=1e-6)


@pytest.mark.parametrize(("df", "skew"), [(2.5, 0.7), (8.0, 0.9), (40.0, 1.4)])
def test_skewed_shocks_have_a_law_of_mean_zero_whose_halves_are_stretched(df: float, skew: float) -> None:
    """The density by its own formula in scipy, mass and mean by quadrature, scores by the density's integral."""
    log_df, log_skew = (torch.tensor(math.log(value), dtype=torch.float64) for value in (df, skew))
    law, share = stats.t(df), 2 / (skew + 1 / skew)

    def stretched(xi: float) -> float:
        return float(share * law.pdf(xi * skew if xi < 0 else xi / skew))

    def whole(function: object) -> float:
        return float(sum(integrate.quad(function, *ends, limit=300)[0] for ends in ((-np.inf, 0), (0, np.inf))))

    assert whole(stretched) == pytest.approx(1)
    mean = whole(lambda xi: xi * stretched(xi))
    e = torch.tensor([-20.0, -2.0, -0.1, 0.05, 0.5, 3.0, 30.0], dtype=torch.float64)
    known = [math.log(stretched(value + mean)) for value in e.tolist()]
    np.testing.assert_allclose(log_student(e, log_df, log_skew), known, atol=1e-7)
    below = [integrate.quad(stretched, -np.inf, value + mean, limit=300)[0] for value in e.tolist()]
    scores = normal_score(e, log_df, log_skew)
    np.testing.assert_allclose(stats.norm.cdf(scores), below, atol=1e-7)
    np.testing.assert_allclose(from_normal(scores, log_df, log_skew), e, rtol=1e-9, atol=1e-12)
    table = ScoreTable(log_df, log_skew)
    np.testing.assert_allclose(table(e), scores, atol=1e-5)
    u = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64)
    np.testing.assert_allclose(table.back(u), from_normal(u, log_df, log_skew), atol=1e-4)


def test_a_skew_of_one_is_none_and_a_law_without_a_mean_is_no_number() -> None:
    e, log_df, no_skew = tails(), torch.tensor(math.log(5.0)).double(), torch.tensor(0.0).double()
    for function in (log_student, normal_score, from_normal):
        torch.testing.assert_close(function(e, log_df, no_skew), function(e, log_df), rtol=1e-9, atol=1e-9)
    assert bool(log_student(e, torch.tensor(math.log(0.9)).double(), torch.tensor(0.1).double()).isnan().all())


def test_a_table_of_several_laws_is_the_table_of_each() -> None:
    log_df, log_skew = torch.tensor([3.0, 30.0]).double().log(), torch.tensor([0.8, 1.1]).double().log()
    e = torch.stack([tails(), -2 * tails()])
    both = ScoreTable(log_df.view(2, 1), log_skew.view(2, 1))
    for law in (0, 1):
        alone = ScoreTable(log_df[law], log_skew[law])
        torch.testing.assert_close(both(e)[law], alone(e[law]))
        torch.testing.assert_close(both.back(e)[law], alone.back(e[law]))
