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
import itertools
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from designloop.tables.ledger_file import (
    LedgerBusy,
    LedgerError,
    WriterLock,
    connect_for_reading,
    connect_for_writing,
    connect_in_memory,
    has_checksums,
    is_blank,
    is_first_schema,
    readable_errors,
    set_version,
)
from designloop.tables.ledger_rows import RUN_COLUMNS, add_checksums, check_ledger, seal, seal_run, sealed_rows

__all__ = ["Finished", "Intent", "Ledger", "LedgerBusy", "LedgerError", "LedgerResult", "Run", "StoredLedger", "Value"]
__all__ += ["read_ledger", "read_runs"]

Purpose = Literal["round", "check"]
"""Why a molecule was scored: as a row of the campaign, or as a check outside its budget and table."""

Outcome = Literal["ok", "failed", "timeout"]

Value = float | Mapping[str, float | str]
"""What an oracle gave: a number, or output name -> number, or a line that says why that output has none."""

_COLUMNS = ", ".join(RUN_COLUMNS)

_KNOWN = f"""
SELECT {_COLUMNS}, checksum FROM runs
WHERE oracle = ? AND smiles IN (SELECT value FROM json_each(?)) ORDER BY smiles, asker, number
"""

_INTEND = "INSERT INTO runs (oracle, smiles, asker, number, attempt, checksum) VALUES (?, ?, ?, ?, ?, ?)"

