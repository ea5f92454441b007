"""A user's oracle file imported for the first time: by a process of its own, which it may kill or hang.

``main`` is that process: it imports the file, in a copy of its folder and with nothing else loaded, and says on a pipe
how that went.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from designloop.oracles.errors import OracleError
from designloop.oracles.folder_copy import copy_folder, remove_copy

IMPORT_SECONDS = 120.0
"""How long the import of an oracle's file may take."""

_GRACE_SECONDS = 5.0
"""What the process has on top, to tell where it was and end by itself."""

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from designloop.oracles.first_import import main
main()
"""

_TIMED_OUT = "Timeout ("
"""What faulthandler's report of a time-out begins with."""


def refuse_deadly(path: Path, source: bytes) -> None:
    """Returns if a file can be imported by a process that lives on.

    Args:
        path: the file.
        source: its bytes: what was found out holds for them, and this process does not ask again.
    Raises:
        OracleError: It ends the process that imports it, takes longer than ``IMPORT_SECONDS``, or raises.
    """
    if deadly := _deadly(path, source, IMPORT_SECONDS):
        raise OracleError(deadly)


@functools.lru_cache(maxsize=64)
def _deadly(path: Path, source: bytes, seconds: float) -> str:
    """How a file kills or hangs the process that imports it; empty if it does not. One that raises is tried anew."""
    copy = copy_folder(path, source)
    reader, tell = os.pipe()
    os.set_blocking(reader, False)
    try:
        arguments = (json.dumps(sys.path), str(tell), str(seconds), str(path), str(copy))
        command = [sys.executable, "-P", "-c", _PROGRAM, *arguments]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,  # one that asks for something would wait for the user of the whole program
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[tell],
                cwd=copy.parent,
                start_new_session=True,
            )
        finally:
            os.close(tell)
        with process:
            code = _wait(process, seconds + _GRACE_SECONDS)
        reply = _read(reader)
    finally:
        os.close(reader)
        remove_copy(copy.parent, os.getpid())
    if reply.startswith("{"):
        if error := json.loads(reply)["error"]:
            raise OracleError(error)
        return ""
    place = f"{path}:{_line(reply, path)}"
    if code is None or reply.startswith(_TIMED_OUT):
        return (
            f"{place}: the file is still being imported after {seconds:g} s; do at its top only what is quick, and "
            "the rest when the oracle is called, or when its class is made"
        )
    name = f" ({signal.Signals(-code).name})" if -code in set(signal.Signals) else ""
    ended = f"is killed by signal {-code}{name}" if code < 0 else f"exits with code {code}"
    return f"{place}: the process that imports the file {ended}; take out of the file's top what ends its process"


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit code; None of a process that had to be ended. What it has started is ended in any case."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _read(descriptor: int) -> str:
    with contextlib.suppress(BlockingIOError):
        return os.read(descriptor, 1 << 16).decode(errors="replace")  # a pipe holds no more
    return ""


def _line(report: str, path: Path) -> str:
    """The line of the file in which faulthandler's report found it, if there is a report."""
    match = re.search(rf'File "{re.escape(str(path))}", line (\d+)', report)
    return match[1] if match else "?"


def main() -> None:
    """Import the file that the arguments name, and tell how that went."""
    from designloop.oracles.own_files import OwnImports, import_file

    tell, seconds, path, copy = int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5])
    os.set_inheritable(tell, False)
    faulthandler.enable(file=tell)
    faulthandler.dump_traceback_later(seconds, exit=True, file=tell)
    error = ""
    try:
        import_file(path, copy.read_bytes(), OwnImports(copy))
    except BaseException as problem:  # whatever it is, the import did not kill the process
        error = str(problem)[:4000] or type(problem).__name__
    os.write(tell, json.dumps({"error": error}).encode())
    os._exit(0)  # threads that the file started are not waited for
