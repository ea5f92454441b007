"""Likelihood of returns given the path of their log-volatility: normal, Student-t or skewed, with leverage or without.

    r_t = μ + exp(h_t / 2) ε_t,   ε_t = F⁻¹(Φ(u_t)),   u_t | η_{t+1} ~ N(ρ η_{t+1}, 1 − ρ²)

η_{t+1} is tomorrow's news of the log-volatility, which the path of h knows. With ρ ≠ 0 a return says something of it,
and it of the return: the density is that of ε_t alone, times N(u_t; ρ η, 1 − ρ²) / N(u_t; 0, 1), a normal copula.
F is the standard normal's distribution function, Student's, or that of a Student's whose halves differ (``scores``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.timeseries.scores import from_normal, log_student, normal_score


class Returns(Entrywise):
    """p(r_t | h_t, η_{t+1}); the decoder gives all h and, behind them, all η.

    It has no mean in closed form (with heavy tails and leverage): draw from it.

    Args:
        mean: μ to start from.
        leverage: ρ to start from, between −1 and 1; None for none, and η is then not looked at.
        df: degrees of freedom ν to start from; None for normal returns.
        learned_mean: False fixes μ.
        skew: γ to start from, below 1 where falls are larger than rises; None for symmetric returns. It takes ν > 1.

    Raises:
        VAEError: ρ is not between −1 and 1, ν or γ not positive, or skewed returns have no ν above 1.
    """

    def __init__(
        self,
        mean: float = 0.0,
        leverage: float | None = None,
        df: float | None = None,
        learned_mean: bool = True,
        skew: float | None = None,
    ) -> None:
        super().__init__()
        if leverage is not None and not -1 < leverage < 1:
            raise VAEError(f"leverage is {leverage}, expected a correlation between -1 and 1, or None for none")
        if df is not None and df <= 0:
            raise VAEError(f"df is {df}, expected positive degrees of freedom, or None for normal returns")
        if skew is not None and skew <= 0:
            raise VAEError(f"skew is {skew}, expected a positive number, 1 for none, or None for symmetric returns")
        if skew is not None and (df is None or df <= 1):
            raise VAEError(
                f"df is {df} of skewed returns, expected more than 1, so that they have a mean; 10 is a start"
            )
        self.location = nn.Parameter(torch.tensor(float(mean)), requires_grad=learned_mean)
        self.raw_leverage = None if leverage is None else nn.Parameter(torch.tensor(math.atanh(leverage)))
        self.log_df = None if df is None else nn.Parameter(torch.tensor(math.log(df)))
        self.log_skew = None if skew is None else nn.Parameter(torch.tensor(math.log(skew)))

    @property
    def leverage(self) -> Tensor:
        """() ρ, 0 where there is none."""
        return torch.zeros_like(self.location) if self.raw_leverage is None else self.raw_leverage.tanh()

    @property
    def params_per_entry(self) -> int:
        """A log-volatility and tomorrow's news."""
        return 2

    def shocks(self, h: Tensor, x: Tensor) -> Tensor:
        """(...) ε of returns x under log-volatilities h."""
        return (x - self.location) * (-h / 2).exp()

    def log_prob_today(self, h: Tensor, x: Tensor) -> Tensor:
        """(...) log p(r_t | h_t) in nats, tomorrow's news unknown."""
        e = self.shocks(h, x)
        if self.log_df is None:
            return -0.5 * (e.square() + LOG_2PI + h)
        return log_student(e, self.log_df, self.log_skew) - h / 2

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, steps) log density in nats."""
        h, news = params.chunk(2, -1)
        today = self.log_prob_today(h, x)
        if self.raw_leverage is None:
            return today
        e = self.shocks(h, x)
        u = e if self.log_df is None else normal_score(e, self.log_df, self.log_skew)
        rest = 1 - self.leverage.square()
        surprise = (u - self.leverage * news).square() / rest - u.square()
        return today - 0.5 * (surprise + rest.log())

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, steps) one draw a row."""
        h, news = params.chunk(2, -1)
        noise = torch.randn(h.shape, dtype=h.dtype, device=h.device, generator=generator)
        u = self.leverage * news + (1 - self.leverage.square()).sqrt() * noise
        shocks = u if self.log_df is None else from_normal(u, self.log_df, self.log_skew)
        return self.location + (h / 2).exp() * shocks
