"""Campaigns with a property that a laboratory measures, and the files that go to and fro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from designloop import api
from tests.campaigns import write_campaign

POTENCY = {"name": "potency", "oracle": "measured", "transform": {"type": "linear", "low": 4, "high": 8}}
SOLUBILITY = POTENCY | {"name": "solubility"}


def write_measured(
    folder: Path, model: Path, changes: Mapping[str, Any] | None = None, measured: Sequence[Any] = (POTENCY,)
) -> Path:
    """A campaign whose potency is measured and whose carbons are counted."""
    path = write_campaign(folder, model, {"batch_size": 6, "budget.oracle_calls": 30, **(changes or {})})
    settings = yaml.safe_load(path.read_text())
    settings["objective"]["properties"] += measured
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = api.open_candidates(path.with_suffix("")).to_arrow().to_pylist()
    return table


def write_results(path: Path, header: str, *lines: str) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path
