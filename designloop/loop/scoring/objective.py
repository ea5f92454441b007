"""The objective: which properties are wanted, how much of each, and the one score that they make.

    property --transform--> desirability in 0..1 --aggregate--> score in 0..1, which is maximised

A failure is never a zero: a property without a value has no desirability, and its molecule no score.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from designloop.loop.config.problems import Finding
from designloop.loop.config.settings import ByName, StrictSettings, also, describe, error
from designloop.loop.scoring.transforms import TRANSFORMS, Transform
from designloop.oracles.measured import NAME as MEASURED
from designloop.pareto import MOST_GOALS
from designloop.parts import Registry
from designloop.records import Evaluation, Scored
from designloop.strategies.base import KnownObjective
from designloop.words import listed

RESERVED = frozenset(
    "campaign objective id round kind position call smiles selfies inchikey scaffold proposer parents".split()
    + "model_round chosen predicted_mean predicted_sd written allowed status score pareto_rank suggestion".split()
)
"""Columns that every candidate table has: no property may take their names, in whatever case (SQL does not tell)."""

DESIRABILITY = "_desirability"
"""What a property's name is followed by in the column of its desirabilities."""

PARETO = "pareto"
"""The aggregate of an objective that makes no one score of its properties: trade-offs between them are sought."""

NADIR = "nadir"
"""The reference point by rule."""

FAILED = "failed"
"""The column of a file of results that says why something could not be measured."""

Columns = NDArray[np.float64]
"""(molecules, properties)"""


Aggregate = Callable[[Columns, NDArray[np.float64]], NDArray[np.float64]]
"""(desirabilities, weights) -> (molecules,) scores."""

AGGREGATES: Registry[Aggregate] = Registry("aggregate")
"""Those whose names ``Objective.aggregate`` allows, each with its sentence there."""


