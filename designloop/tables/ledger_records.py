"""What the ledger keeps, as objects: intents, their outcomes, and the runs that rows are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["round", "check"]
"""Why a molecule was scored: as a row of the campaign, or as a check outside its budget and table."""

RunStatus = Literal["ok", "failed", "timeout"]

StoredValue = float | Mapping[str, float | str]
"""What an oracle gave: a number, or output name -> number, or a line that says why that output has none."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One run that is to be made: its key, its number within key and campaign, and the attempt that it counts as."""

    fingerprint: str
    smiles: str
    number: int = 1
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of an intent."""

    intent: Intent
    status: RunStatus
    value: StoredValue | None
    """Always there when ok; of a failed run, the outputs that did come."""
    error: str | None
    seconds: float
    attempt: int
    """What the run counted as; 0 for a run in a chunk that came to nothing, which counts as none."""
    again: Intent | None = None
    """The run that is to follow, where this outcome is not the last word."""


@dataclass(frozen=True, slots=True)
class LedgerResult:
    """What settled a key: the last run of one oracle on one molecule."""

    status: RunStatus
    value: StoredValue | None
    error: str | None
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the ledger, with the names of what it refers to."""

    campaign: str
    purpose: Purpose
    oracle: str
    fingerprint: str
    smiles: str
    number: int
    attempt: int
    status: RunStatus | None
    """None for an intent whose outcome never came, or has not come yet."""
    value: StoredValue | None
    error: str | None
    seconds: float | None
    finished: float | None
    """When the outcome was recorded, in seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class StoredLedger:
    """What a ledger held when it was read."""

    runs: Sequence[Run]
    """By oracle, molecule, campaign and number; without those that do not match their checksums."""
    remarks: Sequence[str]
    """A sentence on these, where there are any."""


def value_columns(value: StoredValue | None) -> tuple[float | None, str | None]:
    """Split a value into the columns ``value`` and ``outputs``, of which at most one is not null."""
    return (None, json.dumps(dict(value))) if isinstance(value, Mapping) else (value, None)


def read_value(value: float | None, outputs: str | None) -> StoredValue | None:
    """Join the columns ``value`` and ``outputs`` to the value again."""
    return value if outputs is None else json.loads(outputs)
