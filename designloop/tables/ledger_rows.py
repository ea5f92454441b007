"""What makes a row of the ledger trustworthy: it carries the checksum of its own columns, made before it is written.

A row whose checksum does not match is never used: it is as if that run had not been recorded, so the molecule is run
again where it is asked for, and whoever opens the ledger is told. The few rows of ``oracles`` and ``askers``, on which
all others hang, cannot be done without; damage to them, a row that vanished, or a broken B-tree refuses the whole file.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from designloop.tables.ledger_file import RESTORE, LedgerError, has_checksums

RUN_COLUMNS = tuple("oracle smiles asker number attempt status value outputs error seconds finished".split())
"""Columns of ``runs`` that its checksum covers, in the order in which it does."""

_OTHERS = {"oracles": ("id", "fingerprint", "name"), "askers": ("id", "campaign", "purpose")}

_encode = json.JSONEncoder(default=repr).encode  # made once: `json.dumps` makes one a call


def seal(row: Sequence[Any]) -> str:
    """Sixteen hex digits of a row's columns; numbers count bit by bit, and as what their kind is in the file."""
    text = _encode([value.hex() if isinstance(value, float) else value for value in row])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def seal_run(
    key: tuple[int, str, int, int],
    attempt: int,
    status: str | None = None,
    value: float | None = None,
    outputs: str | None = None,
    error: str | None = None,
    seconds: float | None = None,
    finished: float | None = None,
) -> str:
    """The checksum of a run that is about to be written; without more than an attempt, of an intent."""
    # SQLite keeps a NaN as null.
    reals = [None if one is None or math.isnan(one) else float(one) for one in (value, seconds, finished)]
    return seal((*key, attempt, status, reals[0], outputs, error, *reals[1:]))


def check_ledger(connection: sqlite3.Connection, path: Path) -> list[str]:
    """A sentence on the runs that do not match their checksums; none where all do. Every row is read.

    Raises:
        LedgerError: the file is damaged in a way that leaves its runs without meaning, or some of them vanished.
    """
    if (broken := str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])) != "ok":
        raise LedgerError(f"The ledger {path} is damaged ({' '.join(broken.split())}). {RESTORE}")
    orphans = (
        "SELECT count(*) FROM runs WHERE oracle NOT IN (SELECT id FROM oracles) OR asker NOT IN (SELECT id FROM askers)"
    )
    if lost := connection.execute(orphans).fetchone()[0]:
        raise LedgerError(f"The ledger {path} is damaged: it does not say whose {lost:,} of its runs are. {RESTORE}")
    if not has_checksums(connection):
        return []
    for table, columns in _OTHERS.items():
        for *row, checksum in connection.execute(f"SELECT {', '.join(columns)}, checksum FROM {table}"):
            if seal(row) != checksum:
                raise LedgerError(
                    f"The ledger {path} is damaged: the row {row[0]} of its table {table} does not match its checksum, "
                    f"and runs depend on it. {RESTORE}"
                )
    rows, damaged = 0, []
    for *row, checksum in connection.execute(f"SELECT {', '.join(RUN_COLUMNS)}, checksum FROM runs"):
        rows += 1
        if seal(row) != checksum:
            damaged.append(str(row[1]))
    expected = connection.execute("SELECT runs FROM totals").fetchall()
    if expected != [(rows,)]:
        found = f"{rows:,} runs, expected {expected[0][0]:,}" if expected else f"{rows:,} runs and no count of them"
        raise LedgerError(f"The ledger {path} is damaged: found {found}. {RESTORE}")
    if not damaged:
        return []
    shown = ", ".join(ascii(molecule)[1:-1] for molecule in damaged[:3]) + (", …" if len(damaged) > 3 else "")
    return [
        f"{len(damaged):,} of {rows:,} runs in the ledger {path} do not match their checksums and are not used: those "
        f"of {shown}. Where these molecules are asked for they are run again"
    ]


def sealed_rows(rows: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """Those of some rows, each ``RUN_COLUMNS`` and then the checksum, that match it; without it."""
    for *row, checksum in rows:
        if seal(row) == checksum:
            yield tuple(row)


def add_checksums(connection: sqlite3.Connection) -> None:
    """Takes a ledger of schema 1, whose rows had none, into schema 2: what it holds then is taken to be right."""
    for table, columns in (*_OTHERS.items(), ("runs", RUN_COLUMNS)):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum TEXT")
        key = columns[:1] if table != "runs" else columns[:4]
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
        where = " AND ".join(f"{name} = ?" for name in key)
        connection.executemany(
            f"UPDATE {table} SET checksum = ? WHERE {where}", [(seal(row), *row[: len(key)]) for row in rows]
        )
    connection.execute("CREATE TABLE totals (id INTEGER PRIMARY KEY CHECK (id = 1), runs INTEGER NOT NULL) STRICT")
    connection.execute("INSERT INTO totals VALUES (1, (SELECT count(*) FROM runs))")
