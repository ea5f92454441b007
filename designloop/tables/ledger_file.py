"""The ledger as a file: its schema, its one writer, and errors that say what to do.

``synchronous=FULL`` in WAL mode: the log is fsynced at each commit, so a transaction that returned survives a power
cut. Readers need no lock and never wait for the writer.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from designloop.paths import exists, is_file, is_folder, real
from designloop.tables.durable import NO_ROOM, ROOM
from designloop.tables.lock import HeldElsewhere, HeldHere, NoLocks, ProcessLock

SCHEMA_VERSION = 2
"""Kept in the file as ``PRAGMA user_version``. In version 1 rows had no checksums; its files can be read, and are taken
into version 2 when they are opened for writing."""

APPLICATION_ID = 0x64736C67
"""``dslg`` in the file's header: tells our files from those of other programs."""

BUSY_MILLISECONDS = 10_000
"""How long to wait for SQLite's own short locks (a checkpoint, the recovery of a killed writer's log)."""

_SCHEMA = """
CREATE TABLE oracles (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    checksum TEXT  -- of the other columns, as in all three tables
) STRICT;
CREATE TABLE askers (
    id INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('round', 'check')),
    checksum TEXT,
    UNIQUE (campaign, purpose)
) STRICT;
CREATE TABLE runs (
    oracle INTEGER NOT NULL REFERENCES oracles,
    smiles TEXT NOT NULL,
    asker INTEGER NOT NULL REFERENCES askers,
    number INTEGER NOT NULL,  -- 1, 2, ... within oracle, molecule and asker
    attempt INTEGER NOT NULL,  -- what it counts as against the retries; 0: as none
    status TEXT CHECK (status IN ('ok', 'failed', 'timeout')),  -- null: intended, no outcome
    value REAL,  -- of an oracle that gives one number
    outputs TEXT,  -- of one with named outputs: JSON, name -> number, or why it has none
    error TEXT,
    seconds REAL,
    finished REAL,  -- seconds since 1970 UTC
    checksum TEXT,
    PRIMARY KEY (oracle, smiles, asker, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    runs INTEGER NOT NULL  -- rows of runs: one that vanished has no checksum to tell of it
) STRICT;
INSERT INTO totals VALUES (1, 0);
"""


RESTORE = (
    "Restore it from a backup, or name another file under `ledger:` in the campaign file (what only this one knows is "
    "then run again)."
)


class LedgerError(RuntimeError):
    """The ledger cannot be opened, read or written; the message ends in what to do."""


class LedgerDiskError(LedgerError):
    """The disk took no more, or failed; the campaign goes on when there is room."""


class LedgerBusy(LedgerError):
    """Another campaign, or another program, has this ledger now; the same command works when it has ended."""


def lock_ledger(ledger: Path, campaign: str) -> ProcessLock:
    """Takes the right to write to a ledger, and says in its lock file which campaign has it.

    It is on a file beside the ledger: closing any descriptor of the ledger itself would drop SQLite's own locks.

    Raises:
        LedgerBusy: another process, or another Ledger of this one, has it.
        LedgerError: the folder cannot be written or has no locks, or what lies there is no ledger.
    """
    _refuse_other(ledger)  # first: nothing is written beside what is not ours
    path = ledger.with_name(ledger.name + ".lock")
    claim = json.dumps({"campaign": campaign, "process": os.getpid(), "host": socket.gethostname()})
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        return ProcessLock(path, claim.encode())
    except HeldHere:
        raise LedgerBusy(f"{ledger} is open for writing in this process already. Close that campaign first.") from None
    except HeldElsewhere as taken:
        raise LedgerBusy(
            f"{ledger} is being written by {_describe_holder(taken.holder)}. Wait until that campaign has ended, or "
            "stop it; or give this campaign a ledger of its own under `ledger:`."
        ) from taken
    except NoLocks as error:
        raise LedgerError(
            f"{path} cannot be locked ({error.strerror}): its file system has no locks. Name a file on "
            "a local disk under `ledger:` in the campaign file."
        ) from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise LedgerDiskError(f"{path} cannot be written ({error.strerror}). {ROOM}") from error
        raise LedgerError(
            f"{path} cannot be written ({error.strerror}). Make the folder writable, or name another file "
            "under `ledger:` in the campaign file."
        ) from error


