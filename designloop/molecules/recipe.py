"""How a sequence VAE is pretrained: phases of a learning rate, and what is weighed how in each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from designloop.vae.training.schedules import cosine

Knots = tuple[float, ...]
"""Values at even places from the first step of a phase to its end, linear between them; one stands for all."""


@dataclass(frozen=True)
class Phase:
    """A part of a run: one warm-up and one cosine of the learning rate."""

    steps: int
    learning_rate: float
    warmup: int = 0
    clean: float = 0.3
    """Share of rows at noise level 0."""
    beta: Knots = (0.0, 0.01, 0.05)
    """Weight of the KL."""
    fingerprint_weight: Knots = (0.0, 10.0, 10.0, 10.0)
    """Weight of the head that predicts fingerprint components from z."""


@dataclass(frozen=True)
class Recipe:
    """How a sequence VAE is pretrained. The defaults gave ``zinc250k``, which is shipped as well."""

    phases: tuple[Phase, ...] = (
        Phase(steps=4800, learning_rate=2e-3, warmup=300),
        Phase(steps=8600, learning_rate=1.5e-3, warmup=150, clean=0.5, beta=(0.03, 0.04), fingerprint_weight=(10.0,)),
    )
    """One after the other. A run that is done goes on with those that are added behind."""
    batch: int = 256
    seed: int = 0
    noise: tuple[float, float] = (0.2, 8.0)
    """Range of the noise levels of rows that are not clean, log-uniform."""
    fingerprint_components: int = 96
    """0 does without the head."""
    parent: str | None = None
    """A shipped model by name, or a file, whose weights the run begins with."""
    joined: int = 0
    """Joins of ZINC's training molecules (``molecules/joins.py``) that are learned beside them."""
    joined_noise: float = 1.0
    """Greatest noise level of joins: above it the latent says too little, and a model writes what its corpus holds."""

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)

    def scale(self, steps: int) -> Recipe:
        """The same phases in so many steps, each with its share, the last with what is left."""
        ends = [round(end * steps / self.steps) for end in accumulate(phase.steps for phase in self.phases)]
        phases = [
            replace(phase, steps=end - start, warmup=phase.warmup * (end - start) // phase.steps)
            for phase, start, end in zip(self.phases, [0, *ends], ends, strict=False)
        ]
        return replace(self, phases=tuple(phase for phase in phases if phase.steps))

    def phase_at(self, step: int) -> tuple[Phase, int]:
        """The phase of a step, and the step's number in it; the last phase's end behind all."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        return self.phases[-1], self.phases[-1].steps

    def learning_rate(self, step: int) -> float:
        """The rate at a step."""
        phase, within = self.phase_at(step)
        return phase.learning_rate * cosine(phase.steps, phase.warmup, 0.02)(within)

    def beta(self, step: int) -> float:
        """The KL's weight at a step."""
        phase, within = self.phase_at(step)
        return between(phase.beta, within / phase.steps)

    def fingerprint_weight(self, step: int) -> float:
        """The head's weight at a step."""
        phase, within = self.phase_at(step)
        return between(phase.fingerprint_weight, within / phase.steps)


def between(knots: Knots, share: float) -> float:
    """The value at a share of the way from the first knot to the last."""
    return float(np.interp(share, np.linspace(0, 1, len(knots)), knots)) if len(knots) > 1 else knots[0]


JOINS = Recipe(
    phases=(
        Phase(steps=8000, learning_rate=1.5e-3, warmup=200, clean=0.5, beta=(0.04, 0.02), fingerprint_weight=(10.0,)),
    ),
    parent="zinc250k",
    joined=80_000,
)
"""How ``zinc250k`` is taught molecules longer and stranger than ZINC's, with a reader of 256 in its encoder."""

MORE_JOINS = Recipe(
    phases=(
        Phase(steps=6000, learning_rate=1.5e-3, warmup=200, clean=0.5, beta=(0.02, 0.005), fingerprint_weight=(10.0,)),
    ),
    joined=200_000,
)
"""What followed, with the file that ``JOINS`` gave as its parent; together they gave the shipped ``zinc250k-joins``."""
