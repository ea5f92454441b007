"""The scale that a process sees values on: from nearly a logarithm of what is high to nearly one of what is low.

    seen = ((1 + z)^p - 1) / p  where z ≥ 0,    -((1 - z)^(2 - p) - 1) / (2 - p)  where z < 0

z is a value less the mean of all, in standard deviations. Where p is 1 it is seen as it is. Less than 1 brings nearer
what towers above the rest, and more than 1 what lies far below it.
Source: Yeo & Johnson 2000, "A new family of power transformations to improve normality or symmetry".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

POWERS = (0.05, 1.95)
"""Least and greatest: from 0 to 2 everything that is seen is of some value, and at either end nearly a logarithm."""


@dataclass(frozen=True)
class Scale:
    """What is seen in the place of values, and what values are behind what is seen."""

    middle: float
    spread: float
    power: float

    @classmethod
    def of(cls, values: np.ndarray, power: float = 1.0) -> Self:
        """The scale of these values; where all are the same, that of values 1 apart."""
        apart = float(values.std()) if np.ptp(values) > 0 else 0.0  # that of equal ones may round to more than 0
        return cls(float(values.mean()), apart or 1.0, power)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(n,) what is seen of values (n,)."""
        return powered((values - self.middle) / self.spread, self.power)[0]

    def values(self, seen: np.ndarray) -> np.ndarray:
        """(n,) values of which (n,) is seen."""
        _, logs = self._behind(seen)
        return np.asarray(self.middle + self.spread * np.copysign(np.expm1(logs), seen))

    def slopes(self, seen: np.ndarray) -> np.ndarray:
        """(n,) by how much values rise with what is seen of them."""
        powers, logs = self._behind(seen)
        return np.asarray(self.spread * np.exp((1 - powers) * logs))

    def _behind(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) powers of what is seen, and (n,) ln(1 + |z|)."""
        powers = _powers(seen, self.power)
        return powers, np.log1p(powers * np.abs(seen)) / powers


def powered(z: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
    """(n,) what is seen of standardized values (n,), and (n,) its slope by the power."""
    powers, logs = _powers(z, power), np.log1p(np.abs(z))
    raised = np.exp(powers * logs)
    return np.copysign((raised - 1) / powers, z), (raised * (powers * logs - 1) + 1) / powers**2


def stretches(z: np.ndarray) -> np.ndarray:
    """(n,) slope by the power of the logarithm of how much what is seen rises with z; at power 1 that is 0."""
    return np.asarray(np.copysign(np.log1p(np.abs(z)), z))


def _powers(of: np.ndarray, power: float) -> np.ndarray:
    return np.where(of >= 0, power, 2 - power)
