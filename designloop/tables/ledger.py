"""The durable record of every oracle run: what was asked, and what came back.

A *run* is one row. It is written first as an intent (no status), all of a round in one transaction, and gets its
outcome when that arrives. Its key is the oracle's fingerprint and the molecule; within a key the runs of one campaign
are numbered from 1. A key is settled

- for every campaign once any run of it is ok;
- for one campaign once the last of its own runs has an outcome, whatever that is. An outcome that is not the last
  word is recorded in one transaction with the intent that follows it, so an unsettled key always ends in an intent.

An intent whose outcome never came (the process died) stays as it is; the rerun is the next number with the same
``attempt``, so it does not count against the retries.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from designloop.tables.ledger_file import (
    LedgerBusy,
    LedgerError,
    WriterLock,
    connect_for_reading,
    connect_for_writing,
    connect_in_memory,
    readable_errors,
)

__all__ = ["Finished", "Intent", "Ledger", "LedgerBusy", "LedgerError", "LedgerResult", "Run", "Value", "read_runs"]

Purpose = Literal["round", "check"]
"""Why a molecule was scored: as a row of the campaign, or as a check outside its budget and table."""

Outcome = Literal["ok", "failed", "timeout"]

Value = float | Mapping[str, float | str]
"""What an oracle gave: a number, or output name -> number, or a line that says why that output has none."""

_RUNS = """
SELECT askers.campaign, askers.purpose, oracles.name, oracles.fingerprint, runs.smiles, runs.number, runs.attempt,
       runs.status, runs.value, runs.outputs, runs.error, runs.seconds, runs.finished
