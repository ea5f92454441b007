"""Loading an oracle leaves the folder of its file as it is."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from designloop.oracles import OracleError, describe, folder_copy, load, own_files
from tests.oracles.conftest import Write

LITTERS = """
    import os, pickle, pathlib, subprocess, sys
    from designloop.oracles import oracle
    import helper
    from mine import part

    pathlib.Path("relative.txt").write_text("x")
    pathlib.Path(__file__).with_name("beside.txt").write_text("x")
    with open("log.txt", "a") as log:
        log.write("x")
    pathlib.Path("data", "cache.bin").write_bytes(b"x")
    pathlib.Path("data", "known.txt").write_text("changed")
    os.makedirs("made/deep", exist_ok=True)
    os.remove("data/old.txt")
    subprocess.run([sys.executable, "-c", "open('by_a_program.txt', 'w').close()"], check=True)

    @oracle(files=["helper.py", "mine", "data"])
    def score(smiles):
        import late
        return dict.fromkeys(smiles, helper.VALUE + part.VALUE)
"""


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Path -> bytes and time of change, of all that lies in a folder."""
    files = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    folders = {str(path): (b"", 0) for path in folder.rglob("*") if path.is_dir()}
    return folders | {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that nobody else writes to."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_loading_and_describing_an_oracle_leave_its_folder_as_it_was(write: Write, temporary: Path) -> None:
    write(LITTERS, "mine/my_oracle.py")
    write("VALUE = 1.0", "mine/helper.py")
    write("VALUE = 2.0", "mine/mine/part.py")
    write("", "mine/mine/__init__.py")
    for name in ("known", "old"):
        write("known", f"mine/data/{name}.txt")
    folder = write("", "mine/log.txt") / "mine"
    before = contents(folder)
    describe("./my_oracle.py:score", folder)
    oracle = load("./my_oracle.py:score", folder=folder)
    assert contents(folder) == before
    assert oracle.file_bytes["own/data/known.txt"] == b"known", "the user's, not what the import made of it"
    write("", "mine/late.py")
    oracle = load("./my_oracle.py:score", folder=folder)
    assert oracle.score(["C"]) == {"C": 3.0}
    del oracle
    gc.collect()
    copies = own_files.worker_folder()
    assert copies.is_relative_to(temporary)
    assert not list(copies.iterdir()), "copies go with their oracles"


def test_what_is_large_many_hidden_or_a_pipe_is_not_copied_and_a_file_is_with_its_permissions(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_copy, "LARGEST_BYTES", 10)
    monkeypatch.setattr(folder_copy, "MOST_ENTRIES", 8)
    write("0123456789x", "mine/b_large.bin")
    write("#!/bin/sh", "mine/c_program")
    write("x", "mine/.hidden/secret")
    write("x", "mine/d_folder/inner.txt")
    os.mkfifo(write("x", "mine/e_last.txt") / "mine" / "a_pipe")
    folder = write("", "mine/my_oracle.py") / "mine"
    (folder / "c_program").chmod(0o750)
    (folder / "f_loop").symlink_to(folder)
    copy = folder_copy.copy_folder(folder / "my_oracle.py", b"# another")
    links = {path.name for path in copy.parent.rglob("*") if path.is_symlink()}
    assert links == {".hidden", "a_pipe", "b_large.bin", "f_loop", "inner.txt"}
    assert (copy.parent / "b_large.bin").read_text() == "0123456789x"
    assert (copy.parent / "d_folder/inner.txt").read_text() == "x"
    assert (copy.parent / "c_program").stat().st_mode & 0o777 == 0o750
    assert copy.read_bytes() == b"# another"
    folder_copy.remove_copy(copy.parent, os.getpid() + 1)
    assert copy.exists(), "it is not a fork's to remove"
    folder_copy.remove_copy(copy.parent, os.getpid())
    assert not copy.parent.exists()
    assert (folder / ".hidden" / "secret").exists()


def test_a_file_that_vanishes_while_it_is_copied_is_none(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write("", "mine/my_oracle.py") / "mine"
    journal = write("x", "mine/a.sqlite-wal") / "mine/a.sqlite-wal"

    def vanish(original: Path, place: Path) -> None:
        original.unlink()
        place.touch()
        raise FileNotFoundError(original)

    monkeypatch.setattr(folder_copy.shutil, "copy2", vanish)  # type: ignore[attr-defined]
    copy = folder_copy.copy_folder(folder / "my_oracle.py", b"")
    assert [path.name for path in copy.parent.iterdir()] == ["my_oracle.py"]
    assert not journal.exists()


def test_no_room_for_a_copy_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder = write("def score(smiles):\n    return {}", "mine/my_oracle.py") / "mine"
    write("", "mine/other.txt")
    monkeypatch.setattr(folder_copy.shutil, "copy2", full)  # type: ignore[attr-defined]
    with pytest.raises(OracleError, match=r"mine cannot be copied .* No space left on device; set TMPDIR to a folder"):
        load("./my_oracle.py:score", folder=folder)


@pytest.mark.parametrize(
    ("top", "message"),
    [
        (
            "open('../models/m.txt')",
            r"models/m\.txt is there, but the file is imported in a folder of its own, .* annotated pathlib\.Path$",
        ),
        ("open('m.txt')", r"No such file or directory: 'm\.txt'; the file must import without an error$"),
        (
            "open(__file__ + '.txt')",
            r"directory: '.*/mine/my_oracle\.py\.txt'; the file must import without an error$",
        ),
    ],
)
def test_a_file_that_does_not_travel_is_told_when_the_oracle_is_loaded(write: Write, top: str, message: str) -> None:
    write("x", "models/m.txt")
    folder = write(f"{top}\ndef score(smiles):\n    return {{}}", "mine/my_oracle.py") / "mine"
    with pytest.raises(OracleError, match=message) as caught:
        load("./my_oracle.py:score", folder=folder)
    assert "import-" not in str(caught.value), "the copy is nobody's business"


def test_a_link_to_itself_beside_an_oracle_is_nobodys_business(write: Write) -> None:
    folder = write("def score(smiles):\n    return dict.fromkeys(smiles, 1.0)")
    (folder / "circle").symlink_to("circle")
    assert load("./my_oracle.py:score", folder=folder).score(["C"]) == {"C": 1.0}
