"""Private folders of oracle processes: nobody else's, and gone when the process is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.child.scratch import Scratch
from designloop.loop.evaluation.errors import NoWorkers
from designloop.oracles import load

ROOT = Path(__file__).parents[4]

WHERE = '''
import os, tempfile
from pathlib import Path

def score(smiles):
    """Tells by files in the campaign's folder, for values are numbers."""
    for molecule in smiles:
        places = [os.getcwd(), tempfile.tempdir, tempfile.gettempdir()]
        places += [os.environ[name] for name in ("TMPDIR", "TEMP", "TMP")]
        Path(os.environ["DESIGNLOOP_CAMPAIGN_FOLDER"], f"{molecule}.txt").write_text("\\n".join(places))
        Path("left.txt").write_text("")
        os.makedirs("locked"); os.chmod("locked", 0)
        if molecule == "O":
            os.kill(os.getpid(), 9)
    return dict.fromkeys(smiles, 1.0)
'''


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private folders are made during the test."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder / f"designloop-{os.getuid()}"


def process_in(folder: Path) -> tuple[OracleProcess, str]:
    (folder / "where.py").write_text(WHERE)
    oracle = load("./where.py:score", {}, folder)
    portable = PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))
    return OracleProcess([portable], ProcessEnvironment.of_driver(folder)), oracle.fingerprint


def places(folder: Path, process: OracleProcess, fingerprint: str, molecule: str) -> list[str]:
    process.score(Request(fingerprint, (molecule,), None, 30.0))
    return (folder / f"{molecule}.txt").read_text().split("\n")


def test_each_process_works_in_folders_of_its_own_which_go_with_it(tmp_path: Path, root: Path) -> None:
    (process, fingerprint), (other, _) = process_in(tmp_path), process_in(tmp_path)
    work, *temporary = places(tmp_path, process, fingerprint, "C")
    (private,) = {Path(place).parent for place in temporary}
    assert set(temporary) == {f"{private}/tmp"}, "by whatever name one asks for it"
    assert private.parent == root
    assert Path(work).is_relative_to(private)
    assert [folder.stat().st_mode & 0o777 for folder in (root, private, private / "tmp")] == [0o700] * 3
    assert not Path(places(tmp_path, other, fingerprint, "N")[0]).is_relative_to(private)
    assert places(tmp_path, process, fingerprint, "CC")[0] == work, "a class may have remembered where it is"
    process.close()
    assert not private.exists(), "also what an oracle made unwritable"
    other.close()
    assert [*root.iterdir()] == []


def test_a_worker_that_is_killed_leaves_nothing_and_its_successor_has_another_folder(
    tmp_path: Path, root: Path
) -> None:
    process, fingerprint = process_in(tmp_path)
    before = places(tmp_path, process, fingerprint, "O")[0]
    assert [*root.iterdir()] == []
    assert places(tmp_path, process, fingerprint, "C")[0] != before
    process.close()


def test_a_folder_is_removed_when_driver_and_worker_are_killed(tmp_path: Path, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.loop.evaluation.child.test_scratch import process_in, places\n"
        "process, fingerprint = process_in(Path(sys.argv[1]))\n"
        "places(Path(sys.argv[1]), process, fingerprint, 'C'); print('ready', flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"TMPDIR": str(root.parent)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"ready\n"
        assert len([*root.glob("*.lock")]) == 1
        driver.kill()
    limit = time.monotonic() + 20
    while [*root.iterdir()] and time.monotonic() < limit:
        time.sleep(0.05)
    assert [*root.iterdir()] == []


def test_what_a_killed_guard_left_is_swept_at_the_next_start_and_what_is_in_use_is_not(root: Path) -> None:
    dead, living = Scratch(), Scratch()
    (dead.folder / "unwritable").mkdir()
    (dead.folder / "unwritable" / "file").touch()
    (dead.folder / "unwritable").chmod(0o500)
    holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[living.lock])
    dead.hand_over()
    living.hand_over()  # now the lock is held by the other process alone
    Scratch().remove()
    assert not dead.folder.exists()
    assert not dead.folder.with_suffix(".lock").exists()
    assert living.folder.is_dir()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    Scratch().remove()
    assert not living.folder.exists()


def test_a_folder_of_somebody_else_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.getuid()
    root.with_name(f"designloop-{user + 1}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(NoWorkers, match=r"designloop-\d+ belongs to another user\. Remove it, or set TMPDIR to a"):
        Scratch()


def test_a_place_where_no_folder_can_be_made_is_named(root: Path) -> None:
    root.touch()
    with pytest.raises(NoWorkers, match=r"No private folder for oracles can be made in .*Set TMPDIR to a local folder"):
        Scratch()
