"""Locks of campaigns' folders and of ledgers, where the file system refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from designloop.exit_codes import BAD_INPUT, RESUMABLE, exit_code
from designloop.tables import lock
from designloop.tables.durable import disk_errors
from designloop.tables.ledger_file import lock_ledger


def of_folder(path: Path) -> lock.ProcessLock:
    with disk_errors(f"{path} cannot be written to"):
        return lock.lock_folder(path)


def of_ledger(path: Path) -> lock.ProcessLock:
    return lock_ledger(path / "demo.ledger.sqlite", "demo")


@pytest.mark.parametrize("take", [of_folder, of_ledger])
@pytest.mark.parametrize(
    ("where", "code", "message", "expected"),
    [
        ("fcntl.lockf", errno.ENOLCK, "its file system has no locks.* a local disk", BAD_INPUT),
        ("fcntl.lockf", errno.EOPNOTSUPP, "its file system has no locks.* a local disk", BAD_INPUT),
        ("os.open", errno.EACCES, "cannot be written", BAD_INPUT),
        ("os.pwrite", errno.ENOSPC, "cannot be written.* has room, then give the same command again", RESUMABLE),
    ],
)
def test_what_the_file_system_refuses_is_told_and_holds_no_lock(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[[Path], lock.ProcessLock],
    where: str,
    code: int,
    message: str,
    expected: int,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(f"designloop.tables.lock.{where}", refuse)
        with pytest.raises((ValueError, RuntimeError), match=message) as refused:
            take(tmp_path)
    assert exit_code(refused.value) == expected
    taken = take(tmp_path)
    assert taken.held
    taken.close()
    assert not taken.held
