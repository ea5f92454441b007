"""Schedules: numbers that change with the step, for weights of losses and for learning rates."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]
"""Step number (from 0) -> a weight, or a factor on the learning rate."""


def ramp(start: float, end: float, steps: int, after: int = 0) -> Schedule:
    """A weight that goes linearly from ``start`` to ``end`` in ``steps`` steps, begun after ``after`` steps."""
    return lambda step: start + (end - start) * min(max((step - after) / max(steps, 1), 0.0), 1.0)


def cosine(steps: int, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """A learning-rate factor: linear warm-up to 1, then half a cosine down to ``floor`` at ``steps``."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min((step - warmup) / max(steps - warmup, 1), 1.0)
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))

    return factor
