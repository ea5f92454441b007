"""Shocks with heavy tails, skewed or not, and their normal scores: what a shock would be if it were normal, and back.

    ε = ξ − E ξ,   ξ has the density 2 / (γ + 1/γ) · t_ν(ξ / γ) above 0, 2 / (γ + 1/γ) · t_ν(ξ γ) below

The halves of Student's density are stretched by γ and 1/γ, and the whole is moved so that its mean is 0. γ = 1 is
Student's t itself; below 1 falls are larger than rises. Skewed ones have to have a mean, ν > 1: elsewhere they are NaN.

Sources: Fernández & Steel 1998, "On Bayesian modeling of fat tails and skewness"; Hansen 1994 (the same in other
letters, in GARCH).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit
from torch import Tensor
from torch.autograd.function import once_differentiable

from designloop.vae.likelihoods.special import LOG_2PI, log_rising

Array = NDArray[np.float64]


_MOVE = 1e-4
"""By which parameters are moved for slopes of a score."""


def log_student(e: Tensor, log_df: Tensor, log_skew: Tensor | None = None) -> Tensor:
    """(...) log density in nats of shocks e, of exp(``log_df``) degrees of freedom, skewed by exp(``log_skew``)."""
    df = log_df.exp()
    constant = log_rising(df / 2, torch.full_like(df, 0.5)) - 0.5 * (log_df + math.log(math.pi))
    if log_skew is not None:
        xi = e + _centre(log_df, log_skew)
        e = xi * torch.where(xi < 0, log_skew, -log_skew).exp()
        constant = constant - log_skew.cosh().log()
    return constant - (df + 1) / 2 * torch.log1p(e.square() / df)


def normal_score(e: Tensor, log_df: Tensor, log_skew: Tensor | None = None) -> Tensor:
    """(...) Φ⁻¹(F(e)), F the shocks' distribution function: standard normal where e is a shock; differentiable once."""
    return _Score.apply(e, log_df, log_skew)  # type: ignore[no-any-return]


def from_normal(u: Tensor, log_df: Tensor, log_skew: Tensor | None = None) -> Tensor:
    """(...) F⁻¹(Φ(u)), the shock whose score u is; no gradient goes through it."""
    df, skew, centre = _numbers(log_df, log_skew)
    values = u.numpy(force=True).astype(float)
    below, above = (1 + skew**2) / 2, (1 + skew**-2) / 2  # one over twice the mass of either half
    falls = stdtrit(df, np.minimum(ndtr(values) * below, 0.5)) / skew
    rises = -stdtrit(df, np.minimum(ndtr(-values) * above, 0.5)) * skew
    xi = np.where(ndtr(values) * below < 0.5, falls, rises)
    return torch.from_numpy(np.asarray(xi - centre)).to(u)


class ScoreTable:
    """Normal scores of some laws of shocks, there and back, by interpolation: what many particles ask.

    Nodes are even in asinh e, as both tails want it; beyond them, at e = ± 3,000, a score stays what it is there, to
    1e-5. On the way back they are even in u, up to ± 8, to 1e-4 of the number.

    Args:
        log_df: of one law, or (laws, …) of several, whose numbers are then (laws, …).
        log_skew: of the same shape; None for symmetric ones.
    """

    def __init__(self, log_df: Tensor, log_skew: Tensor | None = None, nodes: int = 8001) -> None:
        reach = math.asinh(3000.0)
        places, even = np.sinh(np.linspace(-reach, reach, nodes)), torch.linspace(-8, 8, nodes, dtype=torch.float64)
        skews = [None] * log_df.numel() if log_skew is None else list(log_skew.flatten())
        laws = list(zip(log_df.flatten(), skews, strict=True))
        there = [torch.from_numpy(_scores(places, *_numbers(df, skew))) for df, skew in laws]
        self.scores = _Table(reach, torch.stack(there).to(log_df))
        self.numbers = _Table(8.0, torch.stack([from_normal(even, df, skew) for df, skew in laws]).to(log_df))

    def __call__(self, e: Tensor) -> Tensor:
        """(...) scores of e."""
        return self.scores(torch.asinh(e))

    def back(self, u: Tensor) -> Tensor:
        """(...) the numbers whose scores u are."""
        return self.numbers(u)


