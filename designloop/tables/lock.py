"""One writer at a time: fcntl locks that die with their process, and the lock of a campaign's folder."""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from pathlib import Path

from designloop.tables.errors import TableBusy, TableError

_held: weakref.WeakValueDictionary[str, ProcessLock] = weakref.WeakValueDictionary()
"""Locks of this process by file: a POSIX lock does not keep a process out of its own files."""


class HeldHere(Exception):
    """The lock is held by this process already."""


class HeldElsewhere(Exception):
    """Another process has the lock; ``holder`` is what it wrote into the file, which may be nothing yet."""

    def __init__(self, holder: bytes) -> None:
        super().__init__(holder)
        self.holder = holder


class NoLocks(OSError):
    """The file system has no locks."""


class ProcessLock:
    """A lock on a file, until ``close`` or until the process ends, however it ends.

    A POSIX lock and not ``flock``: a child that outlives a killed driver must not keep what it locks. The file is never
    removed, because a lock on a removed file and one on its successor would both be granted.
    """

    def __init__(self, path: Path, holder: bytes) -> None:
        """Takes the lock, and writes into the file who has it.

        Raises:
            HeldHere: this process has it.
            HeldElsewhere: another process has it.
            NoLocks: the file's file system has none.
            OSError: the file cannot be written.
        """
        self._descriptor = -1
        self._key = os.path.realpath(path)
        if self._key in _held:
            raise HeldHere
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as taken:
                raise HeldElsewhere(os.pread(descriptor, 4096, 0)) from taken
            except OSError as problem:
                raise NoLocks(problem.errno, problem.strerror, str(path)) from problem
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder, 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _held[self._key] = self

    @property
    def held(self) -> bool:
        """Whether it has not been given back."""
        return self._descriptor >= 0

    def close(self) -> None:
        """Gives the lock back; harmless when it has been."""
        if self.held:
            descriptor, self._descriptor = self._descriptor, -1
            _held.pop(self._key, None)
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def lock_folder(folder: Path) -> ProcessLock:
    """Takes the right to write to a campaign's folder.

    Raises:
        TableBusy: another process, or another open table in this one, has it.
        TableError: its file system has no locks.
        OSError: it cannot be written to.
    """
    try:
        return ProcessLock(folder / ".lock", f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except HeldHere:
        raise TableBusy(f"{folder} is open for writing in this process already. Close that table first.") from None
    except HeldElsewhere as taken:
        holder = taken.holder.decode(errors="replace").strip() or "another process"
        raise TableBusy(
            f"{folder} is being written to by {holder}. Wait until it has ended (or stop it), "
            "then give the same command again."
        ) from taken
    except NoLocks as problem:
        raise TableError(
            f"{folder} cannot be locked ({problem.strerror}): its file system has no locks. "
            "Set `output:` to a folder on a local disk."
        ) from problem
