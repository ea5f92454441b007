"""What a campaign has suggested to be measured: one sealed file, which only grows.

Whether a suggestion is still pending is not written here: it is, until the table holds a row of its molecule. So no
crash can leave this file and the table in disagreement.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from designloop.records import Candidate, Origin
from designloop.tables.durable import disk_errors, publish_json, read_json
from designloop.tables.errors import DamagedFile
from designloop.words import counted

FILE = "suggestions.json"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A molecule to be measured, and why it was chosen."""

    id: str
    """Of this campaign: what a row of results is recognised by."""
    candidate: Candidate
    batch: int
    """Number of the `suggest` that gave it, from 1 on."""
    nearest: str | None = None
    """Standard form of the most similar molecule that has a measured value; None where nothing is measured yet."""
    similarity: float | None = None
    """ECFP4 similarity to that one."""
    predicted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Property, or ``score`` -> mean and standard deviation of what the strategy expects, where it expects anything."""
    reason: str = ""
    """Why it was chosen, in a few words."""
    price: float | None = None
    """What it costs, in the unit of the campaign's prices; None where it has none."""


def describe_pending(number: int) -> str:
    """Says how many suggestions are pending."""
    return f"{counted(number, 'suggestion is', 'suggestions are')} pending"


def write_suggestions(
    folder: Path, campaign: str, suggestions: Sequence[Suggestion], seconds: Mapping[int, Mapping[str, float]] = {}
) -> None:
    """Puts all suggestions of a campaign in place of those that were there, as one atom.

    Args:
        campaign: the campaign's id.
        seconds: number of a batch -> part of proposing it -> seconds, of all batches of which that is known.
    Raises:
        DiskError: the disk failed; the earlier suggestions stand.
    """
    rows = [asdict(item) | {"candidate": _candidate_fields(item.candidate)} for item in suggestions]
    with disk_errors(f"the suggestions could not be written to {folder}", all_are_the_disks=True):
        kept = {str(batch): dict(of_batch) for batch, of_batch in seconds.items()}
        publish_json(folder / FILE, {"campaign": campaign, "suggestions": rows, "seconds": kept})


def read_suggestions(folder: Path, campaign: str) -> list[Suggestion]:
    """The suggestions of a campaign in the order in which they were given; none where there is no file.

    Raises:
        DamagedFile: the file is damaged, was edited, is another campaign's, or says what this release does not know.
        TableError: it is of a newer schema version.
    """
    body = _read(folder, campaign)
    try:
        return [
            Suggestion(
                **row
                | {
                    "candidate": _candidate_of(row["candidate"]),
                    "predicted": {name: (mean, deviation) for name, (mean, deviation) in row["predicted"].items()},
                }
            )
            for row in body.get("suggestions", ())
        ]
    except (KeyError, TypeError, ValueError) as problem:
        raise DamagedFile(
            f"{folder / FILE} holds suggestions that this release cannot read ({type(problem).__name__}: {problem})",
            "Use the release of designloop that wrote it, or a newer one.",
        ) from problem


def read_seconds(folder: Path, campaign: str) -> dict[int, dict[str, float]]:
    """What proposing each batch took, as it was written; nothing of batches of earlier releases.

    Raises:
        DamagedFile: as of ``read_suggestions``.
    """
    return {int(batch): dict(parts) for batch, parts in _read(folder, campaign).get("seconds", {}).items()}


def _read(folder: Path, campaign: str) -> dict[str, Any]:
    """What the file holds; nothing where there is none."""
    try:
        body: dict[str, Any] = read_json(folder / FILE)
    except FileNotFoundError:
        return {}
    if body["campaign"] != campaign:
        raise DamagedFile(
            f"{folder / FILE} holds the suggestions of campaign {body['campaign']}, expected {campaign}",
            "Put the file of this campaign back, or move the folder aside to begin anew.",
        )
    return body


def pending_of(suggestions: Iterable[Suggestion], charged: Iterable[str]) -> list[Suggestion]:
    """Those of which nothing was told yet.

    Args:
        charged: standard forms of the molecules that the table holds.
    """
    known = set(charged)
    return [item for item in suggestions if item.candidate.smiles not in known]


def _candidate_fields(candidate: Candidate) -> dict[str, object]:
    """All of a candidate as JSON values; a model that is told of it learns from where it wrote it."""
    kept = "smiles proposer selfies parents model_round written allowed chosen predicted_mean predicted_sd".split()
    fields = {name: getattr(candidate, name) for name in kept}
    if (origin := candidate.origin) is not None:
        latent = base64.b64encode(np.asarray(origin.latent, "<f4").tobytes()).decode("ascii")
        fields["origin"] = {"latent": latent, "noise": float(origin.noise)}
    return fields


def _candidate_of(fields: Mapping[str, Any]) -> Candidate:
    """What ``_candidate_fields`` gave; files of earlier releases have no origins."""
    origin = fields.get("origin")
    if origin is not None:
        latent = np.frombuffer(base64.b64decode(origin["latent"]), "<f4").astype(np.float32)
        origin = Origin(latent, float(origin["noise"]))
    return Candidate(**{**fields, "parents": tuple(fields["parents"]), "origin": origin})
