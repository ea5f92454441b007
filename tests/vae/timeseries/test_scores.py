from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

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


def test_slopes_are_those_of_differences() -> None:
    e = torch.tensor([-4.0, -0.3, 0.2, 7.0], dtype=torch.float64).requires_grad_()
    log_df = torch.tensor(math.log(6.0), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(normal_score, (e, log_df), eps=1e-5, atol=1e-6)
