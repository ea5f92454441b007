"""Each way in which a program among an oracle's files does not start, and what is said about it."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.child.program_remedies import program_remedy
from designloop.oracles import load

ORACLE = """
import subprocess
from designloop.oracles import oracle

@oracle(files=["tools"])
def score(smiles):
    answer = subprocess.run(COMMAND, check=True, capture_output=True, **HOW)
    return dict.fromkeys(smiles, float(answer.stdout))
"""
AS_LIST = "COMMAND, HOW = ['./tools/dock.sh'], {}"
BY_SHELL = "COMMAND, HOW = './tools/dock.sh 7 | cat; exit ${PIPESTATUS[0]}', {'shell': True, 'executable': '/bin/bash'}"
SH = "#!/bin/sh\necho 1.5\n"


def error_of(folder: Path, call: str, script: bytes, mode: int) -> str | None:
    """What a worker says of an oracle that calls this script; None if it has a value."""
    (folder / "tools").mkdir()
    program = folder / "tools" / "dock.sh"
    program.write_bytes(script)
    program.chmod(mode)
    (folder / "o.py").write_text(call + ORACLE)
    oracle = load("./o.py:score", folder=folder)
    process = OracleProcess([PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))])
    try:
        reply = process.score(Request(oracle.fingerprint, ("CC",), None, 30.0, 1.0))
    finally:
        process.close()
    if reply.answers is not None:
        assert reply.answers == ((1.5, None),)
        return None
    return reply.error


@pytest.mark.parametrize(
    ("call", "script", "mode", "advice"),
    [
        (AS_LIST, SH, 0o755, None),
        (AS_LIST, SH, 0o644, "tools/dock.sh is not executable: `chmod +x tools/dock.sh` where the oracle's file lies "),
        (AS_LIST, "#!/usr/bin/env python3\n", 0o600, "by its interpreter, ['python3', 'tools/dock.sh', …]"),
        (BY_SHELL, SH, 0o644, "tools/dock.sh is not executable: `chmod +x"),
        (
            AS_LIST,
            "#!/bin/sh\r\necho 1.5\r\n",
            0o755,
            r"asks for '/bin/sh\r', which is not on this machine; it has Win",
        ),
        (AS_LIST, "#!/opt/none/perl -w\n", 0o755, "asks for '/opt/none/perl -w', which is not on this machine"),
        (AS_LIST, "echo 1.5\n", 0o755, "is no program of this machine's kind; a script needs a first line that names"),
    ],
)
def test_a_script_that_does_not_start_is_told_with_the_remedy(
    tmp_path: Path, call: str, script: str, mode: int, advice: str | None
) -> None:
    error = error_of(tmp_path, call, script.encode(), mode)
    assert (error is None) == (advice is None)
    assert advice is None or advice in str(error)


def test_a_folder_from_which_nothing_may_be_started_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dock").write_text(SH)
    (tmp_path / "dock").chmod(0o755)
    error = PermissionError(errno.EACCES, "Permission denied", "./dock")
    assert program_remedy(error, tmp_path) == ""
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    assert "mounted noexec; set TMPDIR" in program_remedy(error, tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/etc/nothing"),
        PermissionError("no file is named"),
        OSError(errno.EIO, "Input/output error", "dock"),
        subprocess.CalledProcessError(1, ["./dock"]),
        subprocess.CalledProcessError(127, ""),
        subprocess.CalledProcessError(127, ["./other"]),
        ValueError("dock"),
    ],
)
def test_nothing_is_said_of_other_errors(tmp_path: Path, error: Exception) -> None:
    (tmp_path / "dock").write_text(SH)
    assert program_remedy(error, tmp_path) == ""
