"""The reference molecules of a campaign: scored once, to be set beside the best."""

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
    def of(cls, name: str, scored: Scored) -> Reference:
        """The reference that was scored."""
        properties = {
            key: PropertyScore(result.value, desirability)
            for key, result in scored.evaluation.results.items()
            if result.value is not None and (desirability := scored.desirability[key]) is not None
        }
        return cls(name or scored.smiles, scored.smiles, scored.score, properties)


def write_references(references: Sequence[Reference], folder: Path) -> None:
    """Keeps them in a campaign's folder, sealed with their checksum.

    Raises:
        DiskError: the disk failed.
    """
    with disk_errors(f"{folder / FILE} could not be written", all_are_the_disks=True):
        publish_json(folder / FILE, {"references": [asdict(reference) for reference in references]})


def read_references(folder: Path) -> tuple[list[Reference], list[str]]:
    """Those kept in a campaign's folder, none where there is no such file; and what is to be said of a damaged one.

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
    properties = {name: PropertyScore(**one) for name, one in raw["properties"].items()}
    return Reference(raw["name"], raw["smiles"], raw["score"], properties)
