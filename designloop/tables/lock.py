"""One writer a campaign folder: an fcntl lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from pathlib import Path

from designloop.tables.errors import TableBusy

_held: weakref.WeakValueDictionary[str, FolderLock] = weakref.WeakValueDictionary()
"""Locks of this process by folder: a POSIX lock does not keep a process out of its own files."""


class FolderLock:
    """The right to write to a campaign's folder, until ``close`` or the end of the process.

    A POSIX lock and not ``flock``: a child that outlives a killed driver must not keep the campaign locked.
    """

    def __init__(self, folder: Path) -> None:
        """Takes the lock.

        Raises:
            TableBusy: another process, or another open table in this one, has it.
        """
        self._key = os.path.realpath(folder)
        self._descriptor = -1
        if self._key in _held:
            raise TableBusy(f"{folder} is open for writing in this process already. Close that table first.")
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as taken:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise TableBusy(
                f"{folder} is being written to by {holder}. Wait until it has ended (or stop it), "
                "then give the same command again."
            ) from taken
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self._descriptor = descriptor
        _held[self._key] = self

    @property
    def held(self) -> bool:
        """Whether it has not been given back."""
        return self._descriptor >= 0

    def close(self) -> None:
        """Gives the lock back; harmless when it has been."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            _held.pop(self._key, None)
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()
