"""What the conformance suites of likelihoods and priors share: averages over draws, gradients, generators."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Part = TypeVar("Part")

DRAWS = 25_000
"""Draws that averages are taken over, a row."""

ERRORS = 5.0
"""Standard errors by which an average may be off: a part that is right is told wrong once in a million averages."""


def generator(seed: int = 0) -> torch.Generator:
    """A generator of the suites' own."""
    return torch.Generator().manual_seed(seed)


def in_double(part: Part) -> Part:
    """A copy of a part whose parameters and buffers are float64."""
    other = copy.deepcopy(part)
    return other.double() if isinstance(other, nn.Module) else other


def off(draws: Tensor, wanted: Tensor | float, slack: float = 0.0) -> Iterator[str]:
    """Yield a sentence where averages of draws differ from what they should be by more than chance explains.

    Args:
        draws: (draws, …).
        wanted: (…) what the averages should be.
        slack: as much more may they be off.
    """
    mean = draws.mean(0)
    error = draws.std(0) / draws.shape[0] ** 0.5
    wanted = torch.as_tensor(wanted, dtype=mean.dtype).expand_as(mean)
    wrong = ~((mean - wanted).abs() <= ERRORS * error + slack)
    if bool(wrong.any()):
        index = tuple(int(i) for i in wrong.nonzero()[0])
        where = f" at {list(index)}" if index else ""
        yield f"{float(mean[index]):.4g} ± {float(error[index]):.2g}{where}, and should be {float(wanted[index]):.4g}"


def gentle(log_ratio: Callable[[float], Tensor]) -> Tensor:
    """(draws, batch) log ratios of two densities that overlap: the step between them is halved until they do.

    Args:
        log_ratio: size of the step -> (draws, batch).
    """
    step = 1.0
    for _ in range(40):
        ratio = log_ratio(step)
        if bool((ratio.std(0) < 0.7).all()):
            break
        step /= 2
    return ratio


def stands_still(draw: Callable[[torch.Generator], Any]) -> Iterator[str]:
    """Yield sentences where draws do not follow the generator that is given, and it alone."""
    before = torch.get_rng_state()
    first, again, other = draw(generator(1)), draw(generator(1)), draw(generator(2))
    if not torch.equal(torch.get_rng_state(), before):
        yield "sample moves torch's global generator; pass on the one that is given"
    if not torch.equal(first, again):
        yield "sample gives another draw for the same generator; draw from it alone"
    if torch.equal(first, other):
        yield "sample gives the same draw for another generator; pass it on to torch"


def gradient(function: Callable[..., Tensor], *inputs: Tensor) -> Iterator[str]:
    """Yield a sentence where the gradient of a function is not that of finite differences, in float64."""
    try:
        torch.autograd.gradcheck(function, tuple(tensor.detach().clone().requires_grad_() for tensor in inputs))
    except RuntimeError as error:
        yield f"{str(error).strip().splitlines()[0]}; let every step be one that torch can differentiate"
