"""What is set beside the best of a campaign: its reference molecules, scored once, and the units of its properties."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from designloop.records import Scored
from designloop.report.top import PropertyScore
from designloop.tables.durable import disk_errors, publish_json, read_json
from designloop.tables.errors import DamagedFile
from designloop.tables.manifest import read_campaign

FILE = "references.json"


@dataclass(frozen=True, slots=True)
class Reference:
    """A molecule to compare with."""

    name: str
    """What the user calls it; else its SMILES."""
    smiles: str
    score: float | None
    """None where an oracle failed."""
    properties: Mapping[str, PropertyScore]
    """Without those that failed."""

    @classmethod
    def of(cls, name: str, scored: Scored, units: Mapping[str, str] = {}) -> Reference:
        """The reference that was scored."""
        properties = {
            key: PropertyScore(result.value, desirability, units.get(key, ""))
            for key, result in scored.evaluation.results.items()
            if result.value is not None and (desirability := scored.desirability[key]) is not None
        }
        return cls(name or scored.smiles, scored.smiles, scored.score, properties)


def write_references(references: Sequence[Reference], folder: Path, units: Mapping[str, str] = {}) -> None:
    """Keeps them in a campaign's folder, sealed with their checksum.

    Args:
        units: property -> its oracle's unit.
    Raises:
        DiskError: the disk failed.
    """
    with disk_errors(f"{folder / FILE} could not be written", all_are_the_disks=True):
        kept = [asdict(reference) for reference in references]
        publish_json(folder / FILE, {"references": kept, "units": dict(units)})


def read_references(folder: Path) -> tuple[list[Reference], list[str]]:
    """Read those kept in a campaign's folder, none where there is no file; and a sentence on a damaged one.

    Earlier versions kept a bare list without a checksum, which is read as it stands until a run writes it anew.
    """
    path = folder / FILE
    try:
        if (bare := _bare(path)) is not None:
            return [_reference(raw) for raw in bare], []
        return [_reference(raw) for raw in read_json(path)["references"]], []
    except FileNotFoundError:
        record = read_campaign(folder)
        if record is None or not record.openings[-1].dump.get("reference"):
            return [], []
        what = f"{path} is missing"
    except DamagedFile as damage:
        what = damage.what
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        what = f"{path} is damaged ({type(problem).__name__}: {problem})"
    return [], [
        f"{what}: the references are not shown until `designloop run` has scored them again, which costs nothing"
    ]


def read_units(folder: Path) -> dict[str, str]:
    """Reads property -> unit as a campaign's last run kept it; nothing where `read_references` finds damage, too."""
    try:
        units: dict[str, str] = read_json(folder / FILE).get("units", {})
    except (FileNotFoundError, DamagedFile):
        return {}
    return units


def _bare(path: Path) -> list[Any] | None:
    """The list that earlier versions wrote; None where the file holds anything else."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, list) else None


def _reference(raw: Mapping[str, Any]) -> Reference:
    properties = {name: PropertyScore(**fields) for name, fields in raw["properties"].items()}
    return Reference(raw["name"], raw["smiles"], raw["score"], properties)
