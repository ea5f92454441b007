"""Graphs of causes, (units, units) True at [i, j] where unit j causes unit i."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError
from designloop.vae.priors.structural.graph import generations


def descendants(causes: Tensor) -> Tensor:
    """(units, units) True at [i, j] where j acts on i, by itself or through others; no unit is its own descendant.

    Raises:
        ShapeError: ``causes`` is not square.
        VAEError: it has a cycle.
    """
    reached = causes.bool()
    for unit in [unit for generation in generations(causes) for unit in generation]:
        behind = reached[reached[unit]].any(0)  # what acts on its causes, which come before it
        reached = reached.index_put((torch.tensor(unit, device=reached.device),), reached[unit] | behind)
    return reached


def without_cycles(strengths: Tensor, threshold: float) -> Tensor:
    """(units, units) True for arrows that are stronger than a threshold, less those that would close a cycle.

    They are taken from the strongest on, each unless it closes a cycle with those before it.

    Args:
        strengths: (units, units) non-negative, [i, j] of the arrow from j to i; an arrow to itself is never taken.
    """
    causes = torch.zeros_like(strengths, dtype=torch.bool)
    reach = torch.eye(len(strengths), dtype=torch.bool, device=strengths.device)  # [i, j]: j is i, or acts on it
    for arrow in strengths.flatten().argsort(descending=True).tolist():
        i, j = divmod(arrow, len(strengths))
        if not float(strengths[i, j]) > threshold:
            break
        if bool(reach[j, i]):
            continue
        causes[i, j] = True
        reach |= reach[:, i].unsqueeze(1) & reach[j]
    return causes


def structural_distance(causes: Tensor, truth: Tensor) -> int:
    """How many pairs of units two graphs differ in: an arrow too many, one too few, or one that is turned round.

    Source: Tsamardinos et al. 2006 (structural Hamming distance, of graphs whose arrows all have a direction).

    Raises:
        ShapeError: they are not of as many units.
    """
    if causes.shape != truth.shape:
        raise ShapeError("causes", causes.shape, f"{tuple(truth.shape)} as the truth", "give both the same units")
    differs = causes.bool() != truth.bool()
    return int((differs | differs.T).triu(1).sum())
