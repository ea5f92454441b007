"""Linear recurrences over time, all steps at once: y_t = c_t y_{t−1} + b_t in log₂ T passes instead of T."""

from __future__ import annotations

import torch
from torch import Tensor


def recur(push: Tensor, carry: Tensor) -> Tensor:
    """(..., steps, channels) y with y_1 = b_1 and y_t = c_t y_{t−1} + b_t; differentiable in both.

    Each pass doubles the span over which a step knows what came before: after the first, y_t holds b_t + c_t b_{t−1}.

    Args:
        push: (..., steps, channels) b.
        carry: (..., steps − 1, channels) c from the second step on, or (channels,) of all of them.

    Source: Hillis & Steele 1986, "Data parallel algorithms"; Blelloch 1990, "Prefix sums and their applications".
    """
    steps = push.shape[-2]
    later = carry.expand(*carry.shape[:-2], steps - 1, -1) if carry.ndim > 1 else carry.expand(steps - 1, -1)
    factor = torch.cat([torch.zeros_like(later[..., :1, :]), later], -2) if steps > 1 else None
    y, span = push, 1
    while factor is not None and span < steps:
        y = torch.cat([y[..., :span, :], y[..., span:, :] + factor[..., span:, :] * y[..., :-span, :]], -2)
        factor = torch.cat([factor[..., :span, :], factor[..., span:, :] * factor[..., :-span, :]], -2)
        span *= 2
    return y
