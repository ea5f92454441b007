"""PMO's measures of a search: the area under the mean of the ten best scores, by calls of the oracle.

Source: Gao et al. 2022, "Sample Efficiency Matters: A Benchmark for Practical Molecular Optimization", NeurIPS, and
the function ``top_auc`` of its code. The area that ``measures.py`` has for campaigns is another: of steps at every
call, over molecules one a stereo-free parent.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from designloop.molecules.chemistry import MoleculeError, inchikey, standard_form, without_stereo

BEST = 10
"""Molecules in the mean."""

HIGHEST = 1.0
"""Score that nothing is above."""

EVERY = 100
"""Calls between two points of the curve."""

Paid = tuple[str, float | None]
"""A molecule that was charged, by its SMILES, and its score; None where the oracle failed, which PMO takes for 0."""

Key = Callable[[str], str]
"""SMILES -> what two molecules have in common that count as one."""


def as_written(smiles: str) -> str:
    """Returns the SMILES itself: PMO's own rule, where each distinct one is a molecule."""
    return smiles


def compound(smiles: str) -> str:
    """Returns the InChIKey's first block of the neutral parent: no salts, charges, isotopes, stereo or mobile protons.

    The SMILES without stereo marks stands for it where there is no such key.
    """
    try:
        parent = standard_form(smiles)
    except MoleculeError:  # a molecule that has no neutral form counts for itself
        parent = smiles
    return inchikey(parent).partition("-")[0] or without_stereo(parent)


def curve(calls: Sequence[Paid], budget: int, key: Key = as_written) -> list[tuple[int, float]]:
    """Returns (calls, mean of the ten best) at 0, every 100 calls and the last; fewer than ten have their own mean.

    Args:
        calls: in the order in which they were charged; what comes after the budget is left out.
        budget: calls that could be spent.
        key: of molecules with the same key only the best is among the ten.
    """
    spent = min(len(calls), budget)
    points = [(0, 0.0)]
    ten: dict[str, float] = {}
    for call, (smiles, outcome) in enumerate(calls[:spent], 1):
        score = outcome if outcome is not None else 0.0
        # What is not above the least of ten now never will be, so that keys are made of few molecules only.
        if len(ten) < BEST or score > min(ten.values()):
            name = key(smiles)
            ten[name] = max(score, ten.get(name, score))
            ten = dict(heapq.nlargest(BEST, ten.items(), key=lambda item: item[1]))
        if call % EVERY == 0 or call == spent:
            points.append((call, math.fsum(ten.values()) / len(ten)))
    return points


def auc_top_10(calls: Sequence[Paid], budget: int, key: Key = as_written) -> float:
    """Returns the curve's area by trapezoids, over the budget; after an early stop the last mean holds to its end.

    Args:
        calls: in the order in which they were charged.
        budget: calls that could be spent.
        key: as of :func:`curve`.
    """
    points = curve(calls, budget, key)
    areas = [(later - call) * (value + next_value) / 2 for (call, value), (later, next_value) in pairwise(points)]
    last, value = points[-1]
    return (math.fsum(areas) + (budget - last) * value) / budget


def mean_top_10(calls: Sequence[Paid], budget: int, key: Key = as_written) -> float:
    """Returns the mean of the ten best within the budget; 0 without a call."""
    return curve(calls, budget, key)[-1][1]


def is_solved(calls: Sequence[Paid]) -> bool:
    """Whether ten compounds have the highest score there is at a point of the curve: no further call moves an area."""
    known = calls[: len(calls) // EVERY * EVERY]
    best = {compound(smiles) for smiles, score in known if score is not None and score >= HIGHEST}
    return len(best) >= BEST


def pmo_measures(calls: Sequence[Paid], budget: int) -> dict[str, float]:
    """Returns ``auc_top10``, ``top10``, and both with each compound once: ``strict_auc_top10``, ``strict_top10``."""
    return {
        "auc_top10": auc_top_10(calls, budget),
        "strict_auc_top10": auc_top_10(calls, budget, compound),
        "top10": mean_top_10(calls, budget),
        "strict_top10": mean_top_10(calls, budget, compound),
    }
