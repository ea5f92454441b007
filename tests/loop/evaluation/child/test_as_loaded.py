"""What one request leaves behind, and what the next finds."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.loop.evaluation.child import as_loaded
from designloop.loop.evaluation.child.as_loaded import FolderAsLoaded, ProcessAsLoaded


def tree(root: Path) -> dict[str, str | None]:
    """Path -> content, None of a folder."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_text() for path in sorted(root.rglob("*"))
    }


NAMES = st.sampled_from(["a", "b", "d/a", "d/e/a", "f/a"])
TREES = st.dictionaries(NAMES, st.text("xyz", max_size=3), max_size=4)


@given(loaded=TREES, written=TREES, gone=st.sets(NAMES, max_size=2))
def test_whatever_a_request_writes_or_removes_the_folder_is_as_it_was(
    loaded: dict[str, str], written: dict[str, str], gone: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("work")
    for name, text in loaded.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    folder = FolderAsLoaded(root)
    folder.remember()
    before = tree(root)
    for _ in range(2):
        for name, text in written.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name in gone:
            (root / name).unlink(missing_ok=True)
        folder.restore()
        assert tree(root) == before


def test_a_file_of_the_constructor_is_written_again_in_place(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    folder = FolderAsLoaded(tmp_path)
    folder.remember()
    with (tmp_path / "log").open("a") as log:  # as a handler of logging has it open all along
        for _ in range(2):
            print("a line", file=log, flush=True)
            folder.restore()
            assert (tmp_path / "log").read_text() == ""
        print("another", file=log, flush=True)
    assert (tmp_path / "log").read_text() == "another\n"


def test_a_program_stays_one_and_a_write_protected_file_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o555)
    folder = FolderAsLoaded(tmp_path)
    folder.remember({"program": b"#!/bin/sh\n"})
    (tmp_path / "program").unlink()
    (tmp_path / "program").write_text("another")
    (tmp_path / "program").chmod(0o400)
    folder.restore()
    assert (tmp_path / "program").read_text() == "#!/bin/sh\n"
    assert (tmp_path / "program").stat().st_mode & 0o777 == 0o555


def test_the_folder_itself_may_be_removed_and_made_unwritable(tmp_path: Path) -> None:
    root = tmp_path / "work"
    (root / "d").mkdir(parents=True)
    (root / "d" / "a").write_text("1")
    folder = FolderAsLoaded(root)
    folder.remember()
    (root / "new" / "deep").mkdir(parents=True)
    (root / "new" / "deep" / "file").touch()
    (root / "new" / "deep").chmod(0)
    folder.restore()
    assert tree(root) == {"d": None, "d/a": "1"}
    os.rename(root, tmp_path / "away")  # noqa: PTH104
    folder.restore()
    assert tree(root) == {"d": None, "d/a": "1"}
    assert folder.removed == {"new"}


def test_an_empty_folder_and_a_link_are_left_or_made_again(tmp_path: Path) -> None:
    root = tmp_path / "work"
    (root / "out" / "deep").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)
    folder = FolderAsLoaded(root)
    folder.remember()
    (root / "out" / "deep").rmdir()
    (root / "out").rmdir()
    (root / "out").write_text("a file in its place")
    (root / "other").symlink_to(tmp_path)
    folder.restore()
    assert tree(root) == {"link": None, "out": None, "out/deep": None}
    assert tmp_path.is_dir(), "a link is removed, and not what it leads to"


def test_of_large_files_only_the_declared_ones_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_loaded, "KEPT_BYTES", 3)
    for name in ("declared", "unpacked"):
        (tmp_path / name).write_text("large")
    (tmp_path / "small").write_text("1")
    folder = FolderAsLoaded(tmp_path)
    folder.remember({"declared": b"large"})
    for name in ("declared", "unpacked", "small"):
        (tmp_path / name).write_text("other")
    folder.restore()
    assert tree(tmp_path) == {"declared": "large", "small": "1", "unpacked": "other"}


def test_what_libraries_made_for_themselves_among_the_temporary_files_stays(tmp_path: Path) -> None:
    folder = FolderAsLoaded(tmp_path, temporary=True)
    folder.remember()
    (tmp_path / "pymp-x").mkdir(mode=0o700)
    (tmp_path / "pymp-x" / "ligand.smi").touch()
    (tmp_path / "work").mkdir(mode=0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "pymp-x" / "listener"))
        folder.restore()
        assert sorted(tree_names(tmp_path)) == ["pymp-x", "pymp-x/listener"]
    folder = FolderAsLoaded(tmp_path)
    folder.restore()
    assert tree_names(tmp_path) == [], "in a working folder they do not"


def tree_names(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*")]


def test_environment_umask_handlers_and_timers_are_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("REMOVED", "1")
    process = ProcessAsLoaded()
    before = os.umask(0o027), signal.getsignal(signal.SIGCHLD)
    try:
        process.remember()
        os.environ["KEPT"] = "2"
        os.environ["NEW"] = "1"
        del os.environ["REMOVED"]
        os.umask(0o777)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a program that fails would then seem to succeed
        signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
        process.restore()
        assert (os.environ["KEPT"], os.environ["REMOVED"], "NEW" in os.environ) == ("1", "1", False)
        assert process.undone == {"KEPT", "REMOVED", "NEW"}
        assert os.umask(0o027) == 0o027
        assert signal.getsignal(signal.SIGCHLD) == before[1]
        assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    finally:
        os.umask(before[0])
        signal.signal(signal.SIGCHLD, before[1])
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def test_a_timer_of_the_constructor_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    process = ProcessAsLoaded()
    signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
    try:
        process.remember()
        process.restore()
        assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] > 900
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
