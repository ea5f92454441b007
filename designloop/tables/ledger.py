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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from designloop.tables.ledger_file import (
    connect_for_writing,
    connect_in_memory,
    is_first_schema,
    lock_ledger,
    readable_errors,
    set_version,
)
from designloop.tables.ledger_reading import all_runs
from designloop.tables.ledger_records import (
    Finished,
    Intent,
    LedgerResult,
    Purpose,
    Run,
    StoredValue,
    read_value,
    value_columns,
)
from designloop.tables.ledger_rows import (
    RUN_COLUMNS,
    OutcomeColumns,
    add_checksums,
    check_ledger,
    seal,
    seal_run,
    sealed_rows,
)

_COLUMNS = ", ".join(RUN_COLUMNS)

_KNOWN = f"""
SELECT {_COLUMNS}, checksum FROM runs
WHERE oracle = ? AND smiles IN (SELECT value FROM json_each(?)) ORDER BY smiles, asker, number
"""

_INSERT_INTENT = "INSERT INTO runs (oracle, smiles, asker, number, attempt, checksum) VALUES (?, ?, ?, ?, ?, ?)"

_RECORD = """
UPDATE runs SET attempt = ?, status = ?, value = ?, outputs = ?, error = ?, seconds = ?, finished = ?, checksum = ?
WHERE oracle = ? AND smiles = ? AND asker = ? AND number = ?
"""


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
        self._lock = lock_ledger(path, campaign) if path else None
        try:
            self._connection = connect_for_writing(path) if path else connect_in_memory()
            self._oracles: dict[str, int] = {}
            self._accounts: dict[Purpose, int] = {}
            self._take_in()
        except BaseException:
            if self._lock is not None:
                self._lock.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the file and give the lock back; twice does no harm."""
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def _take_in(self) -> None:
        """Check every row, once those of schema 1 have checksums."""
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

    def known(
        self,
        fingerprint: str,
        smiles: Sequence[str],
        purpose: Purpose = "round",
        *,
        failures_settle: bool = True,
        is_enough: Callable[[StoredValue | None], bool] = lambda value: True,
    ) -> dict[str, LedgerResult]:
        """Molecule -> result, for those of ``smiles`` whose key is settled; the campaign's own result before another's.

        A check that failed settles nothing: the next check of that molecule runs the oracle again.

        Args:
            failures_settle: whether the campaign's own failures are the last word, as they are but for a retry.
            is_enough: whether an ok run's value has all that is wanted; one that lacks some settles nothing.
        """
        with readable_errors(self.path):
            oracle, own_account = self._oracle_id(fingerprint), self._account_id(purpose)
            rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall() if oracle else []
        good: dict[str, LedgerResult] = {}
        last_own: dict[str, LedgerResult | None] = {}
        with readable_errors(self.path):
            for *row, checksum in rows:
                _, molecule, account, _, attempt, status, value, outputs, error, seconds, _ = row
                result = None  # of an intent, and of a damaged row, after which an earlier failure is no last word
                if status and seal(row) == checksum:
                    result = LedgerResult(status, read_value(value, outputs), error, seconds, attempt)
                if result is not None and result.status == "ok":
                    if is_enough(result.value):
                        good.setdefault(molecule, result)
                    else:
                        result = None
                if account == own_account and purpose == "round" and failures_settle:
                    last_own[molecule] = result if attempt else None  # one that counts as no attempt is followed
        return good | {molecule: result for molecule, result in last_own.items() if result is not None}

    def last_words(self, fingerprint: str, smiles: Sequence[str]) -> dict[str, LedgerResult]:
        """Molecule -> result of the last run that ended, whoever asked for it and whatever became of it.

        It is how what a laboratory tells is read: a later value supersedes an earlier one, and so does a failure.
        """
        with readable_errors(self.path):
            oracle = self._oracle_id(fingerprint)
            rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall() if oracle else []
        last: dict[str, tuple[float, LedgerResult]] = {}
        with readable_errors(self.path):
            for _, molecule, _, _, attempt, status, value, outputs, error, seconds, finished in sealed_rows(rows):
                # Of runs that ended at the same time the one with the greater number is later.
                if status and (molecule not in last or finished >= last[molecule][0]):
                    result = LedgerResult(status, read_value(value, outputs), error, seconds, attempt)
                    last[molecule] = finished, result
        return {molecule: result for molecule, (_, result) in last.items()}

    def dates(self, fingerprint: str, smiles: Sequence[str], purpose: Purpose = "round") -> list[float]:
        """When each of these molecules, whose key is settled, was last run, in seconds since 1970 UTC; ascending."""
        with readable_errors(self.path):
            oracle, own_account = self._oracle_id(fingerprint), self._account_id(purpose)
            rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall()
        latest: dict[str, float] = {}
        for _, molecule, account, _, _, status, *_, finished in sealed_rows(rows):
            if status == "ok" or (status is not None and account == own_account):
                latest[molecule] = max(finished, latest.get(molecule, finished))
        return sorted(latest.values())

    def record_intents(
        self, wanted: Mapping[str, Sequence[str]], names: Mapping[str, str], purpose: Purpose = "round"
    ) -> list[Intent]:
        """Write an intent for each molecule wanted, in the order of ``wanted``, in one transaction.

        Args:
            wanted: oracle fingerprint -> distinct molecules to run it on.
            names: oracle fingerprint -> the oracle's name, for people.
            purpose: on whose account they run.
        """
        intents: list[Intent] = []
        with readable_errors(self.path), self._transaction():
            account = self._account_id(purpose, create=True)
            for fingerprint, smiles in wanted.items():
                oracle = self._oracle_id(fingerprint, names[fingerprint])
                rows = self._connection.execute(_KNOWN, (oracle, json.dumps(list(smiles)))).fetchall()
                taken = {(row[1], row[3]) for row in rows if row[2] == account}
                last = {
                    row[1]: (row[3], row[4] if row[5] is None else 1) for row in sealed_rows(rows) if row[2] == account
                }
                for molecule in smiles:
                    before, attempt = last.get(molecule, (0, 1))
                    # A damaged row is not counted, but has its number.
                    number = next(n for n in itertools.count(before + 1) if (molecule, n) not in taken)
                    intents.append(Intent(fingerprint, molecule, number, attempt))
            self._insert(intents, account)
        return intents

    def record(self, runs: Iterable[Finished], purpose: Purpose = "round") -> None:
        """Write the outcomes of intents, and the intents that follow from them, in one transaction."""
        runs = list(runs)
        now = time.time()
        with readable_errors(self.path), self._transaction():
            account = self._account_id(purpose, create=True)
            rows = []
            for run in runs:
                key = (self._oracle_id(run.intent.fingerprint), run.intent.smiles, account, run.intent.number)
                outcome = OutcomeColumns(run.status, *value_columns(run.value), run.error, run.seconds, now)
                rows.append((run.attempt, *outcome, seal_run(key, run.attempt, outcome), *key))
            self._connection.executemany(_RECORD, rows)
            self._insert([run.again for run in runs if run.again is not None], account)

    def seconds(self, fingerprint: str, most: int = 100) -> list[float]:
        """Seconds of some of the oracle's ok runs, at most ``most``: what the first deadline goes by."""
        query = f"SELECT {_COLUMNS}, checksum FROM runs WHERE oracle = ? AND status = 'ok' LIMIT ?"
        with readable_errors(self.path):
            rows = self._connection.execute(query, (self._oracle_id(fingerprint), most)).fetchall()
        return [row[RUN_COLUMNS.index("seconds")] for row in sealed_rows(rows)]

    def runs(self) -> list[Run]:
        """All runs, in the order of ``read_runs``."""
        with readable_errors(self.path):
            return all_runs(self._connection)

    def _insert(self, intents: Sequence[Intent], account: int) -> None:
        rows = []
        for intent in intents:
            key = (self._oracle_id(intent.fingerprint), intent.smiles, account, intent.number)
            rows.append((*key, intent.attempt, seal_run(key, intent.attempt)))
        self._connection.executemany(_INSERT_INTENT, rows)
        self._connection.execute("UPDATE totals SET runs = runs + ?", (len(rows),))

    def _oracle_id(self, fingerprint: str, name: str | None = None) -> int:
        """Return the id of the oracle's row, made where it is missing and a name is given; 0 stands for none."""
        if fingerprint not in self._oracles:
            query = "SELECT id FROM oracles WHERE fingerprint = ?"
            row = self._connection.execute(query, (fingerprint,)).fetchone()
            if row is None:
                if name is None:
                    return 0
                row = self._add("oracles", (fingerprint, name))
            self._oracles[fingerprint] = row[0]
        return self._oracles[fingerprint]

    def _account_id(self, purpose: Purpose, create: bool = False) -> int:
        """Return the id of this campaign's account, a row of ``askers``, made if ``create``; 0 stands for none."""
        if purpose not in self._accounts:
            key = (self.campaign, purpose)
            row = self._connection.execute("SELECT id FROM askers WHERE campaign = ? AND purpose = ?", key).fetchone()
            if row is None:
                if not create:
                    return 0
                row = self._add("askers", key)
            self._accounts[purpose] = row[0]
        return self._accounts[purpose]

    def _add(self, table: Literal["oracles", "askers"], row: tuple[str, str]) -> tuple[int]:
        """Add a row to one of the two small tables, and return its id, alone in a tuple."""
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
            self._accounts.clear()
            with contextlib.suppress(sqlite3.Error):  # the error that led here is the one to tell
                self._connection.execute("ROLLBACK")
            raise
