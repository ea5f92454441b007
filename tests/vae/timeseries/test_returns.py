from __future__ import annotations

import pytest
import torch

from designloop.testing import check_likelihood
from designloop.vae.errors import CapabilityError, VAEError
from designloop.vae.timeseries.returns import Returns

PARAMS = torch.tensor([[-0.5, 0.3, 1.2, -0.8], [0.2, -1.0, 0.4, 0.1]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("leverage", "df", "skew"),
    [(None, None, None), (-0.6, None, None), (None, 6.0, None), (-0.6, 6.0, None), (-0.6, 6.0, 0.8)],
)
def test_keeps_the_contract(leverage: float | None, df: float | None, skew: float | None) -> None:
    check_likelihood(Returns(0.2, leverage, df, skew=skew), PARAMS)


@pytest.mark.parametrize(("df", "skew"), [(None, None), (6.0, None), (6.0, 0.8)])
def test_tomorrows_news_averaged_out_leaves_todays_density(df: float | None, skew: float | None) -> None:
    likelihood = Returns(0.1, -0.7, df, skew=skew).double()
    news, h, x = (
        torch.linspace(-8, 8, 4001, dtype=torch.float64),
        torch.tensor(0.4).double(),
        torch.tensor(-2.5).double(),
    )
    params = torch.stack([h.expand_as(news), news], -1)
    density = likelihood.entry_log_prob(params, x.expand(len(news), 1)).exp()[:, 0]
    weight = torch.distributions.Normal(0.0, 1.0).log_prob(news).exp() * (news[1] - news[0])
    torch.testing.assert_close((density * weight).sum().log(), likelihood.log_prob_today(h, x), rtol=1e-6, atol=0)


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(VAEError, match=r"leverage is 1\.0, expected a correlation between -1 and 1, or None for none"):
        Returns(leverage=1.0)
    with pytest.raises(VAEError, match="df is 0, expected positive degrees of freedom, or None for normal returns"):
        Returns(df=0)
    with pytest.raises(VAEError, match=r"skew is -0\.1, expected a positive number, 1 for none, or None"):
        Returns(df=5.0, skew=-0.1)
    for df in (None, 0.9):
        with pytest.raises(VAEError, match=rf"df is {df} of skewed returns, expected more than 1"):
            Returns(df=df, skew=0.8)
    with pytest.raises(CapabilityError, match="Returns offers no mean; draw from it by sample"):
        Returns().mean(PARAMS)
