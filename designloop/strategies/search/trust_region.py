"""A trust region on the sphere of the latents: how far from a molecule others are sought, and how that has gone.

Its length is a level of noise, the same number that the model's decoder is told: noise of level s turns a latent by an
angle whose tangent is s. Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

LEAST_GAIN = 1e-3
"""What the best score has to rise by for a round to count as a success."""

StretchedBy = Literal["posterior", "pullback"]
"""Encoder or decoder: who says how far each direction of a latent may go beside the others."""


def within(latents: np.ndarray, centre: np.ndarray, length: float) -> np.ndarray:
    """(n,) whether latents are no further from a centre than noise of level ``length`` takes them, as an angle.

    Args:
        latents: (n, latent)
        centre: (latent,)
    """
    cosine = latents @ centre / (np.linalg.norm(latents, axis=-1) * np.linalg.norm(centre))
    inside: np.ndarray = cosine >= 1 / math.sqrt(1 + length**2)
    return inside


class RegionSettings(BaseModel):
    """How trust regions start and move. Their length is a noise level: tan of an angle on the latents' sphere."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    decoded: float = Field(0, ge=0, description="molecules written in them for each one wanted; 0: there are none")
    count: int = Field(3, ge=1, description="open at once")
    length: float = Field(0.8, gt=0, description="at the start and after a restart")
    shortest: float = Field(0.2, gt=0, description="below it the region is closed and another one opened elsewhere")
    longest: float = Field(1.6, gt=0, description="beyond it the region does not grow")
    factor: float = Field(1.5, gt=1, description="by which it grows and shrinks")
    successes: int = Field(2, ge=1, description="rounds running with a new best after which it grows")
    failures: int = Field(2, ge=1, description="rounds running without one after which it shrinks")
    fitted: bool = Field(
        False,
        description="whether places are sought by a process whose lengths are fitted to the scores, not by that of the "
        "committee, of which nothing is; it takes some seconds a round at 1,000 molecules",
    )
    metric: StretchedBy = Field(
        "posterior",
        description="what stretches noise around centres: posterior, what the encoder leaves open; or pullback, the "
        "metric of the decoder there, by which no direction changes what is written more than another, and which steps "
        "along the slope follow, too; it takes a tenth of a second a centre",
    )
    typical: float = Field(
        1,
        gt=0,
        le=1,
        description="share of the molecules that the model's corpus holds out which is as typical as what is kept of "
        "what is written: 0.95 leaves out what the model writes worse than 95 % of these; 1: nothing is left out",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.shortest <= self.length <= self.longest:
            raise ValueError(
                f"found shortest {self.shortest:g}, length {self.length:g} and longest {self.longest:g}, "
                "expected them in ascending order; change one of them"
            )
        return self


@dataclass(frozen=True)
class TrustRegion:
    """Where others are sought, how far from there, and how that has gone."""

    centre: str
    """A molecule paid for, in standard form."""
    length: float
    successes: int = 0
    """Rounds running with a new best."""
    failures: int = 0
    """Rounds running without one."""

    def as_json(self) -> dict[str, Any]:
        """The region as JSON values; ``from_json`` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The region that ``as_json`` wrote."""
        return cls(**data)

    def after(self, better: str | None, settings: RegionSettings) -> Self | None:
        """The region after a round drawn in it; None where it has shrunk to nothing.

        Args:
            better: the best of the molecules drawn in it, if that is better than its centre: it moves there.
        """
        if better is not None:
            grows = self.successes + 1 >= settings.successes
            length = min(self.length * settings.factor, settings.longest) if grows else self.length
            return replace(self, centre=better, length=length, successes=0 if grows else self.successes + 1, failures=0)
        if self.failures + 1 < settings.failures:
            return replace(self, successes=0, failures=self.failures + 1)
        if self.length / settings.factor < settings.shortest:
            return None
        return replace(self, length=self.length / settings.factor, successes=0, failures=0)
