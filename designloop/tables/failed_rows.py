"""The molecules of a campaign that have no score because an oracle failed or timed out, and what it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designloop.records import Candidate
from designloop.tables.errors import DamagedFile
from designloop.tables.files import details_file, relative, rows_file
from designloop.tables.manifest import RoundInfo, read_checked
from designloop.tables.rows import LOST_DETAILS, from_parquet, stored_rows

FAILED = ("failed", "timeout")
"""The statuses of a run that came to nothing."""


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A charged molecule without a score."""

    candidate: Candidate
    """As it was when it was charged."""
    failures: Mapping[str, tuple[str, str | None]]
    """Property -> status (failed or timeout) and error, of the properties that failed when it was last run."""

    def matches(self, text: str) -> bool:
        """Whether one of its failures, as in ``PROPERTY STATUS: ERROR``, holds a text; case does not count."""
        lines = (f"{name} {status}: {error or ''}" for name, (status, error) in self.failures.items())
        return any(text.casefold() in line.casefold() for line in lines)


def failed_rows(folder: Path, rounds: Sequence[RoundInfo]) -> tuple[list[FailedRow], list[str]]:
    """The failed molecules in the order of their calls, and a sentence for each file of details that is damaged.

    An amendment's rows supersede those of earlier rounds. Without its details a round's rows still tell what failed,
    but not why.

    Raises:
        DamagedFile: a file of rows is missing or damaged.
    """
    candidates: dict[str, Candidate] = {}
    failures: dict[str, dict[str, tuple[str, str | None]]] = {}
    damaged: list[str] = []
    for info in rounds:
        is_last = info is rounds[-1]
        content = read_checked(folder, info, relative(folder, rows_file(folder, info.number)), last=is_last)
        rows = stored_rows(content).to_pylist()
        name = relative(folder, details_file(folder, info.number))
        try:
            details = from_parquet(read_checked(folder, info, name, last=is_last)).to_pylist()
        except DamagedFile as damage:
            damaged.append(f"{damage.what}: {LOST_DETAILS}")
            details = [
                {"property": property_name, "position": place, "status": row["status"], "error": f"{name} is damaged"}
                for place, row in enumerate(rows)
                for property_name in info.asked
                if row[property_name] is None
            ]
        for row in rows:
            candidates.setdefault(row["smiles"], _candidate(row))
            failures[row["smiles"]] = {}
        for detail in details:
            if detail["status"] in FAILED:
                said = (detail["status"], detail["error"])
                failures[rows[detail["position"]]["smiles"]][detail["property"]] = said
    return [FailedRow(candidates[smiles], said) for smiles, said in failures.items() if said], damaged


def _candidate(row: Mapping[str, Any]) -> Candidate:
    return Candidate(
        smiles=row["smiles"],
        proposer=row["proposer"],
        selfies=row["selfies"],
        parents=tuple(row["parents"]),
        model_round=row["model_round"],
        written=row["written"],
        allowed=row["allowed"],
        chosen=row["chosen"],
        predicted_mean=row["predicted_mean"],
        predicted_sd=row["predicted_sd"],
    )
