"""Moments of the entries that are observed, feature by feature; without a mask, of all.

What stands in a missing entry never matters.
"""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.errors import VAEError

MAD = 1.4826
"""Standard deviations in a median absolute deviation, of a normal."""


def mean_of(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """(features,) means of x (rows, features)."""
    return x.mean(0) if mask is None else hide(x, mask).nanmean(0)


def variance_of(x: Tensor, mask: Tensor | None = None, correction: int = 0) -> Tensor:
    """(features,) variances, divisor n less the correction."""
    if mask is None:
        return x.var(0, correction=correction)
    hidden = hide(x, mask)
    squares: Tensor = (hidden - hidden.nanmean(0)).square().nansum(0)
    return squares / (mask.sum(0) - correction)


def spread_of(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """(features,) standard deviations, divisor n."""
    return variance_of(x, mask).sqrt()


def quantile_of(x: Tensor, level: float, mask: Tensor | None = None) -> Tensor:
    """(features,) quantiles."""
    return x.quantile(level, dim=0) if mask is None else hide(x, mask).nanquantile(level, dim=0)


def deviation_of(x: Tensor, middle: Tensor, mask: Tensor | None = None) -> Tensor:
    """(features,) median absolute deviations from ``middle``, in standard deviations of a normal."""
    return MAD * quantile_of((x - middle).abs(), 0.5, mask)


def largest_of(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """(features,) greatest absolute values."""
    return fill(x, mask).abs().amax(0)


def hide(x: Tensor, mask: Tensor) -> Tensor:
    """Rows with NaN where an entry is missing."""
    return x.masked_fill(~mask, torch.nan)


def fill(x: Tensor, mask: Tensor | None, value: float = 0.0) -> Tensor:
    """Rows with one value where an entry is missing; without a mask as they are."""
    return x if mask is None else x.masked_fill(~mask, value)


def require_observed(mask: Tensor | None) -> None:
    """Refuses features that are observed in fewer than two rows.

    Raises:
        VAEError: there are some.
    """
    if mask is None:
        return
    often = mask.sum(0)
    if bool((often < 2).any()):
        feature = int((often < 2).nonzero()[0])
        raise VAEError(
            f"feature {feature} is observed in {int(often[feature])} rows of {len(mask)}, expected at least 2; "
            "leave it out"
        )