@AGGREGATES.named("arithmetic_mean")
def arithmetic_mean(desirabilities: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(molecules,) sum_i w_i d_i / sum_i w_i: what one property lacks another may make up for."""
    return np.asarray(np.sum(desirabilities * (weights / weights.sum()), axis=1))


@AGGREGATES.named("geometric_mean")
def geometric_mean(desirabilities: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(molecules,) (prod_i d_i^w_i)^(1 / sum_i w_i): nothing makes up for a property at 0."""
    return product(desirabilities, weights / weights.sum())


@AGGREGATES.named("product")
def product(desirabilities: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(molecules,) prod_i d_i^w_i: harder than the geometric mean, and the harder the more properties there are."""
    return np.asarray(np.prod(desirabilities**weights, axis=1))


@AGGREGATES.named("minimum")
def minimum(desirabilities: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(molecules,) min_i d_i: only the weakest property counts; of weights only 0 and 1 have a meaning."""
    return np.asarray(desirabilities[:, weights > 0].min(axis=1))


@AGGREGATES.named(PARETO)
def pareto(desirabilities: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(molecules,) mean of the d_i that count, though no score decides: the hypervolume of the front is maximised."""
    return arithmetic_mean(desirabilities, weights)


class Property(StrictSettings):
    """One value of one oracle, and how good it is."""

    name: str
    """Its column in the candidate table."""
    oracle: str
    """A built-in (`qed`), an import path (`my_module:my_function`) or a file (`./my_oracle.py:score`)."""
    params: dict[str, Any] = Field(default_factory=dict)
    """What the oracle is called with."""
    output: str | None = None
    """Which of its outputs, where the oracle has several."""
    transform: Annotated[
        Transform,
        ByName(
            key="type",
            what="transform",
            names=lambda: list(TRANSFORMS),
            model=TRANSFORMS.__getitem__,
            kind=Transform,
            make=lambda _, settings: settings,
            taken_apart=lambda transform: (transform.type, transform),
        ),
    ]
    """From its value to a desirability."""
    weight: float = Field(default=1.0, ge=0)
    """How much it counts beside the others; 0: shown in the table, left out of the score,
    which a molecule has all the same only where it has a value of each property."""

    @field_validator("name")
    @classmethod
    def _is_column(cls, name: str) -> str:
        if not re.fullmatch(r"[^\W\d]\w*", name):
            hint = f"for example {re.sub(r'^(?=[0-9])|[^0-9A-Za-z]+', '_', name).strip('_') or 'my_property'}"
            raise error("name", [Finding((), describe(name), "letters, digits and underscores, a letter first", hint)])
        if name.lower() in RESERVED or name.lower().endswith(DESIRABILITY):
            expected = f"a name that is no column of every table, and does not end in {DESIRABILITY}"
            raise error("name", [Finding((), f"the reserved name {name!r}", expected, f"for example {name}_value")])
        return name

    @model_validator(mode="after")
    def _can_be_told(self) -> Property:
        """Refuses the one name of a measured property that stands for something else in a file of results."""
        if self.oracle == MEASURED and self.name.lower() == FAILED:
            expected = "another name for what is measured: there a file of results says why something has no value"
            raise error(
                "name", [Finding(("name",), f"the name {self.name!r}", expected, f"for example {self.name}_share")]
            )
        return self


class Objective(StrictSettings):
    """What is maximised; called with evaluations it gives their scores."""

    aggregate: Literal["geometric_mean", "arithmetic_mean", "product", "minimum", "pareto"] = "geometric_mean"
    """How desirabilities become one score; `pareto`: the best trade-offs are sought, the score is their plain mean."""
    reference_point: Literal["nadir"] | dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(default_factory=dict)
    """Under `pareto`: the desirability, by property, from which on a molecule counts in the hypervolume; others: 0. Or
    `nadir`: the search's own follows the front, a tenth of its range below its worst; the one that is told stays 0."""
    properties: Annotated[tuple[Property, ...], Field(strict=False)]
    """What is wanted of a molecule."""

    @field_validator("properties", mode="wrap")
    @classmethod
    def _some_and_different(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        none = [Finding((), "an empty list", "at least one property")] if value in ([], ()) else []
        return also(value, handler, none or _repeated_names(value), "properties")

    @model_validator(mode="wrap")
    @classmethod
    def _weights_mean_something(cls, value: Any, handler: ModelWrapValidatorHandler[Objective]) -> Objective:
        findings = [*_meaningless_weights(value), *_meaningless_goals(value)]
        return cast(Objective, also(value, handler, findings, "objective"))

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out an empty reference point, which scores of objectives without one never depended on."""
        dump: dict[str, Any] = handler(self)
        return dump if self.reference_point else {key: dump[key] for key in dump if key != "reference_point"}

    @property
    def goals(self) -> dict[str, float]:
        """Property -> its reference point, of those that are traded off; none where one score is maximised."""
        counted = [item.name for item in self.properties if item.weight > 0]
        given = self.reference_point if isinstance(self.reference_point, dict) else {}
        return {name: given.get(name, 0.0) for name in counted} if self.aggregate == PARETO else {}

    def desirabilities(self, values: Mapping[str, Sequence[float | None]]) -> dict[str, list[float | None]]:
        """Property name -> desirability of each molecule; None where there is no value."""
        return {item.name: _where_known(item.transform, values[item.name]) for item in self.properties}

    def __call__(self, evaluations: Sequence[Evaluation]) -> list[Scored]:
        """The evaluations, each with its desirabilities and its score; None for both where something failed."""
        values = {
            item.name: [evaluation.results[item.name].value for evaluation in evaluations] for item in self.properties
        }
        columns = self.desirabilities(values)
        rows = [{name: column[row] for name, column in columns.items()} for row in range(len(evaluations))]
        complete = [
            row
            for row, evaluation in enumerate(evaluations)
            if evaluation.status == "ok" and None not in rows[row].values()
        ]
        scores: list[float | None] = [None] * len(evaluations)
        for row, score in zip(complete, self._aggregate([rows[row] for row in complete]), strict=True):
            scores[row] = score
        return [Scored(*row) for row in zip(evaluations, rows, scores, strict=True)]

    def known(self) -> KnownObjective:
        """What a strategy may know of it: the properties that count, their transforms, and the aggregate."""
        counted = [item for item in self.properties if item.weight > 0]
        weights = np.array([item.weight for item in counted])
        aggregate = AGGREGATES[self.aggregate]
        return KnownObjective(
            tuple(item.name for item in counted),
            tuple(item.transform for item in counted),
            lambda desirabilities: aggregate(desirabilities, weights),
            tuple(self.goals.values()) or None,
            reference_moves=self.reference_point == NADIR,
        )

    def _aggregate(self, rows: Sequence[Mapping[str, float | None]]) -> list[float]:
        weights = np.array([item.weight for item in self.properties])
        table = np.array([list(row.values()) for row in rows], dtype=float).reshape(len(rows), len(weights))
        # Rounding may carry a mean of ones past 1 by a last bit.
        return [float(score) for score in np.clip(AGGREGATES[self.aggregate](table, weights), 0.0, 1.0)]


def _where_known(transform: Transform, values: Sequence[float | None]) -> list[float | None]:
    known = [index for index, value in enumerate(values) if value is not None]
    desirabilities: list[float | None] = [None] * len(values)
    for index, desirability in zip(known, transform(np.array([values[i] for i in known], dtype=float)), strict=True):
        desirabilities[index] = float(desirability)
    return desirabilities


def _settings_of(properties: Any, key: str, default: Any = None) -> list[Any]:
    """A setting of each property, whether it is read yet or not."""
    items = properties if isinstance(properties, (list, tuple)) else []
    return [item.get(key, default) if isinstance(item, Mapping) else getattr(item, key, default) for item in items]


def _meaningless_weights(value: Any) -> list[Finding]:
    weights = _settings_of(value.get("properties"), "weight", 1.0) if isinstance(value, Mapping) else []
    if weights and all(weight == 0 for weight in weights):
        return [Finding(("properties",), "only weights of 0", "a weight above 0 somewhere")]
    meant = _WITHOUT_WEIGHTS.get(value.get("aggregate")) if weights else None
    if meant is None:
        return []
    expected = f"0 or 1 under `aggregate: {value['aggregate']}`, where {meant}"
    odd = [index for index, weight in enumerate(weights) if isinstance(weight, (int, float)) and weight not in (0, 1)]
    return [Finding(("properties", i, "weight"), f"the weight {weights[i]:g}", expected, "leave it out") for i in odd]


_WITHOUT_WEIGHTS = {"minimum": "only the weakest property counts", PARETO: "no property counts more than another"}


def _meaningless_goals(value: Any) -> list[Finding]:
    if not isinstance(value, Mapping):
        return []
    given, aggregate = value.get("reference_point"), value.get("aggregate")
    if aggregate != PARETO:
        expected = "none, for it is the hypervolume's of `aggregate: pareto`"
        return [Finding(("reference_point",), "a reference point", expected, "leave it out")] if given else []
    properties = value.get("properties")
    weights = zip(_settings_of(properties, "name"), _settings_of(properties, "weight", 1.0), strict=True)
    counted = [name for name, weight in weights if weight != 0]
    findings = []
    if counted and not 2 <= len(counted) <= MOST_GOALS:
        actual = f"{len(counted)} {'property' if len(counted) == 1 else 'properties'} of weight above 0"
        expected = f"2 to {MOST_GOALS} under `aggregate: pareto`"
        findings.append(Finding(("properties",), actual, expected, "another aggregate makes one score of any number"))
    for name in given if isinstance(given, Mapping) else ():
        if name not in counted:
            actual = f"the unknown property {name!r}"
            expected = f"a property of weight above 0: {listed(map(str, counted))}"
            findings.append(Finding(("reference_point", name), actual, expected, at_key=True))
    return findings


def _repeated_names(properties: Any) -> list[Finding]:
    names = _settings_of(properties, "name")
    first: dict[str, int] = {}
    findings = []
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        if name.lower() in first:
            actual = f"the name {name!r} a second time"
            findings.append(
                Finding((index, "name"), actual, "a name of its own for each property", f"for example {name}_2")
            )
        first.setdefault(name.lower(), index)
    return findings
