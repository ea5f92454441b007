"""Values that were measured before a campaign began: a column of the user's file a property, a row a measurement."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev

from designloop.records import Result
from designloop.words import counted

_CENSORED = re.compile(r"\s*(<=|>=|<|>|≤|≥|~)\s*\S")
"""How a laboratory writes a bound instead of a value."""

_RELATION = re.compile(
    r"[\s'\"]*(<<?=?|>>?=?|≤|≥|~|(?:greater|larger|higher|more|above|over|less|lower|smaller|below|under)\b[\w ]*"
    r"|at (?:least|most)|[gl][te]\b)",
    re.IGNORECASE,
)
"""A bound's sign, or word, in a column of its own; ChEMBL writes it in single quotes."""

_RELATION_WORDS = ("relation", "qualifier", "operator", "modifier")
_RELATION_HEADERS = ("standardrelation", *_RELATION_WORDS)

_KIND_HEADERS = {
    "standardvalue": ("standardunits", "standardtype", "targetchemblid"),
    "pchemblvalue": ("standardtype", "targetchemblid"),
}
"""Columns of ChEMBL's that say what is measured, of which the values beside them should all have the same."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_WITH_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?", re.IGNORECASE)
_WITH_UNIT = re.compile(rf"{_NUMBER.pattern}\s*([^\W\d_][\w/]*|%)", re.IGNORECASE)


_MOST = 1e100
"""No assay's unit makes a value this large, and squares of such values are numbers still."""


class UnusableValue(ValueError):
    """A cell that holds no value that can be taken; the message says what it holds and what to do."""


def number_in(text: str) -> float:
    """The number that a cell holds.

    Raises:
        UnusableValue: it holds none; the message says what it holds, and what was expected.
    """
    try:
        number = float(text) if "_" not in text else math.nan  # Python takes 1_0 for ten
    except ValueError:
        number = math.nan
    if abs(number) <= _MOST:
        return number
    if math.isfinite(number):
        raise UnusableValue(f"expected a number from {-_MOST:g} to {_MOST:g}")
    if _CENSORED.match(text):
        raise UnusableValue("a bound and no value")
    if _THOUSANDS.fullmatch(text):
        instead = text.replace(",", "")
        decimal = (
            f", or {text.replace(',', '.')} if the comma is a decimal one"
            if text.count(",") == 1 > text.count(".")
            else ""
        )
        raise UnusableValue(f"expected a number without commas: write {instead}{decimal}")
    if _WITH_COMMA.fullmatch(text):
        raise UnusableValue(f"expected a number with a decimal point: write {text.replace(',', '.')}")
    if _WITH_UNIT.fullmatch(text) and not _NUMBER.fullmatch(text):
        raise UnusableValue("expected the number alone, in the unit of all the others")
    raise UnusableValue("expected a finite number")


def value_in(text: str, relation: tuple[str, str] | None) -> float:
    """The number that a cell holds, unless a sign beside it makes it a bound.

    Args:
        relation: the sign and its column; None where there is none.

    Raises:
        UnusableValue: it holds no value; the message begins with the cell and its sign.
    """
    try:
        number = number_in(text)
        if relation is not None:
            raise UnusableValue("a bound and no value")
    except UnusableValue as why:
        beside = f" with {relation[0]!r} under {relation[1]}" if relation else ""
        raise UnusableValue(f"{text!r}{beside}, {why}") from None
    return number


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is known of one property of one molecule: replicates, or why there is no value."""

    values: tuple[float, ...] = ()
    failure: str = ""
    """Why there is no value; empty where there are some."""

    @property
    def mean(self) -> float:
        """The mean of the replicates."""
        return math.fsum(self.values) / len(self.values) + 0.0

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation of the replicates; None of a single value."""
        return stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        if not self.values:
            return f"failed ({self.failure})"
        return f"{self.mean:.6g}" + ("" if self.deviation is None else f" ± {self.deviation:.2g}")

    def result(self, attempt: int = 1) -> Result:
        """What the table gets: the mean, or a failure.

        Args:
            attempt: 0 where nothing was asked for it.
        """
        if not self.values:
            return Result(None, "failed", self.failure, attempt=attempt)
        return Result(self.mean, attempt=attempt, readings=len(self.values))

    @classmethod
    def pooled(cls, readings: Sequence[Reading]) -> Reading:
        """All of some readings of one property of one molecule; where some have values, these count."""
        values = tuple(value for reading in readings for value in reading.values)
        return cls(values) if values else readings[0]


Readings = Mapping[str, Mapping[str, Reading]]
"""Molecule in standard form -> property -> reading."""


