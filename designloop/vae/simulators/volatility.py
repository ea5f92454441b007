"""Returns of an asset whose volatility wanders: a log-volatility that is a path, leverage and heavy tails.

    h_{t+1} − m = φ (h_t − m) + σ η_{t+1},     h_1 ~ N(m, σ² / (1 − φ²))
    r_t = μ + exp(h_t / 2) ε_t,                ε_t = F⁻¹(Φ(u_t)),   u, η ~ N(0, 1),   corr(u_t, η_{t+1}) = ρ

F is Student's distribution function with ν degrees of freedom, so that ε_t is exactly Student-t, and h exactly a normal
AR(1), whatever ρ; without heavy tails ε_t = u_t. Leverage is ρ < 0: a fall today, more volatility tomorrow. Volatility
is the harder to tell the smaller σ is: at 0 returns are independent.

Sources: Taylor 1982 (the model), Harvey & Shephard 1996 (leverage), Jacquier, Polson & Rossi 2004 (both together).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, stdtrit

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Volatility:
    """What returns are drawn from."""

    level: float = 0.0
    """m, mean of the log-volatility: exp(m / 2) is a day's usual scale."""
    persistence: float = 0.97
    """φ, between −1 and 1."""
    wander: float = 0.2
    """σ, standard deviation of the log-volatility's news."""
    mean: float = 0.0
    """μ, of the returns."""
    leverage: float = 0.0
    """ρ, between −1 and 1."""
    df: float | None = None
    """ν, degrees of freedom of Student's t; None for normal returns."""


@dataclass(frozen=True, slots=True)
class Series:
    """Returns and what they were made of."""

    returns: Array
    """(series, steps) r"""
    log_volatility: Array
    """(series, steps) h"""


def returns(truth: Volatility, series: int, steps: int, rng: np.random.Generator) -> Series:
    """Series drawn side by side.

    Args:
        series: how many.
        steps: days of each.
    """
    news = rng.standard_normal((series, steps))
    carried, own = truth.leverage, np.sqrt(1 - truth.leverage**2)
    u = rng.standard_normal((series, steps))
    eta = np.concatenate([news[:, :1], carried * u[:, :-1] + own * news[:, 1:]], 1)  # η_1 leans on no return
    eta[:, 0] /= np.sqrt(1 - truth.persistence**2)
    h = truth.level + lfilter([truth.wander], [1.0, -truth.persistence], eta, axis=1)
    shocks = u if truth.df is None else np.sign(u) * stdtrit(truth.df, ndtr(np.abs(u)))
    return Series(truth.mean + np.exp(h / 2) * shocks, h)
