"""Whether an intervention changes what it should and nothing else: the counterfactual consistency score."""

from __future__ import annotations

from torch import Tensor

from designloop.vae.causal.graph import descendants
from designloop.vae.errors import ShapeError


def consistency_score(changes: Tensor, causes: Tensor, scale: Tensor | None = None) -> Tensor:
    """() the mean of ``outside_shares`` over all units that some other does not descend from.

    0 is right: what does not descend from a unit stays as it is when the unit is set. How far what does change is
    right is another question, which an error against the true counterfactual answers.

    Args:
        changes, causes, scale: as for ``outside_shares``.

    Raises:
        ShapeError: they do not go together, or there is one unit alone, of which nothing is outside.
        VAEError: ``causes`` has a cycle.
    """
    return outside_shares(changes, causes, scale).nanmean()


def outside_shares(changes: Tensor, causes: Tensor, scale: Tensor | None = None) -> Tensor:
    """(units,) share of an intervention's change that is neither in its unit nor behind it; NaN where all is behind.

    An intervention that changes nothing counts as 1, so that a model cannot be right by doing nothing.

    Args:
        changes: (units, rows, factors) at [j] what do(z_j = v) changes in the factors of each row, the noise the same.
        causes: (factors, factors) True at [i, j] where j causes i; as many units as factors, and two at least.
        scale: (factors,) standard deviations, which changes are counted in; None where they are 1.

    Raises:
        ShapeError: they do not go together, or there is one unit alone.
        VAEError: ``causes`` has a cycle.
    """
    units = len(causes)
    if changes.ndim != 3 or changes.shape[::2] != causes.shape or units < 2:
        wanted = f"({units}, rows, {units}) as causes is {tuple(causes.shape)}, and of two units at least"
        raise ShapeError("changes", changes.shape, wanted, "stack what the intervention on each unit changes")
    outside = ~descendants(causes).T.to(changes.device)  # [j, i]: i is not behind j
    outside.fill_diagonal_(False)
    size = changes.abs().sum(1) if scale is None else (changes / scale).abs().sum(1)
    total = size.sum(-1)
    shares = ((size * outside).sum(-1) / total).where(total > 0, 1.0)
    return shares.where(outside.any(-1), float("nan"))
