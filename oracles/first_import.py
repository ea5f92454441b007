"""A user's oracle file, imported by a process of its own, which it may kill, hang or turn upside down.

The driver never imports such a file: it asks that process what it has to know (``import_child`` is what runs there).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from designloop.oracles.errors import OracleError, ParameterError, ParameterProblem
from designloop.oracles.folder_copy import copy_folder, remove_copy
from designloop.oracles.import_child import CUT_OFF

IMPORT_SECONDS = 120.0
"""How long the import of an oracle's file may take."""

_GRACE_SECONDS = 5.0
"""What the process has on top, to tell where it was and end by itself."""

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from designloop.oracles.import_child import main
main()
"""

_TIMED_OUT = "Timeout ("
"""What faulthandler's report of a time-out begins with."""

_deadly: dict[tuple[Path, bytes, float], str] = {}
"""(file, its bytes, seconds) -> how it ends or blocks the process that imports it: nobody waits for it twice."""

_shared: ContextVar[dict[tuple[Path, bytes], FileProcess] | None] = ContextVar("_shared", default=None)
"""The processes of files that are imported already, while ``shared_processes`` lasts."""


@contextlib.contextmanager
def shared_processes() -> Iterator[None]:
    """While this lasts a file is imported by one process, whatever is asked of it; files must not change meanwhile."""
    processes: dict[tuple[Path, bytes], FileProcess] = {}
    token = _shared.set(processes)
    try:
        yield
    finally:
        _shared.reset(token)
        for process in processes.values():
            process.close()


def ask(path: Path, source: bytes, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what the process that imports a file says: ``facts`` or ``card``, as JSON.

    Args:
        path: the file.
        source: its bytes.
        request: ``reference``, ``place``, ``attribute`` and ``params``; a card where there are no params.
    Raises:
        ParameterError: All wrong parameters together.
        OracleError: The file ends its process, takes longer than ``IMPORT_SECONDS``, raises, or lacks the name.
    """
    if deadly := _deadly.get((path, source, IMPORT_SECONDS)):
        raise OracleError(deadly)
    processes = _shared.get()
    if processes is None:
        with contextlib.closing(FileProcess(path, source)) as process:
            return process.ask(request)
    if (path, source) not in processes:
        processes[path, source] = FileProcess(path, source)
    return processes[path, source].ask(request)


class FileProcess:
    """A process that imports a file in a copy of its folder, and answers what is asked of it."""

    def __init__(self, path: Path, source: bytes) -> None:
        """Starts the process and waits until the file is imported.

        Raises:
            OracleError: It cannot be.
        """
        self._path, self._source, self._seconds = path, source, IMPORT_SECONDS
        self._copy = copy_folder(path, source)
        self._buffer = b""
        self._socket, theirs = socket.socketpair()
        with theirs:
            number = str(theirs.fileno())
            arguments = (json.dumps(sys.path), number, str(self._seconds), str(path), str(self._copy))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,  # one that asks for something would wait for the user of the whole program
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=self._copy.parent,
                start_new_session=True,
            )
        self._error = ""
        try:
            self._error = self._receive(self._seconds + _GRACE_SECONDS).get("error", "")
        except OracleError as error:
            self._error = _deadly[path, source, self._seconds] = str(error)
        except BaseException:
            self.close()
            raise
        if self._error:
            self.close()

    def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the answer; see ``ask`` of this module."""
        if self._error:
            raise OracleError(self._error)
        with contextlib.suppress(OSError):  # where it has ended, what is received says how
            self._socket.sendall(json.dumps(dict(request)).encode() + b"\n")
        answer = self._receive(self._seconds + _GRACE_SECONDS)
        if problems := answer.get("problems"):
            raise ParameterError(answer["oracle"], [ParameterProblem(**problem) for problem in problems])
        if error := answer.get("error"):
            raise OracleError(error)
        return answer

    def close(self) -> None:
        """Ends the process with all that it has started, and removes the copy of the folder."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        remove_copy(self._copy.parent, os.getpid())

    def _receive(self, seconds: float) -> dict[str, Any]:
        """Returns the next line that the process says.

        Raises:
            OracleError: It ended or was silent, and how.
        """
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer or not self._buffer.startswith(b"{"):
            has_ended = self._process.poll() is not None
            self._socket.settimeout(0.1)
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                # A program that it has started may hold the socket open after its end.
                if has_ended or time.monotonic() > deadline:
                    break
                continue
            except ConnectionError:
                break
            if not data:
                break
            self._buffer += data
        else:
            line, _, self._buffer = self._buffer.partition(b"\n")
            answer: dict[str, Any] = json.loads(line)
            return answer
        raise OracleError(self._end())

    def _end(self) -> str:
        """Returns how the process ended, or that it has to be ended."""
        try:
            code = self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        report = self._buffer.decode(errors="replace")
        place = f"{self._path}:{_line(report, self._path)}"
        if code == CUT_OFF:
            return f"{place}: the file closes descriptors that it has not opened; let it close its own ones only"
        if code is None or report.startswith(_TIMED_OUT):
            return (
                f"{place}: the file is still being imported after {self._seconds:g} s; do at its top only what is "
                "quick, and the rest when the oracle is called, or when its class is made"
            )
        name = f" ({signal.Signals(-code).name})" if -code in set(signal.Signals) else ""
        ended = f"is killed by signal {-code}{name}" if code < 0 else f"exits with code {code}"
        return f"{place}: the process that imports the file {ended}; take out of the file's top what ends its process"


def _line(report: str, path: Path) -> str:
    """The line of the file in which faulthandler's report found it, if there is a report."""
    match = re.search(rf'File "{re.escape(str(path))}", line (\d+)', report)
    return match[1] if match else "?"
