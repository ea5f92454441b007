"""Transforms: from a property in its own unit to a desirability in 0..1. A new transform is one class here.

Names, coefficients and formulas of the sigmoids and the step are REINVENT 4's (Loeffler et al. 2024, J. Cheminf. 16:20;
`reinvent/scoring/transforms`), so that its settings can be copied; ``linear`` and ``gaussian`` are GuacaMol's clipped
score and Gaussian modifiers (Brown et al. 2019, J. Chem. Inf. Model. 59:1096).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, ModelWrapValidatorHandler, model_validator

from designloop.loop.config.problems import Finding
from designloop.loop.config.settings import StrictSettings, also, error
from designloop.parts import Registry

Desirability = NDArray[np.float64]


class Transform(StrictSettings):
    """A map from a property to a desirability; its fields are its settings in a campaign file."""

    type: ClassVar[str]
    """Its name there."""
    example: ClassVar[Mapping[str, float]]
    """Settings of a use, for listings."""

    def __call__(self, value: ArrayLike) -> Desirability:
        """Desirabilities in 0..1, in the shape of the values, which are finite numbers."""
        raise NotImplementedError

    @classmethod
    def contradictions(cls, numbers: Mapping[str, float]) -> list[Finding]:
        """What is wrong with the settings together, of which ``numbers`` has those that are numbers."""
        return []

    @model_validator(mode="wrap")
    @classmethod
    def _consistent(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        settings = value if isinstance(value, Mapping) else {}
        numbers = {k: v for k, v in settings.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        return cast(Self, also(value, handler, cls.contradictions(numbers), cls.__name__))


TRANSFORMS: Registry[type[Transform]] = Registry("transform")
"""Name in a campaign file (``type``) -> transform."""

Kind = TypeVar("Kind", bound=type[Transform])


def transform(name: str, *, example: Mapping[str, float]) -> Callable[[Kind], Kind]:
    """Decorator: the class itself, found under this name from now on; ``example`` has settings of a use."""

    def register(kind: Kind) -> Kind:
        kind.type, kind.example = name, example
        TRANSFORMS.register(name, kind)
        return kind

    return register


def logistic10(decades: ArrayLike) -> Desirability:
    """1 / (1 + 10^-x), without overflow at either end."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.log(10.0) * np.asarray(decades, dtype=float))))


def _descends(numbers: Mapping[str, float], hint: str) -> list[Finding]:
    """The finding that ``low`` is not below ``high``, if both are there and it is not."""
    if "low" not in numbers or "high" not in numbers or numbers["low"] < numbers["high"]:
        return []
    return [Finding(("low",), f"low {numbers['low']:g} and high {numbers['high']:g}", "low below high", hint)]


@transform("linear", example={"low": 5, "high": 2.5})
class Linear(Transform):
    """A straight line from 0 at ``low`` to 1 at ``high``, level outside.

    d = clip((x - low) / (high - low), 0, 1). Where less is better, ``low`` is the greater of the two.
    """

    low: float
    """Value at which the desirability is 0."""
    high: float
    """Value at which the desirability is 1."""

    @classmethod
    def contradictions(cls, numbers: Mapping[str, float]) -> list[Finding]:
        """Finds that both points are one; a line needs two."""
        if "low" not in numbers or numbers["low"] != numbers.get("high"):
            return []
        hint = "a jump at one value is a step: {type: step, low: …} or {type: step, high: …}"
        return [Finding(("high",), f"low and high both {numbers['low']:g}", "two values apart", hint)]

    def __call__(self, value: ArrayLike) -> Desirability:
        x = np.asarray(value, dtype=float)
        return np.clip((x - self.low) / (self.high - self.low), 0.0, 1.0)


