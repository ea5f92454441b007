"""A folder for the files of a Ray: no other user can enter it, its name is short, and it does not stay."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from designloop.loop.evaluation.errors import NoWorkers

LONGEST_SOCKET = 107
"""Bytes that the path of a Unix socket may have on Linux."""

_BELOW = "/designloop-12345678/r/session_2026-01-01_00-00-00_123456_1234567/sockets/plasma_store"
"""What Ray's longest socket is called below the folder for temporary files; the last number is a process id."""

_LOCK = "lock"
"""The file that is locked as long as the process lives that made the folder."""

_YOUNG_SECONDS = 60.0
"""A folder that is younger may not have its lock yet."""

_REMOVALS = 20
"""How often it is tried to remove it."""

_LOGGER = logging.getLogger("designloop")


class RayFolder:
    """A new folder of mode 0700, with room for the paths of Ray's sockets below it."""

    def __init__(self) -> None:
        """Makes it where ``RAY_TMPDIR`` or ``TMPDIR`` says, or where there is a shorter path.

        Raises:
            NoWorkers: it can be made nowhere.
        """
        self.path = _make()
        self._lock = os.open(self.path / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        _remove_orphans(self.path.parent)

    def remove(self) -> None:
        """Removes it; a process of Ray that is about to end may write a last line into it meanwhile."""
        for _ in range(_REMOVALS):
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                break
            time.sleep(0.1)
        else:
            _LOGGER.warning("the folder of Ray's files, %s, could not be removed; remove it by hand", self.path)
        os.close(self._lock)


def _make() -> Path:
    chosen = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    tried = []
    for parent in (chosen, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
        if len(os.fsencode(parent)) + len(_BELOW) > LONGEST_SOCKET:
            tried.append(f"{parent} is too long")
            continue
        try:
            folder = Path(tempfile.mkdtemp(prefix="designloop-", dir=parent))  # of mode 0700
        except OSError as error:
            tried.append(f"{parent}: {error.strerror}")
            continue
        if tried:
            _LOGGER.info("Ray's files are in %s (%s)", folder, "; ".join(tried))
        return folder
    raise NoWorkers(
        f"There is no folder for Ray's sockets, whose paths may have {LONGEST_SOCKET} bytes ({'; '.join(tried)}). "
        "Set TMPDIR to a short folder that can be written, or run with --backend inline."
    )


def _remove_orphans(parent: Path) -> None:
    """Removes the folders of this user whose process was killed before it could."""
    for folder in parent.glob("designloop-????????"):
        with suppress(FileNotFoundError, BlockingIOError):  # another removes it meanwhile; its process lives
            status = folder.lstat()
            is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            if is_own and time.time() - status.st_mtime > _YOUNG_SECONDS:
                lock = os.open(folder / _LOCK, os.O_WRONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)
