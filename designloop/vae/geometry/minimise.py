"""Many small minimisations at once: L-BFGS whose rows know nothing of each other.

A row's step, line search and end are its own, so that a curve comes out the same alone as among others, and one that is
done costs nothing more. Source: Nocedal & Wright 2006, algorithms 7.4 and 3.1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from designloop.vae.errors import VAEError

MEMORY = 12
SHORTENINGS = 12
ARMIJO = 1e-4


def minimise(
    function: Callable[[Tensor, Tensor], Tensor],
    start: Tensor,
    reach: Tensor,
    *,
    steps: int = 200,
    tolerance: float = 1e-6,
) -> Tensor:
    """(problems, n) where each row of a function has a minimum near its start.

    Args:
        function: (x: (some, n), rows: (some,) which problems these are) -> (some,) values, each of its own row alone.
            The line search takes two values that differ by rounding for the same, so they should be of order one.
        start: (problems, n).
        reach: (problems,) lengths of the first steps tried.
        steps: most steps.
        tolerance: a row ends when a step promises less than this.

    Raises:
        VAEError: the function is not finite where a row starts.
    """
    x = start.detach().clone()
    rows = torch.arange(x.shape[0], device=x.device)
    value, slope = _evaluate(function, x, rows)
    if not bool((value.isfinite() & slope.isfinite().all(-1)).all()):
        raise VAEError(f"the energy is {value.tolist()} at the start; check that the metric is finite along the curves")
    reach = reach.clamp_min(torch.finfo(x.dtype).eps)
    pairs: list[tuple[Tensor, Tensor]] = []  # each (active, n): steps, and changes of slope
    for _ in range(steps):
        step = _direction(slope, pairs, reach)
        promised = -(step * slope).sum(-1)
        going = promised > tolerance
        if not bool(going.any()):
            break
        rows, value, slope, step, promised, reach = (
            state[going] for state in (rows, value, slope, step, promised, reach)
        )
        pairs = [(moved[going], turned[going]) for moved, turned in pairs]
        taken, new_value, new_slope = _search(function, x[rows], rows, value, step, promised)
        moved, turned = taken[:, None] * step, new_slope - slope
        x[rows] = x[rows] + moved
        # A row that could not go down by what it remembers starts afresh, from nearer; one that remembers nothing ends.
        stuck = taken == 0
        if bool(stuck.any()):
            forgets = stuck[:, None]
            pairs = [(torch.where(forgets, 0, old), torch.where(forgets, 0, change)) for old, change in pairs]
            reach = torch.where(stuck, reach * 1e-2, reach)
        pairs = [*pairs, (moved, turned)][-MEMORY:]
        value, slope = new_value, new_slope
    return x


def _evaluate(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """(some,) values and (some, n) slopes."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = function(x, rows)
        (slope,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), slope.detach()


def _direction(slope: Tensor, pairs: list[tuple[Tensor, Tensor]], reach: Tensor) -> Tensor:
    """(some, n) the quasi-Newton step, or one of length ``reach`` downhill for rows that remember nothing."""
    step, stored = -slope, []
    scale = torch.full_like(reach, torch.nan)
    for moved, turned in reversed(pairs):
        curvature = (moved * turned).sum(-1)
        # Pairs without positive curvature (and those of a row that forgot, all zero) are passed over.
        fit = curvature > 1e-10 * (moved.square().sum(-1) * turned.square().sum(-1)).sqrt()
        inverse = torch.where(fit, 1 / torch.where(fit, curvature, 1), 0)
        share = inverse * (moved * step).sum(-1)
        step = step - share[:, None] * turned
        stored.append((moved, turned, inverse, share))
        newest = scale.isnan() & fit
        scale = torch.where(newest, curvature / turned.square().sum(-1), scale)
    plain = reach / slope.norm(dim=-1).clamp_min(torch.finfo(slope.dtype).tiny)
    step = torch.where(scale.isnan(), plain, scale)[:, None] * step
    for moved, turned, inverse, share in reversed(stored):
        step = step + (share - inverse * (turned * step).sum(-1))[:, None] * moved
    return step


def _search(
    function: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    rows: Tensor,
    value: Tensor,
    step: Tensor,
    promised: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of the steps that bring the values down enough, 0 where none does, and value and slope there."""
    share = torch.ones_like(value)
    noise = 8 * torch.finfo(value.dtype).eps * value.abs()
    new_value, new_slope = _evaluate(function, x + step, rows)
    for _ in range(SHORTENINGS):
        finite = new_value.isfinite() & new_slope.isfinite().all(-1)
        enough = new_value <= value - ARMIJO * share * promised + noise
        high = ~(finite & enough)
        if not bool(high.any()):
            return share, new_value, new_slope
        # The minimum of the parabola through value, slope and new value, kept between a tenth and a half.
        excess = torch.where(finite, new_value - value, torch.inf) + share * promised
        shorter = (share.square() * promised / (2 * excess)).clamp(0.1 * share, 0.5 * share)
        share = torch.where(high, shorter, share)
        value_there, slope_at = _evaluate(function, (x + share[:, None] * step)[high], rows[high])
        new_value, new_slope = new_value.clone(), new_slope.clone()
        new_value[high], new_slope[high] = value_there, slope_at
    still = ~((new_value <= value + noise) & new_slope.isfinite().all(-1))
    if bool(still.any()):
        share = torch.where(still, 0.0, share)
        value_there, slope_at = _evaluate(function, x[still], rows[still])
        new_value[still], new_slope[still] = value_there, slope_at
    return share, new_value, new_slope