@dataclass(frozen=True)
class ValueColumns:
    """Where a file of molecules holds measured values."""

    columns: Mapping[str, str]
    """Property -> column."""
    take_censored: bool = False
    """Whether a bound (``>10``) is taken as a failure of that property; else its row is refused."""

    def read(self, cells: Mapping[str, str]) -> dict[str, Reading]:
        """The readings of one row, by property; an empty cell was not measured.

        Where the file has a column for the sign of a bound, as ChEMBL's ``Standard Relation``, it counts, too.

        Args:
            cells: header -> text of all columns.

        Raises:
            UnusableValue: a cell holds neither a finite number nor, where these are taken, a bound.
        """
        readings = {}
        for name, column in self.columns.items():
            text = cells[column].strip()
            if text:
                readings[name] = self._reading(name, column, text, relation_beside(column, cells))
        return readings

    def _reading(self, name: str, column: str, text: str, relation: tuple[str, str] | None) -> Reading:
        is_bound = relation is not None or _CENSORED.match(text) is not None
        if is_bound and self.take_censored:
            return Reading((), f"censored: {relation[0] if relation else ''}{text}")
        try:
            return Reading((value_in(text, relation),))
        except UnusableValue as why:
            advice = (
                "measure it again, delete it, or take such rows as failures by `censored: failed`"
                if is_bound
                else "leave the cell empty where nothing was measured"
            )
            raise UnusableValue(f"{name} ({column}) is {why}; {advice}") from None


def find_mixed_kinds(values: ValueColumns, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each property whose values are of several units, types or targets, by ChEMBL's own columns.

    Args:
        columns: header -> texts of all rows.
    """
    headers, sentences = {_plain(header): header for header in columns}, []
    for name, column in values.columns.items():
        for kind in _KIND_HEADERS.get(_plain(column), ()):
            if (header := headers.get(kind)) is None:
                continue
            rows = zip(columns[header], columns[column], strict=True)
            counts = Counter(text.strip() or "empty" for text, value in rows if value.strip())
            if len(counts) > 1:
                said = ", ".join(f"{text} {count:,}" for text, count in counts.most_common())
                sentences.append(
                    f"values of {name} ({column}) stand under several {header}: {said}; keep rows of one, unless they "
                    "compare"
                )
    return sentences


def relation_beside(column: str, cells: Mapping[str, str]) -> tuple[str, str] | None:
    """The sign of a bound beside a value, and the column that holds it; None where the value is one."""
    headers = {_plain(header): header for header in cells}
    for candidate in (*(_plain(column) + word for word in _RELATION_WORDS), *_RELATION_HEADERS):
        if candidate in headers:
            sign = _RELATION.match(cells[headers[candidate]])
            return (sign[1], headers[candidate]) if sign else None
    return None


def is_relation(header: str, columns: Sequence[str]) -> bool:
    """Whether a column may hold the signs of bounds of some columns of values."""
    own = (_plain(column) + word for column in columns for word in _RELATION_WORDS)
    return _plain(header) in (*own, *_RELATION_HEADERS)


def _plain(header: str) -> str:
    """A header in small letters, without blanks and underscores."""
    return re.sub(r"[\s_]+", "", header).lower()


def merged(readings: Iterable[Mapping[str, Reading]]) -> dict[str, Reading]:
    """Property -> reading, of all rows of one molecule: several rows are replicates."""
    by_name: dict[str, list[Reading]] = {}
    for row in readings:
        for name, reading in row.items():
            by_name.setdefault(name, []).append(reading)
    return {name: Reading.pooled(of_property) for name, of_property in by_name.items()}


def noise_of(readings: Readings) -> dict[str, float]:
    """Property -> pooled standard deviation of its replicates, of those that have any."""
    squares: dict[str, list[tuple[float, int]]] = {}
    for of_molecule in readings.values():
        for name, reading in of_molecule.items():
            if reading.deviation is not None:
                freedom = len(reading.values) - 1
                squares.setdefault(name, []).append((freedom * reading.deviation**2, freedom))
    return {
        name: math.sqrt(math.fsum(total for total, _ in parts) / sum(count for _, count in parts))
        for name, parts in squares.items()
    }


def describe_replicates(readings: Readings) -> list[str]:
    """How many molecules have several values of a property, and how well these agree: a line each such property."""
    lines = []
    for name, deviation in noise_of(readings).items():
        several = [of[name].values for of in readings.values() if name in of and len(of[name].values) > 1]
        molecules = counted(len(several), "molecule was", "molecules were")
        lines.append(
            f"{name}: {molecules} measured more than once ({sum(map(len, several)):,} values, of which the table has "
            f"the means); the pooled sd of one value is {deviation:.2g}"
        )
    return lines


def describe_readings(readings: Readings, molecules: int) -> str:
    """How many of so many starting molecules have values, of which properties, and how well replicates agree.

    Empty where none has any.
    """
    if not readings:
        return ""
    noise, parts = noise_of(readings), []
    for name in dict.fromkeys(name for of_molecule in readings.values() for name in of_molecule):
        known = [of_molecule[name] for of_molecule in readings.values() if name in of_molecule]
        failed = sum(not reading.values for reading in known)
        replicated = sum(len(reading.values) > 1 for reading in known)
        said = [f"{failed:,} as failures"] if failed else []
        said += [f"{replicated:,} with replicates, whose pooled sd is {noise[name]:.2g}"] if name in noise else []
        means = [reading.mean for reading in known if reading.values]
        span = f" from {min(means):g} to {max(means):g}" if means else ""
        parts.append(f"{name} of {len(known):,}{span}" + (f" ({', '.join(said)})" if said else ""))
    return f"{len(readings):,} of {molecules:,} starting molecules come with measured values: {', '.join(parts)}"
