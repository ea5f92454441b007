"""Normal scores: what a Student-t number would be if it were normal, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit
from torch import Tensor
from torch.autograd.function import once_differentiable

from designloop.vae.likelihoods.special import log_rising

Array = NDArray[np.float64]

_LOG_2PI = math.log(2 * math.pi)


def log_student(e: Tensor, log_df: Tensor) -> Tensor:
    """(...) log density in nats of Student's t at e, of exp(``log_df``) degrees of freedom."""
    df = log_df.exp()
    constant = log_rising(df / 2, torch.full_like(df, 0.5)) - 0.5 * (log_df + math.log(math.pi))
    return constant - (df + 1) / 2 * torch.log1p(e.square() / df)


def normal_score(e: Tensor, log_df: Tensor) -> Tensor:
    """(...) Φ⁻¹(F(e)), F Student's distribution function: standard normal where e is Student-t; differentiable once."""
    return _Score.apply(e, log_df)  # type: ignore[no-any-return]


def from_normal(u: Tensor, log_df: Tensor) -> Tensor:
    """(...) F⁻¹(Φ(u)), the number whose score u is; no gradient goes through it."""
    df = float(log_df.detach().exp())
    values = u.numpy(force=True).astype(float)
    return torch.from_numpy(-np.sign(values) * stdtrit(df, ndtr(-np.abs(values)))).to(u)


class ScoreTable:
    """Normal scores of one number of degrees of freedom, there and back, by interpolation: what many particles ask.

    Nodes are even in asinh e, as both tails want it; beyond them, at e = ± 3,000, a score stays what it is there, to
    1e-5. On the way back they are even in u, up to ± 8, to 1e-4 of the number.
    """

    def __init__(self, log_df: Tensor, nodes: int = 8001) -> None:
        df, reach = float(log_df.detach().exp()), math.asinh(3000.0)
        self.scores = _Table(reach, _scores(np.sinh(np.linspace(-reach, reach, nodes)), df).to(log_df))
        even = torch.linspace(-8, 8, nodes, dtype=torch.float64)
        self.numbers = _Table(8.0, from_normal(even, log_df.double()).to(log_df))

    def __call__(self, e: Tensor) -> Tensor:
        """(...) scores of e."""
        return self.scores(torch.asinh(e))

    def back(self, u: Tensor) -> Tensor:
        """(...) the numbers whose scores u are."""
        return self.numbers(u)


class _Table:
    """A function on even nodes from −reach to reach, straight between them and level beyond."""

    def __init__(self, reach: float, values: Tensor) -> None:
        self.reach, self.values, self.step = reach, values, 2 * reach / (len(values) - 1)

    def __call__(self, x: Tensor) -> Tensor:
        place = (x.clamp(-self.reach, self.reach) + self.reach) / self.step
        below = place.floor().clamp_max(len(self.values) - 2)
        index = below.long()
        low = self.values[index]
        return low + (place - below) * (self.values[index + 1] - low)


def _scores(e: Array, df: float) -> Tensor:
    return torch.from_numpy(-np.sign(e) * ndtri(stdtr(df, -np.abs(e))))  # from the tail, which does not round to 1


class _Score(torch.autograd.Function):
    """The score, and its slopes: f(e) / φ(score) in e; that in the degrees of freedom by differences."""

    @staticmethod
    def forward(ctx: Any, e: Tensor, log_df: Tensor) -> Tensor:
        score = _scores(e.numpy(force=True).astype(float), float(log_df.detach().exp())).to(e)
        ctx.save_for_backward(e, log_df, score)
        return score

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        e, log_df, score = ctx.saved_tensors
        log_normal = -0.5 * (score.square() + _LOG_2PI)
        of_e = slope * (log_student(e, log_df) - log_normal).exp() if ctx.needs_input_grad[0] else None
        of_df = None
        if ctx.needs_input_grad[1]:
            df, move, values = float(log_df.exp()), 1e-4, -e.abs().numpy(force=True).astype(float)
            change = (stdtr(df * math.exp(move), values) - stdtr(df * math.exp(-move), values)) / (2 * move)
            tail = torch.from_numpy(change).to(e) / log_normal.exp()
            of_df = (-slope * e.sign() * tail).sum().reshape(log_df.shape)
        return of_e, of_df
