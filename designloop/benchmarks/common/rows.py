"""One line of a benchmark that keeps bars: what was measured, what was promised, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, stdev
from typing import Any

from designloop.benchmarks.common.page import table


@dataclass(frozen=True, slots=True)
class Row:
    """One measure over seeds, beside its bar, its ceiling and its floor."""

    measure: str
    """What was measured, with its unit."""
    bar: str
    """The promise in words, as "< 1 degree"; empty where there is none."""
    value: float
    """Mean over the seeds, or what the promise is about (the worst, say), as ``measure`` tells."""
    spread: float | None
    """Standard error of the value, or None where it is exact or comes of one run."""
    seeds: int
    """Runs that the value is made of."""
    holds: bool | None
    """None where it is shown without a bar."""
    ceiling: float | None = None
    """What the true model would reach."""
    floor: float | None = None
    """What no model, or a plain one, reaches."""

    def __post_init__(self) -> None:
        # NumPy's own numbers and truth values, which comparisons give, cannot be written as JSON.
        for name, kind in (("value", float), ("spread", float), ("ceiling", float), ("floor", float), ("holds", bool)):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, kind(given))
        numbers = (self.value, self.spread, self.ceiling, self.floor)
        if not all(one is None or math.isfinite(one) for one in numbers):
            raise ValueError(f"{self.measure}: {numbers} are not all finite; a record holds finite numbers or None")
        if (self.holds is None) is not (self.bar == ""):
            raise ValueError(f"{self.measure}: bar {self.bar!r} with holds {self.holds}; give both, or neither")


def row_over(
    measure: str, bar: str, values: Sequence[float], holds: bool | None, ceiling: float | None = None,
    floor: float | None = None,
) -> Row:  # fmt: skip
    """The row of a value a seed: their mean and its standard error."""
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return Row(measure, bar, fmean(values), error, len(values), holds, ceiling, floor)


def as_json(method: str, row: Row) -> dict[str, Any]:
    """A row as it stands in a record."""
    return {"method": method, **asdict(row)}


def from_json(data: Mapping[str, Any]) -> Row:
    """The row of a record's line."""
    return Row(**{one.name: data[one.name] for one in fields(Row)})


def rows_table(rows: Iterable[Row]) -> str:
    """Rows as a Markdown table; ceiling and floor only where some row has them."""
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
    """Four significant digits; integers in full, so that counts stay counts."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e12 else f"{value:.4g}"
