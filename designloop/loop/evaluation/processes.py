"""Processes of this machine, as the kernel tells of them in /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

_PARENT, _BORN = 1, 19
"""Places in /proc/PID/stat, after the process's name."""


def family(pid: int) -> set[int]:
    """Lists a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _status(int(entry.name))):
            children.setdefault(int(status[_PARENT]), []).append(int(entry.name))
    members, unvisited = {pid}, [pid]
    while unvisited:
        born = children.get(unvisited.pop(), [])
        members.update(born)
        unvisited += born
    return members


def with_word(word: str, pids: Iterable[int]) -> set[int]:
    """Those of some processes that were started with a word somewhere on their command line."""
    return {pid for pid in pids if os.fsencode(word) in _command(pid)}


def birthdays(pids: Iterable[int]) -> dict[int, str]:
    """When each of these processes that is alive was started: a number may be another process's later."""
    return {pid: status[_BORN] for pid in pids if (status := _status(pid))}


def kill_survivors(births: Mapping[int, str]) -> None:
    """Kills those of some processes that are still alive."""
    for pid, born in birthdays(births).items():
        if born == births[pid]:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)


def name_of(pid: int) -> str | None:
    """The name of a process's program, as far as the kernel keeps it; None of one that has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return b""


def _status(pid: int) -> list[str]:
    """What the kernel tells of a process, after its name; nothing of one that has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()  # the name, in parentheses, may hold anything
