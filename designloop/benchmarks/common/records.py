"""The record of a benchmark's run: how, when and on what machine it was made, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

DIGITS = 6
"""Significant digits that a number of a record keeps."""


class RecordError(ValueError):
    """A record that cannot be read; the message names the file."""


@dataclass(frozen=True)
class Record:
    """One run of one benchmark."""

    benchmark: str
    """Its name."""
    command: str
    """What was typed."""
    designloop: str
    """Version."""
    date: str
    """Of the end, UTC, YYYY-MM-DD."""
    seeds: Sequence[int]
    machine: Mapping[str, Any]
    calibrations: Mapping[str, float]
    """Taken in the same run, so that times of different machines can be set side by side."""
    results: Mapping[str, Any]
    code: str = ""
    """Digest of the package's code that the run was made by; empty where a record is from before it was kept."""


def record_path(name: str, folder: Path) -> Path:
    """Returns the path of a benchmark's record; that of ``latent-bo`` is ``latent_bo.json``."""
    return folder / f"{name.replace('-', '_')}.json"


def write_record(record: Record, folder: Path) -> Path:
    """Writes a record over an earlier one and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = record_path(record.benchmark, folder)
    text = json.dumps(rounded(asdict(record)), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_record(path: Path) -> Record:
    """Reads the record in a file.

    Raises:
        RecordError: the file holds none.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read ({error}); run the benchmark again") from error
    expected = [field.name for field in fields(Record)]
    required = {field.name for field in fields(Record) if field.default is MISSING}
    if not isinstance(data, dict) or not required <= data.keys() <= set(expected):
        names = ", ".join(data) if isinstance(data, dict) else type(data).__name__
        raise RecordError(f"{path}: found {names}, expected {', '.join(expected)}; run the benchmark again")
    return Record(**data)


def read_records(folder: Path) -> list[Record]:
    """Reads all records of a folder, by name."""
    return [read_record(path) for path in sorted(folder.glob("*.json"))]


def rounded(value: Any) -> Any:
    """Rounds every number of JSON values to ``DIGITS`` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(inner) for inner in value]
    return value
