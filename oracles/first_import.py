"""An oracle's code, imported by a process of its own, which it may kill, hang or turn upside down.

The driver imports neither a user's file nor a module that it has not imported already: it asks that process what it has
to know (``import_child`` is what runs there).
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
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designloop.oracles.errors import OracleError, ParameterError, ParameterProblem
from designloop.oracles.folder_copy import copy_folder, remove_copy
from designloop.oracles.import_child import CUT_OFF
from designloop.oracles.own_files import worker_folder

IMPORT_SECONDS = 120.0
"""How long the import of an oracle's code may take."""

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


@dataclass(frozen=True, slots=True)
class FileCode:
    """A user's own file."""

    path: Path
    source: bytes
    """Its bytes."""

    kind = "file"

    def prepare(self) -> tuple[Path, dict[str, str]]:
        """Makes the folder in which it is imported, a copy of its own, and says what the process has to know."""
        copy = copy_folder(self.path, self.source)
        return copy.parent, {"path": str(self.path), "copy": str(copy)}

    def place(self, report: str) -> str:
        """Where faulthandler's report, if there is one, found the file."""
        match = re.search(rf'File "{re.escape(str(self.path))}", line (\d+)', report)
        return f"{self.path}:{match[1] if match else '?'}"


@dataclass(frozen=True, slots=True)
class ModuleCode:
    """An installed module."""

    name: str
    folder: Path
    """The campaign file's."""
    fix: str
    """What to do where there is none; see ``installed.fix_for``."""

    kind = "module"

    def prepare(self) -> tuple[Path, dict[str, str]]:
        """Makes the folder in which it is imported, an empty one, and says what the process has to know."""
        empty = Path(tempfile.mkdtemp(prefix="import-", dir=worker_folder()))
        return empty, {"module": self.name, "folder": str(self.folder), "fix": self.fix}

    def place(self, report: str) -> str:
        """The module, with the line at which faulthandler's report, if there is one, found it at work."""
        match = re.search(r'File "([^"<]+)", line (\d+)', report)
        return f"{self.name} ({match[1]}:{match[2]})" if match else self.name


Code = FileCode | ModuleCode

_deadly: dict[tuple[FileCode, float], str] = {}
"""(file, seconds) -> how it ends or blocks the process that imports it: nobody waits for the same bytes twice."""

_shared: ContextVar[dict[Code, ImportProcess] | None] = ContextVar("_shared", default=None)
"""The processes of what is imported already, while ``shared_processes`` lasts."""


@contextlib.contextmanager
def shared_processes() -> Iterator[None]:
    """While this lasts code is imported by one process, whatever is asked of it; it must not change meanwhile."""
    processes: dict[Code, ImportProcess] = {}
    token = _shared.set(processes)
    try:
        yield
    finally:
        _shared.reset(token)
        for process in processes.values():
            process.close()


def ask(code: Code, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what the process that imports a file or module says: ``facts`` or ``card``, as JSON.

    Args:
        code: the file or module.
        request: ``reference``, ``place``, ``attribute`` and ``params``; a card where there are no params.
    Raises:
        ParameterError: All wrong parameters together.
        OracleError: It ends its process, takes longer than ``IMPORT_SECONDS``, raises, or lacks the name.
    """
    if isinstance(code, FileCode) and (deadly := _deadly.get((code, IMPORT_SECONDS))):
        raise OracleError(deadly)
    processes = _shared.get()
    if processes is None:
        with contextlib.closing(ImportProcess(code)) as process:
            return process.ask(request)
    if code not in processes:
        processes[code] = ImportProcess(code)
    return processes[code].ask(request)


class ImportProcess:
    """A process that imports a file or module, and answers what is asked of it."""

    def __init__(self, code: Code) -> None:
        """Starts the process and waits until the code is imported.

        Raises:
            OracleError: It cannot be.
        """
        self._code, self._seconds = code, IMPORT_SECONDS
        self._folder, what = code.prepare()
        self._buffer = b""
        self._socket, theirs = socket.socketpair()
        with theirs:
            path = [str(Path(entry).absolute()) for entry in sys.path]
            arguments = (json.dumps(path), str(theirs.fileno()), str(self._seconds), json.dumps(what))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,  # one that asks for something would wait for the user of the whole program
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=self._folder,
                start_new_session=True,
            )
        self._error = ""
        try:
            self._error = self._receive(self._seconds + _GRACE_SECONDS).get("error", "")
        except OracleError as error:
            self._error = str(error)
            if isinstance(code, FileCode):  # a module may be mended, and bear the same name
                _deadly[code, self._seconds] = self._error
        except BaseException:
            self.close()
            raise
        if self._error:
            self.close()

    def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the answer; see ``ask`` of this module.

        Raises:
            ParameterError: all wrong parameters together.
            OracleError: the code cannot be imported, has ended the process, or is no oracle.
        """
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
        """Ends the process with all that it has started, and removes the folder in which it was."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        remove_copy(self._folder, os.getpid())

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
        place, kind = self._code.place(report), self._code.kind
        if code == CUT_OFF:
            return f"{place}: the {kind} closes descriptors that it has not opened; let it close its own ones only"
        if code is None or report.startswith(_TIMED_OUT):
            return (
                f"{place}: the {kind} is still being imported after {self._seconds:g} s; do at its top only what is "
                "quick, and the rest when the oracle is called, or when its class is made"
            )
        name = f" ({signal.Signals(-code).name})" if -code in set(signal.Signals) else ""
        ended = f"is killed by signal {-code}{name}" if code < 0 else f"exits with code {code}"
        return (
            f"{place}: the process that imports the {kind} {ended}; take out of the {kind}'s top what ends its process"
        )
