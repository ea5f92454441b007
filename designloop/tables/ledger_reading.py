"""Reading a ledger: all that it holds, also while a campaign writes to it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from designloop.tables.ledger_file import LedgerError, connect_for_reading, has_checksums, is_blank, readable_errors
from designloop.tables.ledger_records import Run, StoredLedger, read_value
from designloop.tables.ledger_rows import RUN_COLUMNS, check_ledger, sealed_rows


def read_ledger(path: Path) -> StoredLedger:
    """Read all runs of a ledger, also while a campaign writes to it.

    Raises:
        LedgerError: there is no such file, it is no ledger that this version can read, or it is damaged as a whole.
    """
    with contextlib.closing(connect_for_reading(path)) as connection, readable_errors(path):
        connection.execute("BEGIN")  # one moment of a ledger that is written to
        if is_blank(connection):
            return StoredLedger([], [f"the ledger {path} is empty: it holds no run yet, or has lost them all"])
        remarks = check_ledger(connection, path)
        return StoredLedger(all_runs(connection), remarks)


def damage_in(path: Path) -> list[str]:
    """Say what is damaged in a ledger, a sentence each, also where it cannot be used at all."""
    try:
        with contextlib.closing(connect_for_reading(path)) as connection, readable_errors(path):
            connection.execute("BEGIN")
            return [] if is_blank(connection) else check_ledger(connection, path)
    except LedgerError as damage:
        return [str(damage)]


def read_runs(path: Path) -> list[Run]:
    """Read the runs alone, as ``read_ledger`` has them."""
    return list(read_ledger(path).runs)


def all_runs(connection: sqlite3.Connection) -> list[Run]:
    """Read all runs that can be trusted; in a ledger of schema 1, which has no checksums, all runs."""
    oracles = {row[0]: row[1:3] for row in connection.execute("SELECT id, name, fingerprint FROM oracles")}
    accounts = {row[0]: row[1:3] for row in connection.execute("SELECT id, campaign, purpose FROM askers")}
    sealed = has_checksums(connection)
    columns = ", ".join([*RUN_COLUMNS, "checksum"] if sealed else RUN_COLUMNS)
    rows = connection.execute(f"SELECT {columns} FROM runs ORDER BY oracle, smiles, asker, number").fetchall()
    runs = []
    for row in sealed_rows(rows) if sealed else rows:
        oracle, smiles, account, number, attempt, status, value, outputs, error, seconds, finished = row
        campaign, purpose = accounts[account]
        name, fingerprint = oracles[oracle]
        answer = read_value(value, outputs)
        runs.append(
            Run(campaign, purpose, name, fingerprint, smiles, number, attempt, status, answer, error, seconds, finished)
        )
    return runs
