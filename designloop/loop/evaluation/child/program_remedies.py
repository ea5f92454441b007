"""What to do about a program that lies where an oracle runs, and does not start there."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from pathlib import Path

_CANNOT_START = (126, 127)
"""What a shell exits with where the program that it was given does not start."""

_SEEN_BYTES = 256
"""How far the first line of a script is read."""


def program_remedy(error: BaseException, work: Path) -> str:
    """A sentence on a program that did not start, empty where the error is about none that travelled here.

    Args:
        error: what the oracle raised.
        work: the folder in which it ran.
    """
    name = _program_of(error)
    path = work / name
    if not name or not path.is_file():
        return ""
    shown = os.path.relpath(path, work) if path.is_relative_to(work) else name
    first_line = _first_line(path)
    words = first_line[2:].strip(" \t").split(" ") if first_line.startswith("#!") else ["/bin/sh"]
    interpreter = words[-1 if words[0] == "/usr/bin/env" else 0].strip()
    if not os.access(path, os.X_OK):
        return (
            f"{shown} is not executable: `chmod +x {shown}` where the oracle's file lies (permissions travel with "
            f"files=[…]), or start it by its interpreter, [{Path(interpreter).name!r}, {shown!r}, …]"
        )
    if not Path(words[0]).is_file():
        windows = f"; it has Windows line ends: sed -i 's/\\r$//' {shown}" if first_line.endswith("\r") else ""
        return (
            f"the first line of {shown} asks for {first_line[2:].strip(' ')!r}, which is not on this machine{windows}"
        )
    if isinstance(error, OSError) and error.errno == errno.ENOEXEC:
        return (
            f"{shown} is no program of this machine's kind; a script needs a first line that names its interpreter, "
            f"#!/bin/sh, or is started by it, ['sh', {shown!r}, …]"
        )
    if isinstance(error, PermissionError) and os.statvfs(path).f_flag & os.ST_NOEXEC:
        return f"no program may be started from {work}, which is mounted noexec; set TMPDIR to a folder that is not"
    return ""


def _program_of(error: BaseException) -> str:
    """The program that did not start, as the oracle named it; empty if it is another error."""
    if isinstance(error, subprocess.CalledProcessError) and error.returncode in _CANNOT_START:
        words = shlex.split(error.cmd) if isinstance(error.cmd, str) else [os.fsdecode(word) for word in error.cmd]
        return words[0] if words else ""
    if isinstance(error, PermissionError | FileNotFoundError) or (
        isinstance(error, OSError) and error.errno == errno.ENOEXEC
    ):
        return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return ""


def _first_line(path: Path) -> str:
    """The first line of a file as text, its end included where that is another than a line feed."""
    try:
        with path.open("rb") as file:
            return file.read(_SEEN_BYTES).split(b"\n")[0].decode(errors="replace")
    except PermissionError:  # a program that can be run and not be read
        return ""