@transform("sigmoid", example={"low": -5, "high": -2})
class Sigmoid(Transform):
    """A smooth rise through 1/2 half-way between ``low`` and ``high``: more is better.

    d = 1 / (1 + 10^(-10 k (x - (low + high)/2) / (high - low))). With k = 0.5: 0.003 at ``low``, 0.997 at ``high``.
    """

    low: float
    """Where the rise begins."""
    high: float
    """Where it has ended."""
    k: float = Field(default=0.5, gt=0)
    """Steepness."""

    @classmethod
    def contradictions(cls, numbers: Mapping[str, float]) -> list[Finding]:
        """Which way it goes is the transform's name."""
        hint = "swap them" if cls.type == "reverse_sigmoid" else "where less is better, use the type reverse_sigmoid"
        return _descends(numbers, hint)

    def __call__(self, value: ArrayLike) -> Desirability:
        return logistic10(self._decades(value))

    def _decades(self, value: ArrayLike) -> Desirability:
        x = np.asarray(value, dtype=float)
        return np.asarray(10.0 * self.k * (x - (self.low + self.high) / 2.0) / (self.high - self.low))


@transform("reverse_sigmoid", example={"low": 2, "high": 5})
class ReverseSigmoid(Sigmoid):
    """A smooth fall through 1/2 half-way between ``low`` and ``high``: less is better.

    d = 1 - sigmoid(x), with the same settings.
    """

    def __call__(self, value: ArrayLike) -> Desirability:
        return logistic10(-self._decades(value))


@transform("double_sigmoid", example={"low": 60, "high": 90})
class DoubleSigmoid(Transform):
    """A window: near 1 between ``low`` and ``high``, 1/2 at both (where the window is wide for its flanks), 0 outside.

    d = min(1 / (1 + 10^(-coef_si (x - low) / coef_div)), 1 / (1 + 10^(coef_se (x - high) / coef_div))). With equal
    coefficients these are REINVENT 4's values; with unequal ones REINVENT 4 jumps in the middle of the window, and this
    does not.
    """

    low: float
    """Lower end of the window."""
    high: float
    """Upper end of the window."""
    coef_div: float = Field(default=100.0, gt=0)
    """Unit of ``x`` in which both coefficients count: greater is flatter."""
    coef_si: float = Field(default=150.0, gt=0)
    """Steepness of the lower flank: decades a ``coef_div``."""
    coef_se: float = Field(default=150.0, gt=0)
    """Steepness of the upper flank."""

    @classmethod
    def contradictions(cls, numbers: Mapping[str, float]) -> list[Finding]:
        """Finds that the ends of the window are not in order."""
        return _descends(numbers, "swap them")

    def __call__(self, value: ArrayLike) -> Desirability:
        x = np.asarray(value, dtype=float)
        rise = logistic10(self.coef_si * (x - self.low) / self.coef_div)
        fall = logistic10(-self.coef_se * (x - self.high) / self.coef_div)
        return np.minimum(rise, fall)


@transform("gaussian", example={"mean": 75, "sd": 15})
class Gaussian(Transform):
    """A bell: 1 at ``mean``, falling to both sides.

    d = exp(-(x - mean)^2 / (2 sd^2)): 0.61 one ``sd`` away, 0.14 two, 0.01 three.
    """

    mean: float
    """The value wanted."""
    sd: float = Field(gt=0)
    """How far from it is still good."""

    def __call__(self, value: ArrayLike) -> Desirability:
        z = (np.asarray(value, dtype=float) - self.mean) / self.sd
        return np.exp(-np.square(np.clip(z, -50.0, 50.0)) / 2.0)  # beyond 50 sd it is 0 in any case, and would overflow


@transform("step", example={"low": 0, "high": 5})
class Step(Transform):
    """All or nothing: 1 from ``low`` to ``high``, both included, else 0. Either end may be left open."""

    low: float | None = None
    """Least value that is good; open if left out."""
    high: float | None = None
    """Greatest value that is good; open if left out."""

    @classmethod
    def contradictions(cls, numbers: Mapping[str, float]) -> list[Finding]:
        """A step has at least one end, and what lies between two may be a single value."""
        if "low" in numbers and "high" in numbers and numbers["low"] == numbers["high"]:
            return []
        return _descends(numbers, "swap them")

    @model_validator(mode="after")
    def _bounded(self) -> Step:
        if self.low is None and self.high is None:
            raise error("step", [Finding((), "neither low nor high", "at least one of them")])
        return self

    def __call__(self, value: ArrayLike) -> Desirability:
        x = np.asarray(value, dtype=float)
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return ((x >= low) & (x <= high)).astype(float)