_RECORD = """
UPDATE runs SET attempt = ?, status = ?, value = ?, outputs = ?, error = ?, seconds = ?, finished = ?, checksum = ?
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


@dataclass(frozen=True, slots=True)
class StoredLedger:
    """What a ledger held when it was read."""

    runs: Sequence[Run]
    """By oracle, molecule, campaign and number; without those that do not match their checksums."""
    remarks: Sequence[str]
    """A sentence on these, where there are any."""


def read_ledger(path: Path) -> StoredLedger:
    """All runs of a ledger; safe while a campaign writes to it.

    Raises:
        LedgerError: there is no such file, it is no ledger that this version can read, or it is damaged as a whole.
    """
    with contextlib.closing(connect_for_reading(path)) as connection, readable_errors(path):
        connection.execute("BEGIN")  # one moment of a ledger that is written to
        if is_blank(connection):
            return StoredLedger([], [f"the ledger {path} is empty: it holds no run yet, or has lost them all"])
        remarks = check_ledger(connection, path)
        return StoredLedger(_all_runs(connection), remarks)


def damage_in(path: Path) -> list[str]:
    """What is damaged in a ledger, a sentence each; also of one that cannot be used at all."""
    try:
        with contextlib.closing(connect_for_reading(path)) as connection, readable_errors(path):
            connection.execute("BEGIN")
            return [] if is_blank(connection) else check_ledger(connection, path)
    except LedgerError as damage:
        return [str(damage)]


def read_runs(path: Path) -> list[Run]:
    """The runs of ``read_ledger``."""
    return list(read_ledger(path).runs)


class Ledger:
    """The one writer of a ledger file, in the name of one campaign; used by one thread at a time.

    The file, and its ``.lock`` beside it, are made when they are not there.
    """

    def __init__(self, path: Path | None, campaign: str = "") -> None:
        """Open ``path`` for writing in the name of the campaign with this id; None is a ledger that no file keeps.

        Raises:
            LedgerBusy: another process, or another Ledger of this one, is writing to it.
            LedgerError: the file is another program's, damaged as a whole, or of a newer schema.
        """
        self.remarks: list[str] = []
        """What was damaged in the file when it was opened and is not used, a sentence each."""
        self.path = path or Path(":memory:")
        self.campaign = campaign
        self._lock = WriterLock(path, campaign) if path else None
        try:
            self._connection = connect_for_writing(path) if path else connect_in_memory()
            self._oracles: dict[str, int] = {}
            self._askers: dict[Purpose, int] = {}
            self._take_in()
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the file and give the lock back; twice does no harm."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def _take_in(self) -> None:
        """Checks every row, after those of schema 1 were given their checksums."""
        try:
            with readable_errors(self.path):
                if is_first_schema(self._connection):
                    with self._transaction():
                        add_checksums(self._connection)
                        set_version(self._connection)
                self.remarks = check_ledger(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise

    def known(self, fingerprint: str, smiles: Sequence[str], purpose: Purpose = "round") -> dict[str, LedgerResult]:
        """Molecule -> result, for those of ``smiles`` whose key is settled; the campaign's own result before another's.

        A check that failed settles nothing: the next check of that molecule runs the oracle again.
        """
        with readable_errors(self.path):
            oracle, own = self._oracle_id(fingerprint), self._asker_id(purpose)
            rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall() if oracle else []
        good: dict[str, LedgerResult] = {}
        last_own: dict[str, LedgerResult | None] = {}
        with readable_errors(self.path):
            for _, molecule, asker, _, attempt, status, value, outputs, error, seconds, _ in sealed_rows(rows):
                result = LedgerResult(status, _read_value(value, outputs), error, seconds, attempt) if status else None
                if result is not None and result.status == "ok":
                    good.setdefault(molecule, result)
                if asker == own and purpose == "round":
                    last_own[molecule] = result
        return good | {molecule: result for molecule, result in last_own.items() if result is not None}

    def dates(self, fingerprint: str, smiles: Sequence[str], purpose: Purpose = "round") -> list[float]:
        """When each of these molecules, whose key is settled, was last run, in seconds since 1970 UTC; ascending."""
        with readable_errors(self.path):
            oracle, own = self._oracle_id(fingerprint), self._asker_id(purpose)
            rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall()
        latest: dict[str, float] = {}
        for _, molecule, asker, _, _, status, *_, finished in sealed_rows(rows):
            if status == "ok" or (status is not None and asker == own):
                latest[molecule] = max(finished, latest.get(molecule, finished))
        return sorted(latest.values())

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
                rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall()
                taken = {(row[1], row[3]) for row in rows if row[2] == asker}
                last = {
                    row[1]: (row[3], row[4] if row[5] is None else 1) for row in sealed_rows(rows) if row[2] == asker
                }
                for molecule in smiles:
                    before, attempt = last.get(molecule, (0, 1))
                    # A damaged row is not counted, but has its number.
                    number = next(n for n in itertools.count(before + 1) if (molecule, n) not in taken)
                    intents.append(Intent(fingerprint, molecule, number, attempt))
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
                outcome = (run.attempt, run.status, *_columns(run.value), run.error, run.seconds, now)
                rows.append((*outcome, seal_run(key, *outcome), *key))
            self._connection.executemany(_RECORD, rows)
            self._insert([run.again for run in runs if run.again is not None], asker)

    def seconds(self, fingerprint: str, most: int = 100) -> list[float]:
        """Seconds of some of the oracle's ok runs, at most ``most``: what the first deadline goes by."""
        query = f"SELECT {_COLUMNS}, checksum FROM runs WHERE oracle = ? AND status = 'ok' LIMIT ?"
        with readable_errors(self.path):
            rows = self._connection.execute(query, (self._oracle_id(fingerprint), most)).fetchall()
        return [row[RUN_COLUMNS.index("seconds")] for row in sealed_rows(rows)]

    def runs(self) -> list[Run]:
        """All runs, in the order of ``read_runs``."""
        with readable_errors(self.path):
            return _all_runs(self._connection)

    def _insert(self, intents: Sequence[Intent], asker: int) -> None:
        rows = []
        for one in intents:
            key = (self._oracle_id(one.fingerprint), one.smiles, asker, one.number)
            rows.append((*key, one.attempt, seal_run(key, one.attempt)))
        self._connection.executemany(_INTEND, rows)
        self._connection.execute("UPDATE totals SET runs = runs + ?", (len(rows),))

    def _oracle_id(self, fingerprint: str, name: str | None = None) -> int:
        """The oracle's row, made when it is not there and a name is given; 0 is no row's."""
        if fingerprint not in self._oracles:
            query = "SELECT id FROM oracles WHERE fingerprint = ?"
            row = self._connection.execute(query, (fingerprint,)).fetchone()
            if row is None:
                if name is None:
                    return 0
                row = self._add("oracles", (fingerprint, name))
            self._oracles[fingerprint] = row[0]
        return self._oracles[fingerprint]

    def _asker_id(self, purpose: Purpose, create: bool = False) -> int:
        """The row of this campaign and purpose, made when it is not there and ``create``; 0 is no row's."""
        if purpose not in self._askers:
            key = (self.campaign, purpose)
            row = self._connection.execute("SELECT id FROM askers WHERE campaign = ? AND purpose = ?", key).fetchone()
            if row is None:
                if not create:
                    return 0
                row = self._add("askers", key)
            self._askers[purpose] = row[0]
        return self._askers[purpose]

    def _add(self, table: Literal["oracles", "askers"], row: tuple[str, str]) -> tuple[int]:
        """The id, alone in a row, of a new row of one of the two small tables."""
        (number,) = self._connection.execute(f"SELECT 1 + coalesce(max(id), 0) FROM {table}").fetchone()
        sealed = (number, *row, seal((number, *row)))
        self._connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", sealed)
        return (number,)

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


def _all_runs(connection: sqlite3.Connection) -> list[Run]:
    """All runs that can be trusted; all there are in a ledger of schema 1."""
    oracles = {row[0]: row[1:3] for row in connection.execute("SELECT id, name, fingerprint FROM oracles")}
    askers = {row[0]: row[1:3] for row in connection.execute("SELECT id, campaign, purpose FROM askers")}
    sealed = has_checksums(connection)
    columns = f"{_COLUMNS}, checksum" if sealed else _COLUMNS
    rows = connection.execute(f"SELECT {columns} FROM runs ORDER BY oracle, smiles, asker, number").fetchall()
    runs = []
    for row in sealed_rows(rows) if sealed else rows:
        oracle, smiles, asker, number, attempt, status, value, outputs, error, seconds, finished = row
        campaign, purpose = askers[asker]
        name, fingerprint = oracles[oracle]
        answer = _read_value(value, outputs)
        runs.append(
            Run(campaign, purpose, name, fingerprint, smiles, number, attempt, status, answer, error, seconds, finished)
        )
    return runs
