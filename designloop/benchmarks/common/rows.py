"""One line of a benchmark: what was measured, by which criterion, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, stdev
from typing import Any

import numpy as np

from designloop.benchmarks.common.page import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure over seeds, beside its criterion, its ceiling and its floor; records keep its names."""

    measure: str
    """What was measured, with its unit."""
    bar: str = ""
    """The criterion in words, as "< 1 degree"; empty where there is none."""
    value: float
    """Mean over the seeds, or what the criterion is about (the worst, say), as ``measure`` tells."""
    spread: float | None = None
    """Standard error of the value, or None where it is exact or comes of one run."""
    seeds: int
    """Runs that the value is made of."""
    holds: bool | None = None
    """None where it is shown without a criterion."""
    ceiling: float | None = None
    """What the true model would reach."""
    floor: float | None = None
    """What no model, or a plain one, reaches."""

    def __post_init__(self) -> None:
        # NumPy's own numbers and truth values, which comparisons give, cannot be written as JSON.
        for name, kind in (("value", float), ("spread", float), ("ceiling", float), ("floor", float), ("holds", bool)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, kind(value))
        numbers = (self.value, self.spread, self.ceiling, self.floor)
        if not all(number is None or math.isfinite(number) for number in numbers):
            raise ValueError(f"{self.measure}: {numbers} are not all finite; a record holds finite numbers or None")
        if (self.holds is None) is not (self.bar == ""):
            raise ValueError(f"{self.measure}: bar {self.bar!r} with holds {self.holds}; give both, or neither")


def mean_row(
    measure: str,
    values: Sequence[float],
    *,
    bar: str = "",
    holds: bool | None = None,
    ceiling: float | None = None,
    floor: float | None = None,
) -> Row:
    """Makes the row of a value for each seed: their mean and its standard error."""
    return Row(
        measure=measure,
        bar=bar,
        value=fmean(values),
        spread=stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
        seeds=len(values),
        holds=holds,
        ceiling=ceiling,
        floor=floor,
    )


def worst_row(measure: str, values: Sequence[float], *, bar: str, limit: float) -> Row:
    """Makes the row of a criterion that every value has to meet: below the limit, or on it where ``bar`` has a ≤."""
    worst = float(np.max(values))  # unlike max, not a number where any value is none: then there is no row
    holds = worst < limit or (bar.startswith("≤") and worst == limit)
    return Row(measure=measure, bar=bar, value=worst, seeds=len(values), holds=holds)


def as_json(method: str, row: Row) -> dict[str, Any]:
    """Returns a row as it stands in a record."""
    return {"method": method, **asdict(row)}


def from_json(data: Mapping[str, Any]) -> Row:
    """Reads the row of a record's line."""
    return Row(**{field.name: data[field.name] for field in fields(Row)})


def rows_table(rows: Iterable[Row]) -> str:
    """Returns rows as a Markdown table; ceiling and floor are columns where a row has them."""
    rows = list(rows)
    optional = [name for name in ("ceiling", "floor") if any(getattr(row, name) is not None for row in rows)]
    lines = [
        (row.measure, row.bar, _figure(row), *(_number(getattr(row, name)) for name in optional), row.seeds, row.holds)
        for row in rows
    ]
    return table(("measure", "bar", "found", *optional, "runs", "holds"), lines)


def _figure(row: Row) -> str:
    return _number(row.value) if row.spread is None else f"{_number(row.value)} ± {row.spread:.2g}"


def _number(value: float | None) -> str:
    """Writes a number with four significant digits, an integer in full, so that counts stay counts."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e12 else f"{value:.4g}"
