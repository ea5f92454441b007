"""Latents near an encoder's at which the data is likelier: what amortized inference leaves on the table.

    z_0 = mean of q(z | x),    z_{t+1} = project(z_t + l_t d_t)

d_t is the unit vector along the gradient of log p(x | z) with momentum, l_t a length that shrinks. An encoder gives
every row an answer in one pass, and is a little wrong on most ("amortization gap", Cremer et al. 2018); a few steps of
each row's own close it (semi-amortized inference, Kim et al. 2018; Marino et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from designloop.vae.doors import as_numbers
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE

Project = Callable[[Tensor], Tensor]
"""(batch, latent) -> (batch, latent), back to where latents live."""

Arrived = Callable[[Tensor, Tensor], Tensor]
"""(batch, …) decoded, (batch, …) data -> (batch,) True for rows that are good enough as they are.

Decoded are the likelihood's parameters, or its logits along the data if it works token by token.
"""


def refine(
    vae: VAE,
    x: Tensor,
    start: Tensor,
    *,
    steps: int,
    length: float,
    decay: float = 0.9,
    momentum: float = 0.5,
    mask: Tensor | None = None,
    context: Context | None = None,
    project: Project | None = None,
    arrived: Arrived | None = None,
) -> Tensor:
    """(batch, latent) latents after ``steps`` steps up the gradient of log p(x | z); no weight changes.

    Args:
        x: (batch, …) data.
        start: (batch, latent) where to begin, the posterior means; units that the context sets are set.
        length: of the first step, in units of z; each later one is ``decay`` times as long.
        project: applied after each step.
        arrived: asked before each step; rows that have arrived go no further.

    Raises:
        ShapeError: there is not one start a row.
        VAEError: fewer than 0 steps, a length that is not positive, or a decay or momentum out of its range.
    """
    if steps < 0 or length <= 0 or not 0 < decay <= 1 or not 0 <= momentum < 1:
        raise VAEError(
            f"found steps={steps}, length={length}, decay={decay}, momentum={momentum}; "
            "expected steps ≥ 0, length > 0, 0 < decay ≤ 1, 0 ≤ momentum < 1"
        )
    x, mask, context = vae.take_rows(x, mask, context)
    start = as_numbers(start, vae._like(), "start")
    if tuple(start.shape) != (len(x), vae.prior.latent):
        raise ShapeError("start", start.shape, f"({len(x)}, {vae.prior.latent})", "give one latent for each row")
    z, heading = vae.prior.settle(start.detach(), context).clone(), torch.zeros_like(start)
    left = torch.arange(len(z), device=z.device)
    if steps and arrived is not None:
        with torch.no_grad():  # most rows may need no gradient at all
            params, logits, _ = vae.decode_and_score(x, z, mask, context)
            left = left[~arrived(params if logits is None else logits, x)]
    with _frozen_weights(vae), torch.enable_grad():
        for step in range(steps):
            if not len(left):
                break
            part, own = x[left], {name: value[left] for name, value in (context or {}).items()}
            point = z[left].requires_grad_(True)
            part_mask = None if mask is None else mask[left]
            there = vae.prior.settle(_project(point, project), own)
            params, logits, log_prob = vae.decode_and_score(part, there, part_mask, own)
            on = torch.ones_like(left, dtype=torch.bool)
            if arrived is not None and step:
                on = ~arrived((params if logits is None else logits).detach(), part)
            left = left[on]
            if not len(left):
                break
            own = {name: value[on] for name, value in own.items()}
            (gradient,) = torch.autograd.grad(log_prob[on].sum(), point)
            heading[left] = momentum * heading[left] + (1 - momentum) * _unit(gradient[on])
            stepped = _project(z[left] + length * decay**step * _unit(heading[left]), project)
            z[left] = vae.prior.settle(stepped, own)
    return z


def _project(z: Tensor, project: Project | None) -> Tensor:
    return z if project is None else project(z)


@contextmanager
def _frozen_weights(vae: VAE) -> Iterator[None]:
    """No gradient of a weight is computed meanwhile, which is half of the work of a backward pass."""
    asked = [parameter for parameter in vae.parameters() if parameter.requires_grad]
    try:
        for parameter in asked:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1; a row of zeros stays one."""
    norm = rows.norm(dim=-1, keepdim=True)
    return rows / torch.where(norm > 0, norm, 1.0)
