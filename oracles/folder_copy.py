"""A copy of the folder that a user's oracle file lies in: where this process imports the file.

What an import writes beside the file, byte code of its helpers included, is then nowhere in the user's own folder.
Workers need no such copy: they write what travels into a folder of their own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from pathlib import Path

from designloop.oracles.errors import OracleError
from designloop.oracles.own_files import worker_folder
from designloop.paths import real

MOST_ENTRIES = 1000
"""Files and folders that are copied; further ones are links. Those nearest to the oracle's file come first."""

LARGEST_BYTES = 2**20
"""A larger file is a link: a model is read, and seldom written, when a file is imported."""


def copy_folder(path: Path, source: bytes) -> Path:
    """Copies what lies beside a file, and gives the copy of the file, whose content is ``source``.

    Large files, hidden folders, links to folders, and what is left once there are many, are links to the user's own.

    Raises:
        OracleError: the copy cannot be written.
    """
    try:
        top = real(tempfile.mkdtemp(prefix="import-", dir=worker_folder()))
        _copy_beside(path.absolute(), top)
        (top / path.name).write_bytes(source)
    except OSError as error:
        raise OracleError(
            f"{path.parent} cannot be copied to where its files are imported: {error}; set TMPDIR to a folder with room"
        ) from error
    return top / path.name


def _copy_beside(path: Path, top: Path) -> None:
    """Copies what lies beside a file into a folder that is there."""
    waiting = deque([(path.parent, top)])
    count = 0
    while waiting:
        original, copy = waiting.popleft()
        for entry in sorted(original.iterdir()):
            count += 1
            place = copy / entry.name
            if entry.name == "__pycache__" or entry == path or real(entry) == top.parent:
                continue  # the last: where copies lie is itself below the folder, and would be copied without end
            if count > MOST_ENTRIES:
                place.symlink_to(entry)
            elif _is_own_folder(entry):
                place.mkdir()
                waiting.append((entry, place))
            elif not _copy_small(entry, place):
                place.symlink_to(entry)


def remove_copy(folder: Path, owner: int) -> None:
    """Removes such a folder, unless this process is a fork of the one that made it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _is_own_folder(entry: Path) -> bool:
    """Whether it is a folder to go into."""
    is_plain = entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
    return is_plain and os.access(entry, os.R_OK | os.X_OK)


def _copy_small(entry: Path, place: Path) -> bool:
    """Copies a small file with its permissions, and says whether that is done; a pipe would never end."""
    try:
        if not entry.is_file() or entry.stat().st_size > LARGEST_BYTES or not os.access(entry, os.R_OK):
            return False
        shutil.copy2(entry, place)
    except FileNotFoundError:  # another process has just removed it, as SQLite does with its journals
        place.unlink(missing_ok=True)
    return True
