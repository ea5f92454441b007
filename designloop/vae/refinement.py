"""Latents near an encoder's at which the data is likelier: what amortized inference leaves on the table.

    z_0 = mean of q(z | x),    z_{t+1} = project(z_t + l_t d_t)

d_t is the unit vector along the gradient of log p(x | z) with momentum, l_t a length that shrinks. An encoder gives
every row an answer in one pass, and is a little wrong on most ("amortization gap", Cremer et al. 2018); a few steps of
each row's own close it (semi-amortized inference, Kim et al. 2018; Marino et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE

Project = Callable[[Tensor], Tensor]
"""(batch, latent) -> (batch, latent), back to where latents live."""

Arrived = Callable[[Tensor, Tensor], Tensor]
"""(batch, latent), (batch, …) data -> (batch,) True for rows that are good enough as they are."""


def refined(
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
        start: (batch, latent) where to begin, the posterior means.
        length: of the first step, in units of z; each later one is ``decay`` times as long.
        project: applied after each step.
        arrived: asked at the start and after each step; rows that have arrived go no further.

    Raises:
        VAEError: no steps, or a length or decay that is not positive.
    """
    if steps < 0 or length <= 0 or not 0 < decay <= 1 or not 0 <= momentum < 1:
        raise VAEError(
            f"found steps={steps}, length={length}, decay={decay}, momentum={momentum}; "
            "expected steps ≥ 0, length > 0, 0 < decay ≤ 1, 0 ≤ momentum < 1"
        )
    z, heading = start.detach().clone(), torch.zeros_like(start)
    left = torch.arange(len(z), device=z.device)
    for step in range(steps):
        if arrived is not None:
            with torch.no_grad():
                left = left[~arrived(z[left], x[left])]
        if not len(left):
            break
        part, own = x[left], {name: value[left] for name, value in (context or {}).items()}
        with torch.enable_grad():
            at = z[left].requires_grad_(True)
            params = vae.decode_along(part, at if project is None else project(at), own)
            log_prob = vae.likelihood.log_prob(params, part, None if mask is None else mask[left], own)
            (gradient,) = torch.autograd.grad(log_prob.sum(), at)
        heading[left] = momentum * heading[left] + (1 - momentum) * _unit(gradient)
        moved = at.detach() + length * decay**step * _unit(heading[left])
        z[left] = moved if project is None else project(moved)
    return z


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1; a row of zeros stays one."""
    norm = rows.norm(dim=-1, keepdim=True)
    return rows / torch.where(norm > 0, norm, 1.0)
