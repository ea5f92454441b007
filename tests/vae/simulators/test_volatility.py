from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm, t

from designloop.vae.simulators.volatility import Volatility, returns


@pytest.mark.parametrize("df", [None, 5.0])
def test_series_are_made_as_the_docstring_says(df: float | None) -> None:
    truth = Volatility(level=-1.0, persistence=0.9, wander=0.4, mean=0.3, leverage=-0.7, df=df)
    drawn = returns(truth, 400, 100, np.random.default_rng(0))
    h, spread = drawn.log_volatility, 0.4 / np.sqrt(1 - 0.9**2)
    shocks = (drawn.returns - 0.3) * np.exp(-h / 2)
    law = norm() if df is None else t(df)
    assert kstest(shocks.ravel(), law.cdf).pvalue > 0.001
    assert kstest(h[:, 0], norm(-1.0, spread).cdf).pvalue > 0.001
    assert kstest(h[:, -1], norm(-1.0, spread).cdf).pvalue > 0.001
    news = (h[:, 1:] + 1 - 0.9 * (h[:, :-1] + 1)) / 0.4
    scores = norm.ppf(law.cdf(shocks[:, :-1]))
    assert np.corrcoef(scores.ravel(), news.ravel())[0, 1] == pytest.approx(-0.7, abs=0.01)
    assert abs(np.corrcoef(scores[:, 1:].ravel(), news[:, :-1].ravel())[0, 1]) < 0.02


def test_without_news_the_volatility_stands_still() -> None:
    still = returns(Volatility(wander=1e-9, level=2.0), 3, 50, np.random.default_rng(1))
    assert still.log_volatility == pytest.approx(2.0)
