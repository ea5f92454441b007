"""The folder of a Ray's files: short, closed, and gone in the end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.ray import ray_folder
from designloop.loop.evaluation.ray.ray_folder import RayFolder


@pytest.mark.parametrize(
    ("parent", "chosen"),
    [("/tmp", "/tmp"), ("/tmp/" + "x" * 100, "/tmp"), ("/nowhere", "/tmp"), ("/proc", "/tmp")],
)
def test_sockets_find_a_short_folder_of_their_own(
    parent: str, chosen: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "designloop")
    monkeypatch.setenv("RAY_TMPDIR", parent)
    folder = RayFolder()
    assert str(folder.path.parent) == chosen
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (parent in caplog.text) == (parent != chosen)
    folder.remove()
    assert not folder.path.exists()


def test_no_folder_is_short_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_folder, "LONGEST_SOCKET", 20)
    with pytest.raises(NoWorkers, match=r"may have 20 bytes \(.*/tmp is too long.*Set TMPDIR to a short folder"):
        RayFolder()


def test_what_cannot_be_removed_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    monkeypatch.setattr(ray_folder, "_REMOVALS", 2)
    folder = RayFolder()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)
        folder.remove()
    assert f"{folder.path}, could not be removed" in caplog.text
    (folder.path / "lock").unlink()
    folder.path.rmdir()


MAKE = """
import sys
from designloop.loop.evaluation.ray import ray_folder
from designloop.loop.evaluation.ray.ray_folder import RayFolder

print(RayFolder().path, flush=True)
sys.stdin.read()
"""


def test_the_folder_of_a_killed_process_is_removed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")

    def somebody() -> tuple[subprocess.Popen[str], Path]:
        command = [sys.executable, "-c", MAKE]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (living, of_living), (killed, of_killed), (fresh, of_fresh) = somebody(), somebody(), somebody()
    strangers = Path(tempfile.mkdtemp(prefix="designloop-", dir="/tmp"))
    for process in (killed, fresh):
        process.kill()
        process.communicate()
    for old in (of_living, of_killed, strangers):
        os.utime(old, (time.time() - 3600, time.time() - 3600))
    folder = RayFolder()
    try:
        assert not of_killed.exists()
        assert of_living.exists(), "its process lives"
        assert of_fresh.exists(), "its process might be about to lock it"
        assert strangers.exists(), "nothing says that it is such a folder"
    finally:
        living.communicate()
        folder.remove()
        strangers.rmdir()
        for left in (of_living, of_fresh):
            (left / "lock").unlink()
            left.rmdir()
