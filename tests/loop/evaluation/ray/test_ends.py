"""Ends of a campaign with Ray: by SIGTERM, at whatever moment and whoever hears it, and by the loss of the head."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from designloop.loop.evaluation.processes import family
from designloop.testing.processes import living_in
from tests.campaigns import write_campaign
from tests.loop.evaluation.misbehaving import alive, left_over

pytestmark = pytest.mark.xdist_group("ray")  # one after the other: each Ray believes that it has all cores

SLOW = """
import os
import time
from pathlib import Path

from designloop.oracles import oracle


@oracle(costly=True)  # not run merely to check the set-up
def score(smiles):
    Path(os.environ["DESIGNLOOP_CAMPAIGN_FOLDER"], "began").touch()
    time.sleep(600)
    return {}
"""

COMMAND = """
import sys
from designloop import cli
from designloop.loop.evaluation.ray import keeper as ray_keeper

ray_keeper.HEAD_SECONDS, ray_keeper.PULSE_SECONDS = 3.0, 1.0
sys.argv = ["designloop", "run", sys.argv[1], "--no-try"]
cli.main()
"""


def running(folder: Path, model: Path, backend: str) -> subprocess.Popen[str]:
    """A campaign whose oracle has begun and will not end, run as on the command line, in a process group of its own."""
    path = write_campaign(
        folder, model, {"evaluation": {"backend": backend} | ({"workers": 2} if backend == "ray" else {})}
    )
    (folder / "my_oracle.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    limit = time.monotonic() + 90
    while not list(folder.rglob("began")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.1)
    return process


@pytest.mark.parametrize(("backend", "to_all"), [("inline", False), ("ray", False), ("inline", True), ("ray", True)])
def test_sigterm_is_ctrl_c_and_leaves_nothing_behind(
    tmp_path: Path, tiny_model: Path, backend: str, to_all: bool
) -> None:
    """To the driver alone, or to all below it, as systemd and Slurm do it, and the driver hears it last."""
    process = running(tmp_path, tiny_model, backend)
    members = family(process.pid)
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in members]
    folders = {Path(os.fsdecode(word)).parents[2] for line in commands for word in log_folders(line)}
    assert len(folders) == (backend == "ray")
    if to_all:
        for pid in members - {process.pid}:
            with contextlib.suppress(ProcessLookupError):  # it ended with another
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.5)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert err == "Ended by SIGTERM. What is committed stays; the same command goes on from there.\n"
    assert out == "starting\n"
    assert left_over(lambda: alive(members)) == {}
    assert left_over(lambda: living_in(tmp_path)) == {}
    assert [folder for folder in folders if folder.exists()] == []
    log = (tmp_path / "small" / "campaign.log").read_text()
    assert re.search(r"SIGTERM has come\n.* interrupted; the same command goes on", log), log


IN_THE_MIDST = """
import os, signal, sys
from designloop import signals
from designloop.loop.evaluation.ray.keeper import RayKeeper
from ray import _raylet

class Start(_raylet.CoreWorker):
    def __init__(self, *arguments):
        os.kill(os.getpid(), signal.SIGTERM)

class End(_raylet.CoreWorker):
    def shutdown_driver(self):
        super().shutdown_driver()
        os.kill(os.getpid(), signal.SIGTERM)

_raylet.CoreWorker = {"start": Start, "end": End}[sys.argv[1]]
try:
    with signals.heeded():
        keeper = RayKeeper(1, None, lambda: None)
        try:
            keeper.wait_until_up()
        finally:
            keeper.close()
except signals.Terminated:
    print("was told to end")
"""


@pytest.mark.parametrize("moment", ["start", "end"])
def test_sigterm_while_ray_starts_or_ends_is_heard_by_python_alone(moment: str) -> None:
    completed = subprocess.run([sys.executable, "-c", IN_THE_MIDST, moment], capture_output=True, text=True, timeout=90)
    assert completed.stdout == "was told to end\n", completed
    assert completed.returncode == 0, completed
    assert "***" not in completed.stderr


def log_folders(command: bytes) -> list[bytes]:
    """The folders for logs that a process of Ray is told of on its command line."""
    option = b"--log_dir="
    return [word.removeprefix(option) for word in command.split(b"\0") if word.startswith(option)]


def test_a_lost_head_is_no_workers(tmp_path: Path, tiny_model: Path) -> None:
    process = running(tmp_path, tiny_model, "ray")
    members = family(process.pid)
    (head,) = [pid for pid, name in alive(members).items() if name == "gcs_server"]
    os.kill(head, signal.SIGKILL)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 4, err
    assert "The head of Ray at 127.0.0.1:" in err
    assert "has been silent for 3 s" in err
    assert "run the same command again to resume" in err
    assert "stopped: The head of Ray" in (tmp_path / "small" / "campaign.log").read_text()
    assert left_over(lambda: living_in(tmp_path)) == {}
    assert left_over(lambda: alive(members)) == {}


def test_a_lost_raylet_is_no_workers(tmp_path: Path, tiny_model: Path) -> None:
    process = running(tmp_path, tiny_model, "ray")
    members = family(process.pid)
    (raylet,) = [pid for pid, name in alive(members).items() if name == "raylet"]
    os.kill(raylet, signal.SIGKILL)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 4, err
    assert "(raylet) has ended" in err
    assert "stopped: Ray's own process" in (tmp_path / "small" / "campaign.log").read_text()
    assert left_over(lambda: alive(members)) == {}
