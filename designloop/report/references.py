"""The reference molecules of a campaign: scored once, to be set beside the best."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from designloop.records import Scored
from designloop.report.top import PropertyScore

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
    """Keeps them in a campaign's folder."""
    text = json.dumps([asdict(reference) for reference in references], indent=1, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read_references(folder: Path) -> list[Reference]:
    """Those kept in a campaign's folder; none where there is no such file."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    found = []
    for raw in json.loads(text):
        properties = {name: PropertyScore(**one) for name, one in raw.pop("properties").items()}
        found.append(Reference(**raw, properties=properties))
    return found
