"""Likelihoods that keep the contract, to be broken in one way each."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from designloop.vae.likelihoods.base import Likelihood
from designloop.vae.likelihoods.tokens import TokenSequence


class Plain(Likelihood):
    """A unit normal about params, without parameters: keeps the contract and claims nothing beyond it."""

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
        if mask is not None:
            x, params = torch.where(mask, x, 0.0), torch.where(mask, params, 0.0)
        log_prob = -0.5 * (x - params).square() - 0.5 * math.log(2 * math.pi)
        return (log_prob if mask is None else log_prob * mask).sum(-1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
        return params + torch.randn(params.shape, dtype=params.dtype, generator=generator)


class Scaled(Plain):
    """A normal whose width is read of the context."""

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
        width: Tensor = context["width"].unsqueeze(-1)
        if mask is not None:
            x, params = torch.where(mask, x, 0.0), torch.where(mask, params, 0.0)
        log_prob: Tensor = -0.5 * ((x - params) / width).square() - width.log() - 0.5 * math.log(2 * math.pi)
        if mask is not None:
            log_prob = log_prob * mask
        total: Tensor = log_prob.sum(-1)
        return total

    def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
        noise = torch.randn(params.shape, dtype=params.dtype, generator=generator)
        width: Tensor = context["width"].unsqueeze(-1)
        return params + width * noise


class Poisson(Likelihood):
    """Counts; the decoder gives log rates."""

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
        if mask is not None:
            x = torch.where(mask, x, torch.zeros_like(x))
            params = torch.where(mask, params, torch.zeros_like(params))
        log_prob = x * params - params.exp() - (x + 1).lgamma()
        return (log_prob if mask is None else log_prob * mask).sum(-1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
        return torch.poisson(params.exp(), generator=generator)


class Exponential(Likelihood):
    """Positive numbers; the decoder gives log rates."""

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Any = None) -> Tensor:
        if mask is not None:
            x = torch.where(mask, x, torch.ones_like(x))
            params = torch.where(mask, params, torch.zeros_like(params))
        log_prob = params - x * params.exp()
        return (log_prob if mask is None else log_prob * mask).sum(-1)

    def sample(self, params: Tensor, generator: torch.Generator | None = None, context: Any = None) -> Tensor:
        return -torch.rand(params.shape, dtype=params.dtype, generator=generator).log() / params.exp()


def sequences() -> tuple[TokenSequence, Tensor, Tensor]:
    """A token likelihood, plans, and all sequences of one to five of two symbols.

    Its probabilities are normalised over what can be drawn: padding and an end mark at the start are made improbable,
    the one by its bias, the other by a unit of the head that the plan drives.
    """
    with torch.random.fork_rng():
        torch.manual_seed(3)
        likelihood = TokenSequence(vocabulary=4, features=4, hidden=6, embedding=5, lookahead=2)
    head, recurrent = likelihood.head, dict(likelihood.recurrent.named_parameters())
    with torch.no_grad():
        for gate in (6, 12):  # of unit 0: the update, always taken, and the proposal, by the plan's first feature alone
            recurrent["weight_ih_l0"][gate] = 0
            recurrent["weight_hh_l0"][gate] = 0
            recurrent["bias_hh_l0"][gate] = 0
            recurrent["bias_ih_l0"][gate] = -40 if gate == 6 else 0
        recurrent["weight_ih_l0"][12, 5] = 10
        head.weight[:, 0] = 0
        head.weight[1, 0] = -20
        head.bias[1] = -19.5
        head.bias[0] = -40
    plan = torch.randn(2, 17, 4, generator=torch.Generator().manual_seed(1))
    plan[:, :, 0] = -1
    plan[:, 0, 0] = 1
    rows = [[*symbols, 1] + [0] * (16 - n) for n in range(1, 6) for symbols in itertools.product((2, 3), repeat=n)]
    return likelihood, plan, torch.tensor(rows)
