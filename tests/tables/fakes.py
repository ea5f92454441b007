"""A campaign and rounds as small as they can be, for tests of what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from designloop.records import Candidate, Evaluation, Result, Round, RoundKind, Scored, State
from designloop.tables.candidate_table import CandidateTable
from designloop.tables.ledger_records import Finished, Intent, RunStatus


@dataclass(frozen=True)
class FakeOracle:
    fingerprint: str


@dataclass(frozen=True)
class FakeCampaign:
    """What ``TableCampaign`` asks for."""

    folder: Path
    name: str = "small"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"seed": 1, "budget": {"oracle_calls": 100}})
    oracles: Mapping[str, FakeOracle] = field(
        default_factory=lambda: {"weight": FakeOracle("f-weight"), "logP": FakeOracle("f-logp")}
    )

    @property
    def fingerprint(self) -> str:
        return f"fingerprint of {self.settings}"

    @property
    def output_folder(self) -> Path:
        return self.folder / self.name

    @property
    def ledger_path(self) -> Path:
        return self.folder / f"{self.name}.ledger.sqlite"

    def dump(self) -> dict[str, Any]:
        return dict(self.settings)


def changed_keys(stored: Mapping[str, Any], campaign: FakeCampaign) -> list[str]:
    """Everything but the budget must stay."""
    return [key for key, value in campaign.settings.items() if key != "budget" and stored.get(key) != value]


def open_table(campaign: FakeCampaign, **options: Any) -> CandidateTable:
    return CandidateTable.open(campaign, changed_keys=changed_keys, **options)


def molecule(number: int) -> str:
    """A distinct molecule for each number: a chain with an oxygen, a nitrogen or a ring on it, already canonical."""
    return "C" * (number // 3 + 1) + ("O", "N", "C1CC1")[number % 3]


def scored(smiles: str, value: float = 0.5, **candidate: Any) -> Scored:
    """A molecule that both oracles know, with this value of both."""
    evaluation = Evaluation(
        Candidate(smiles, **({"proposer": "prior", "selfies": "[C]"} | candidate)),
        {"weight": Result(value, seconds=0.25), "logP": Result(-value, attempt=2)},
    )
    return Scored(evaluation, {"weight": value, "logP": value / 3}, value)


def unscored(smiles: str) -> Scored:
    """A molecule on which one oracle timed out; what the other gave is kept."""
    results = {"weight": Result(0.5), "logP": Result(None, "timeout", "no answer in 60 s", 60.0, 2)}
    return Scored(
        Evaluation(Candidate(smiles, "crossover", parents=("CO", "CN")), results), {"weight": 0.5, "logP": None}, None
    )


def a_round(number: int, rows: int = 3, kind: RoundKind = "round", scores: Sequence[float] | None = None) -> Round:
    """Round ``number`` with molecules that no other round has, and a state that tells which round it is."""
    return Round(
        number,
        [
            scored(molecule(10 * number + row), scores[row] if scores else (10 * number + row) / 1000)
            for row in range(rows)
        ],
        {"drawn": 10.0 * number, "note": f"of round {number}"},
        State({"weights": np.arange(number, number + 8, dtype=np.float32)}, {"round": number, "best": 0.1 + number}),
        kind,
    )


def ok(intent: Intent, value: float = 1.0) -> Finished:
    """A run that went well."""
    return Finished(intent, "ok", value, None, 0.5, attempt=1)


def failed(
    intent: Intent,
    error: str = "ValueError: no",
    attempt: int = 1,
    again: Intent | None = None,
    status: RunStatus = "failed",
) -> Finished:
    """A run that failed, and the one that is to follow it."""
    return Finished(intent, status, None, error, 0.5, attempt=attempt, again=again)