def _refuse_other(path: Path) -> None:
    """Raises LedgerError where a folder, a file of another program or one without right to read lies."""
    if is_folder(path):
        raise LedgerError(f"{path} is a folder, expected a file. Name a file under `ledger:` in the campaign file.")
    if not exists(path) or path.stat().st_size == 0:
        return
    # Asked through SQLite, which keeps its own locks on the file; opened and closed by hand it would lose them.
    with readable_errors(path):
        connection = sqlite3.connect(real(path).as_uri() + "?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            if not is_blank(connection):
                _refuse_foreign(connection, path)
        finally:
            connection.close()


def is_blank(connection: sqlite3.Connection) -> bool:
    """Say whether the file is still without tables: its creation goes on, or was killed."""
    return _pragma(connection, "schema_version") == 0 and _pragma(connection, "application_id") == 0


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """Connect to the ledger, which is made when it is not there; the caller has its lock."""
    with readable_errors(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            if is_blank(connection):
                connection.execute("PRAGMA journal_mode = WAL")
                _create(connection)
            _refuse_foreign(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _read_any_text(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """Connect without the right to write, to a ledger that a campaign may be writing to.

    Raises:
        LedgerError: there is none, or the file is another program's, damaged as a whole, or of a newer schema.
    """
    if not is_file(path):
        raise LedgerError(
            f"There is no ledger at {path}. Run the campaign first; if it has run, put the ledger back where it was."
        )
    with readable_errors(path):
        address = real(path).as_uri() + "?mode=ro"
        if not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists():
            address += "&immutable=1"  # read-only media: no one writes, and SQLite could not make its shared memory
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            if not is_blank(connection):
                _refuse_foreign(connection, path)
            _read_any_text(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def has_checksums(connection: sqlite3.Connection) -> bool:
    """Say whether rows carry checksums, as they do since schema 2; the rows decide, not the number in the header."""
    return [column for column in connection.execute("PRAGMA table_info(runs)") if column[1] == "checksum"] != []


def is_first_schema(connection: sqlite3.Connection) -> bool:
    """Whether the file is of schema 1 by its header and by its rows."""
    return _pragma(connection, "user_version") == 1 and not has_checksums(connection)


def set_version(connection: sqlite3.Connection) -> None:
    """Marks the file as one of the schema that this version writes."""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _read_any_text(connection: sqlite3.Connection) -> None:
    """Let text be read that is not UTF-8: its row's checksum tells of it, where an error would lose the other rows."""
    connection.text_factory = lambda content: content.decode("utf-8", "surrogateescape")


def connect_in_memory() -> sqlite3.Connection:
    """Make a ledger that no file keeps."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _create(connection)
    return connection


@contextlib.contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into LedgerError, each with what to do about it."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        kinds: dict[str, type[LedgerError]] = {"SQLITE_FULL": LedgerDiskError, "SQLITE_IOERR": LedgerDiskError}
        kinds |= {"SQLITE_BUSY": LedgerBusy, "SQLITE_LOCKED": LedgerBusy}
        kind = kinds.get(_name_of(error), LedgerError)
        raise kind(f"The ledger {path} cannot be used: {error}. {_advice(error)}") from error
    except json.JSONDecodeError as error:  # of a ledger of schema 1, whose rows had no checksums
        raise LedgerError(f"The ledger {path} is damaged: outputs of a run are no JSON ({error}). {RESTORE}") from error


def _name_of(error: sqlite3.DatabaseError) -> str:
    """The primary name of an SQLite error: SQLITE_READONLY_DIRECTORY is a kind of SQLITE_READONLY."""
    return "_".join((getattr(error, "sqlite_errorname", None) or "").split("_")[:2])


def _advice(error: sqlite3.DatabaseError) -> str:
    match _name_of(error):
        case "SQLITE_NOTADB":
            return "It is not an SQLite file. Name another file under `ledger:` in the campaign file."
        case "SQLITE_CORRUPT" | "SQLITE_ERROR" | "SQLITE_FORMAT" | "SQLITE_MISMATCH":  # also a table that is gone
            return (
                "It is damaged. Restore it from a backup, save what is left with `sqlite3 FILE .recover`, or move it "
                "away: a new one is begun, and what only this one knew is run again."
            )
        case "SQLITE_FULL" | "SQLITE_IOERR":
            return "See that the disk has space and works, and run the same command again; nothing recorded is lost."
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM":
            return "Make the file and its folder writable, or name another file under `ledger:`."
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "Another program holds it. Close that program and run the same command again."
        case _:
            return "Run the same command again; nothing recorded is lost."


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables and the two numbers in the header in one transaction: a killed creation leaves an empty file."""
    connection.executescript(
        f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; {_SCHEMA} COMMIT;"
    )


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise LedgerError(
            f"{path} is an SQLite file, but no designloop ledger. It was left as it is; name another file under "
            "`ledger:` in the campaign file."
        )
    if (version := _pragma(connection, "user_version")) > SCHEMA_VERSION:
        raise LedgerError(
            f"{path} was written by a newer designloop (ledger schema {version}; this one knows up to "
            f"{SCHEMA_VERSION}). Upgrade designloop, or name another file under `ledger:`."
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _describe_holder(claim: bytes) -> str:
    """Names the writer for a person; one that has only just begun has not said yet who it is."""
    try:
        holder = json.loads(claim)
        return f"campaign {holder['campaign']} (process {holder['process']} on {holder['host']})"
    except (ValueError, KeyError, TypeError):
        return "another campaign"