FROM runs JOIN oracles ON oracles.id = runs.oracle JOIN askers ON askers.id = runs.asker
ORDER BY oracles.id, runs.smiles, askers.id, runs.number
"""

_KNOWN = """
SELECT smiles, asker, status, value, outputs, error, seconds, attempt FROM runs
WHERE oracle = ? AND smiles IN (SELECT value FROM json_each(?)) ORDER BY smiles, asker, number
"""

_DATES = """
SELECT max(finished) FROM runs WHERE oracle = ? AND smiles IN (SELECT value FROM json_each(?))
AND (status = 'ok' OR (asker = ? AND status IS NOT NULL)) GROUP BY smiles
"""

# SQLite takes the bare columns of a max() query from the row that has the maximum.
_LAST = """
SELECT smiles, max(number), attempt, status FROM runs
WHERE oracle = ? AND asker = ? AND smiles IN (SELECT value FROM json_each(?)) GROUP BY smiles
"""

_INTEND = "INSERT INTO runs (oracle, smiles, asker, number, attempt) VALUES (?, ?, ?, ?, ?)"

_RECORD = """
UPDATE runs SET attempt = ?, status = ?, value = ?, outputs = ?, error = ?, seconds = ?, finished = ?
WHERE oracle = ? AND smiles = ? AND asker = ? AND number = ?
"""


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
    status: Outcome
    value: Value | None
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

    status: Outcome
    value: Value | None
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
    status: Outcome | None
    """None for an intent whose outcome never came, or has not come yet."""
    value: Value | None
    error: str | None
    seconds: float | None
    finished: float | None
    """When the outcome was recorded, in seconds since 1970 UTC."""


def read_runs(path: Path) -> list[Run]:
    """All runs of a ledger by oracle, molecule, campaign and number; safe while a campaign writes to it.

    Raises:
        LedgerError: there is no such file, or it is no ledger that this version can read.
    """
    with contextlib.closing(connect_for_reading(path)) as connection, readable_errors(path):
        return [_run(row) for row in connection.execute(_RUNS)]


class Ledger:
    """The one writer of a ledger file, in the name of one campaign; used by one thread at a time.

    The file, and its ``.lock`` beside it, are made when they are not there.
    """

    def __init__(self, path: Path | None, campaign: str = "") -> None:
        """Open ``path`` for writing in the name of the campaign with this id; None is a ledger that no file keeps.

        Raises:
            LedgerBusy: another process, or another Ledger of this one, is writing to it.
            LedgerError: the file is another program's, damaged, or of a newer schema.
        """
        self.path = path or Path(":memory:")
        self.campaign = campaign
        self._lock = WriterLock(path, campaign) if path else None
        try:
            self._connection = connect_for_writing(path) if path else connect_in_memory()
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise
        self._oracles: dict[str, int] = {}
        self._askers: dict[Purpose, int] = {}

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the file and give the lock back; twice does no harm."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def known(self, fingerprint: str, smiles: Sequence[str], purpose: Purpose = "round") -> dict[str, LedgerResult]:
        """Molecule -> result, for those of ``smiles`` whose key is settled; the campaign's own result before another's.

        A check that failed settles nothing: the next check of that molecule runs the oracle again.
        """
        with readable_errors(self.path):
            oracle, own = self._oracle_id(fingerprint), self._asker_id(purpose)
            rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall() if oracle else []
        good: dict[str, LedgerResult] = {}
        last_own: dict[str, LedgerResult | None] = {}
        for molecule, asker, status, value, outputs, error, seconds, attempt in rows:
            result = LedgerResult(status, _read_value(value, outputs), error, seconds, attempt) if status else None
            if result is not None and result.status == "ok":
                good.setdefault(molecule, result)
            if asker == own and purpose == "round":
                last_own[molecule] = result
        return good | {molecule: result for molecule, result in last_own.items() if result is not None}

    def dates(self, fingerprint: str, smiles: Sequence[str], purpose: Purpose = "round") -> list[float]:
        """When each of these molecules, whose key is settled, was last run, in seconds since 1970 UTC; ascending."""
        with readable_errors(self.path):
            key = (self._oracle_id(fingerprint), json.dumps(list(smiles)), self._asker_id(purpose))
            return sorted(row[0] for row in self._connection.execute(_DATES, key))

    def intend(
        self, wanted: Mapping[str, Sequence[str]], names: Mapping[str, str], purpose: Purpose = "round"
    ) -> list[Intent]:
        """One intent for each molecule wanted, in the order of ``wanted``, written in one transaction.

        Args:
            wanted: oracle fingerprint -> distinct molecules to run it on.
            names: oracle fingerprint -> the oracle's name, for people.
            purpose: on whose account they run.
        """
        intents: list[Intent] = []
        with readable_errors(self.path), self._transaction():
            asker = self._asker_id(purpose, create=True)
            for fingerprint, smiles in wanted.items():
                oracle = self._oracle_id(fingerprint, names[fingerprint])
                rows = self._connection.execute(_LAST, (oracle, asker, json.dumps(list(smiles))))
                last = {
                    molecule: (number, attempt if status is None else 1) for molecule, number, attempt, status in rows
                }
                for molecule in smiles:
                    number, attempt = last.get(molecule, (0, 1))
                    intents.append(Intent(fingerprint, molecule, number + 1, attempt))
            self._insert(intents, asker)
        return intents

    def record(self, runs: Iterable[Finished], purpose: Purpose = "round") -> None:
        """Write the outcomes of intents, and the intents that follow from them, in one transaction."""
        runs = list(runs)
        now = time.time()
        with readable_errors(self.path), self._transaction():
            asker = self._asker_id(purpose, create=True)
            rows = []
            for run in runs:
                key = (self._oracle_id(run.intent.fingerprint), run.intent.smiles, asker, run.intent.number)
                rows.append((run.attempt, run.status, *_columns(run.value), run.error, run.seconds, now, *key))
            self._connection.executemany(_RECORD, rows)
            self._insert([run.again for run in runs if run.again is not None], asker)

    def seconds(self, fingerprint: str, most: int = 100) -> list[float]:
        """Seconds of some of the oracle's ok runs, at most ``most``: what the first deadline goes by."""
        query = "SELECT seconds FROM runs WHERE oracle = ? AND status = 'ok' LIMIT ?"
        with readable_errors(self.path):
            return [row[0] for row in self._connection.execute(query, (self._oracle_id(fingerprint), most))]

    def runs(self) -> list[Run]:
        """All runs, in the order of ``read_runs``."""
        with readable_errors(self.path):
            return [_run(row) for row in self._connection.execute(_RUNS)]

    def _insert(self, intents: Sequence[Intent], asker: int) -> None:
        rows = [(self._oracle_id(one.fingerprint), one.smiles, asker, one.number, one.attempt) for one in intents]
        self._connection.executemany(_INTEND, rows)

    def _oracle_id(self, fingerprint: str, name: str | None = None) -> int:
        """The oracle's row, made when it is not there and a name is given; 0 is no row's."""
        if fingerprint not in self._oracles:
            if name is not None:
                insert = "INSERT OR IGNORE INTO oracles (fingerprint, name) VALUES (?, ?)"
                self._connection.execute(insert, (fingerprint, name))
            row = self._connection.execute("SELECT id FROM oracles WHERE fingerprint = ?", (fingerprint,)).fetchone()
            if row is None:
                return 0
            self._oracles[fingerprint] = row[0]
        return self._oracles[fingerprint]

    def _asker_id(self, purpose: Purpose, create: bool = False) -> int:
        """The row of this campaign and purpose, made when it is not there and ``create``; 0 is no row's."""
        if purpose not in self._askers:
            key = (self.campaign, purpose)
            if create:
                self._connection.execute("INSERT OR IGNORE INTO askers (campaign, purpose) VALUES (?, ?)", key)
            row = self._connection.execute("SELECT id FROM askers WHERE campaign = ? AND purpose = ?", key).fetchone()
            if row is None:
                return 0
            self._askers[purpose] = row[0]
        return self._askers[purpose]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # Ids that a rolled-back transaction gave out are nobody's.
            self._oracles.clear()
            self._askers.clear()
            with contextlib.suppress(sqlite3.Error):  # the error that led here is the one to tell
                self._connection.execute("ROLLBACK")
            raise


def _columns(value: Value | None) -> tuple[float | None, str | None]:
    """A value as the columns ``value`` and ``outputs``, of which at most one is not null."""
    return (None, json.dumps(dict(value))) if isinstance(value, Mapping) else (value, None)


def _read_value(value: float | None, outputs: str | None) -> Value | None:
    return value if outputs is None else json.loads(outputs)


def _run(row: Sequence[Any]) -> Run:
    campaign, purpose, oracle, fingerprint, smiles, number, attempt, status, value, outputs, error, seconds, at = row
    found = _read_value(value, outputs)
    return Run(campaign, purpose, oracle, fingerprint, smiles, number, attempt, status, found, error, seconds, at)
