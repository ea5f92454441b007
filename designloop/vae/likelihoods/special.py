"""Special functions in forms that do not cancel, in float32 either."""

from __future__ import annotations

import torch
from torch import Tensor


def log_rising(r: Tensor, x: Tensor) -> Tensor:
    """log Γ(r + x) − log Γ(r), also where r is so large that the two cannot be told apart; the two broadcast."""
    safe = r.clamp_min(20.0)
    stirling = (
        (safe + x - 0.5) * torch.log1p(x / safe) + x * safe.log() - x + _stirling(safe + x) - _stirling(safe)
    )  # fmt: skip
    small = r.clamp_max(20.0)
    return torch.where(r > 20, stirling, torch.lgamma(small + x) - torch.lgamma(small))


def _stirling(r: Tensor) -> Tensor:
    """What Stirling's formula of log Γ leaves, for r ≥ 20 to 1e-12."""
    return (1 / 12 - (1 / 360 - 1 / (1260 * r.square())) / r.square()) / r
