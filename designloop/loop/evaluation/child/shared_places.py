"""Making it likely that two processes get into each other's way, and noting where: what a check asks of a worker."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

MOST_PAUSES = 60
"""Of a request, for what leaves the process and for lines of the oracle's own code each."""

_MOST_NOTED = 20
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LEAVING = frozenset(
    "subprocess.Popen os.system os.exec os.posix_spawn os.spawn os.rename os.remove shutil.copyfile sqlite3.connect "
    "socket.connect".split()
)
"""Audit events, besides ``open``, after which another process may see what this one did."""


class SharedPlaces:
    """While a request is scored, waits a moment before each step that another process could disturb.

    Between two lines of the oracle's own code anything may have been written to a shared place, by whatever library;
    and before a file outside the private folder is opened, or a program started, something probably has.
    """

    def __init__(self, scratch: Path, pause: float) -> None:
        self._private = (f"{scratch}{os.sep}", "/dev/", "/proc/", "/sys/", sys.prefix, sys.base_prefix)
        self._own_code = f"{scratch}{os.sep}"
        self._pause = pause
        self._steps = self._lines = 0
        self._written: set[str] = set()
        self._on = False
        sys.addaudithook(self._audit)

    def begin(self) -> None:
        """A request begins."""
        self._steps = self._lines = MOST_PAUSES
        self._written.clear()
        self._on = True
        sys.settrace(self._trace)

    def end(self) -> list[str]:
        """The request has ended; the files outside the private folder that it opened for writing."""
        sys.settrace(None)
        self._on = False
        return sorted(self._written)[:_MOST_NOTED]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str | bytes | os.PathLike):
                return
            place = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - links are not to be followed, nor files opened
            if place.startswith(self._private) or place.endswith((".py", ".pyc")):
                return
            if isinstance(flags, int) and flags & _WRITING:
                self._written.add(place)
        elif event not in _LEAVING:
            return
        if self._steps > 0:
            self._steps -= 1
            time.sleep(self._pause)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """Of the calls of functions, follow those of the oracle's own files."""
        return self._line if event == "call" and frame.f_code.co_filename.startswith(self._own_code) else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and self._lines > 0:
            self._lines -= 1
            time.sleep(self._pause)
        return self._line