class _Table:
    """Functions (laws, nodes) on even nodes from −reach to reach, straight between them and level beyond."""

    def __init__(self, reach: float, values: Tensor) -> None:
        self.reach, self.values, self.step = reach, values, 2 * reach / (values.shape[-1] - 1)

    def __call__(self, x: Tensor) -> Tensor:
        place = ((x.clamp(-self.reach, self.reach) + self.reach) / self.step).reshape(len(self.values), -1)
        below = place.floor().clamp_max(self.values.shape[-1] - 2)
        index = below.long()
        low = self.values.gather(-1, index)
        return (low + (place - below) * (self.values.gather(-1, index + 1) - low)).view(x.shape)


def _centre(log_df: Tensor, log_skew: Tensor) -> Tensor:
    """() E ξ = (γ − 1/γ) E|t_ν|; NaN without a mean."""
    df = log_df.exp()
    log_mean = math.log(2 / math.sqrt(math.pi)) + log_df / 2 - (df - 1).log()
    log_mean = log_mean + log_rising(df / 2, torch.full_like(df, 0.5))
    return 2 * log_skew.sinh() * log_mean.exp()


def _numbers(log_df: Tensor, log_skew: Tensor | None, move: tuple[float, float] = (0.0, 0.0)) -> tuple[float, ...]:
    """ν, γ and E ξ of parameters that are moved first."""
    log_df = log_df.detach().double() + move[0]
    if log_skew is None:
        return float(log_df.exp()), 1.0, 0.0
    log_skew = log_skew.detach().double() + move[1]
    return float(log_df.exp()), float(log_skew.exp()), float(_centre(log_df, log_skew))


def _tails(e: Array, falls: NDArray[np.bool_], df: float, skew: float, centre: float) -> Array:
    """F(e) where ``falls``, elsewhere 1 − F(e): the tail that does not round to 1."""
    xi = e + centre
    mass = np.where(falls, 2 / (1 + skew**2), 2 / (1 + skew**-2))
    return np.asarray(mass * stdtr(df, np.where(falls, xi * skew, -xi / skew)))


def _scores(e: Array, df: float, skew: float, centre: float) -> Array:
    falls = e < -centre
    tails = ndtri(_tails(e, falls, df, skew, centre))
    return np.asarray(np.where(falls, tails, -tails))


class _Score(torch.autograd.Function):
    """The score, and its slopes: f(e) / φ(score) in e; those in the law's parameters by differences."""

    @staticmethod
    def forward(ctx: Any, e: Tensor, log_df: Tensor, log_skew: Tensor | None) -> Tensor:
        score = torch.from_numpy(_scores(e.numpy(force=True).astype(float), *_numbers(log_df, log_skew))).to(e)
        ctx.save_for_backward(e, log_df, log_skew, score)
        return score

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        e, log_df, log_skew, score = ctx.saved_tensors
        log_normal = -0.5 * (score.square() + LOG_2PI)
        of_e = slope * (log_student(e, log_df, log_skew) - log_normal).exp() if ctx.needs_input_grad[0] else None
        values = e.numpy(force=True).astype(float)
        falls = values < -_numbers(log_df, log_skew)[2]

        def of_parameter(move: tuple[float, float], like: Tensor) -> Tensor:
            ends = [_numbers(log_df, log_skew, (sign * move[0], sign * move[1])) for sign in (1, -1)]
            change = _tails(values, falls, *ends[0]) - _tails(values, falls, *ends[1])
            rate = torch.from_numpy(np.where(falls, change, -change) / (2 * _MOVE)).to(e)
            total: Tensor = (slope * rate / log_normal.exp()).sum()
            return total.reshape(like.shape)

        of_df = of_parameter((_MOVE, 0.0), log_df) if ctx.needs_input_grad[1] else None
        of_skew = of_parameter((0.0, _MOVE), log_skew) if ctx.needs_input_grad[2] else None
        return of_e, of_df, of_skew
