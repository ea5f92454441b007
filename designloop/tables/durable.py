"""Files that survive a crash: written and fsynced, published by a rename, sealed with their own checksum.

Every write, fsync, rename and removal of a candidate table goes through this module and through its name ``os``, so
that a test can stop the world at each of them in turn.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designloop.tables.errors import DamagedFile, DiskError, TableError

SCHEMA_VERSION = 1
"""Version of the files' layout; a reader refuses what is newer than itself."""

TEMPORARY = ".tmp"
"""Suffix of a file that is not published yet."""

Piece = bytes | memoryview
"""Bytes to write."""

ROOM = "See that the disk works and has room, then give the same command again; what was paid for is kept."

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
"""Errors that are the disk's, and pass when it is mended: it is full, its quota is spent, it failed."""


@contextmanager
def disk_errors(what: str, advice: str = ROOM, *, all_are_the_disks: bool = False) -> Iterator[None]:
    """Turn the operating system's errors into ours: what could not be done, why, and what to do.

    Args:
        all_are_the_disks: what is written to was written to before, so whatever fails now is no mistake of the user's.
    Raises:
        DiskError: the disk is full or fails.
        TableError: the file or folder cannot be written for another reason.
    """
    try:
        yield
    except OSError as problem:
        if all_are_the_disks or problem.errno in NO_ROOM:
            raise DiskError(f"{what} ({problem}). {ROOM}") from problem
        raise TableError(f"{what} ({problem}). {advice}") from problem


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a manifest says of a file."""

    sha256: str
    size: int
    """Bytes."""

    @classmethod
    def of(cls, content: bytes) -> FileRecord:
        return cls(hashlib.sha256(content).hexdigest(), len(content))


def write_file(path: Path, pieces: Iterable[Piece]) -> FileRecord:
    """Write a file through to the disk and return its record; its name is durable only after ``sync_folder``."""
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        for piece in pieces:
            digest.update(piece)
            rest = memoryview(piece)
            size += len(rest)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return FileRecord(digest.hexdigest(), size)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: a created or renamed file is only then there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder durably, and those above it that are missing."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        os.mkdir(folder)  # noqa: PTH102
    except FileExistsError:
        if not folder.is_dir():
            raise
    sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Removes a file that may be gone already. Not synced: whoever finds it again removes it again."""
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return


def publish_json(path: Path, body: Mapping[str, Any]) -> None:
    """Puts a sealed JSON file in place as one atom: a reader, or a restart, sees the old file or the new one."""
    text = _encode(body)
    sealed = {"sha256": hashlib.sha256(text).hexdigest(), "schema_version": SCHEMA_VERSION, "body": body}
    temporary = path.with_name(path.name + TEMPORARY)
    write_file(temporary, [_encode(sealed, indent=1)])
    os.replace(temporary, path)  # noqa: PTH105
    sync_folder(path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """Read the body of a sealed JSON file.

    Raises:
        FileNotFoundError: there is none.
        DamagedFile: it cannot be read, is damaged, or was edited by hand.
        TableError: it is of a newer schema version.
    """
    try:
        sealed = json.loads(path.read_bytes())
        version, seal, body = sealed["schema_version"], sealed["sha256"], sealed["body"]
        sum_of_body = hashlib.sha256(_encode(body)).hexdigest()
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise DamagedFile(f"{path} cannot be read ({problem.strerror})", _RESTORE) from problem
    except (KeyError, TypeError, ValueError, RecursionError) as problem:
        raise DamagedFile(f"{path} is damaged ({type(problem).__name__}: {problem})", _RESTORE) from problem
    if version != SCHEMA_VERSION:
        raise TableError(
            f"{path} has schema version {version!r}; this designloop reads {SCHEMA_VERSION}. "
            "Use the release of designloop that wrote it, or a newer one."
        )
    if sum_of_body != seal or not isinstance(body, dict):
        what = f"{path} is damaged or was edited: its content does not match its own checksum"
        raise DamagedFile(what, _RESTORE)
    return body


_RESTORE = "Restore it from a backup, or start again with --fresh (the ledger keeps what was paid for)."


def _encode(value: Any, indent: int | None = None) -> bytes:
    """JSON as UTF-8; floats by ``repr``, so they come back bit for bit (NaN and infinities as Python writes them).

    A lone surrogate, as of a path whose bytes are no UTF-8, is escaped, which in JSON means the same.
    """
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")
