"""Values that lie far from all that was measured before: taken, but told, for they may be in another unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from designloop.loop.campaign.known_values import Reading, Readings
from designloop.tables.suggestions import Suggestion

FEWEST = 8
"""Molecules that must have a value before another one's can be far from them."""

_FAR = 8.0
"""Robust standard deviations from the median; a rare hit may well be six away."""

_SHOWN = 5


def describe_far_off(
    told: Sequence[Suggestion], readings: Readings, before: Mapping[str, Mapping[str, Reading]]
) -> list[str]:
    """A sentence a property of which any value that is told lies far from those of all other molecules.

    Args:
        told: the molecules of which something is told.
        readings: molecule -> property -> all that is known of it now; of these.
        before: the same of every molecule of which anything was told before.
    """
    own = {item.candidate.smiles: item.id for item in told}
    sentences = []
    for name in dict.fromkeys(name for smiles in own for name in readings[smiles]):
        known = np.array([of[name].mean for key, of in before.items() if key not in own and _has_value(of, name)])
        news = {own[key]: readings[key][name].mean for key in own if _has_value(readings[key], name)}
        far = [f"{key} ({value:.4g})" for key, value in news.items() if is_far_off(value, known)]
        if far:
            listed = ", ".join(far[:_SHOWN]) + (f" and {len(far) - _SHOWN:,} others" if len(far) > _SHOWN else "")
            sentences.append(
                f"{name} of {listed} lies far from the {len(known):,} measured before ({known.min():.4g} to "
                f"{known.max():.4g}); it is taken, and where it is in another unit or another molecule's, tell it again"
            )
    return sentences


def is_far_off(value: float, known: np.ndarray) -> bool:
    """Whether a value lies far from (n,) others; never from too few of them, or where most of these are alike."""
    if len(known) < FEWEST:
        return False
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    outside = not known.min() <= value <= known.max()
    return bool(outside and spread > 0 and abs(value - middle) > _FAR * spread)


def _has_value(of_molecule: Mapping[str, Reading], name: str) -> bool:
    return name in of_molecule and bool(of_molecule[name].values)
