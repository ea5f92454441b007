"""A command's standard streams: closed, full, read by nobody any more, or hung up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import designloop
from tests.campaigns import write_campaign

LINES = 3000
"""More than a pipe holds, so that a reader who leaves is noticed."""

SCRIPT = f"""
import os, sys
from pathlib import Path
from designloop.standard_streams import UnwritableOutput, go_on_unread, steady

steady()
if "goes on" in sys.argv:
    go_on_unread()
opened = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)  # as a ledger would be
try:
    for line in range({LINES}):
        print("line", line, "x" * 40)
        print("error", line, "x" * 40, file=sys.stderr)
    sys.stdout.flush()
    said = "printed all"
except BrokenPipeError:
    said = "broken pipe"
except UnwritableOutput as error:
    said = str(error)
os.write(opened, f"{{opened > 2}} {{said}}".encode())
"""


def printed(tmp_path: Path, redirection: str, goes_on: bool = False) -> tuple[str, int, str]:
    """What a small program could print behind a shell's redirection: what it says of that, its code, standard error."""
    shell = f'set -o pipefail; "$@" {redirection}'
    program = [sys.executable, "-c", SCRIPT, str(tmp_path / "said"), *(["goes on"] if goes_on else [])]
    done = subprocess.run(["bash", "-c", shell, "bash", *program], capture_output=True, text=True, timeout=60)
    return (tmp_path / "said").read_text(), done.returncode, done.stderr


@pytest.mark.parametrize("redirection", ["| head -1", ">&-", "> /dev/full", "<&- >&- 2>&-", "> /dev/full 2> /dev/full"])
def test_what_goes_on_prints_all_that_anyone_takes_and_ends_well(tmp_path: Path, redirection: str) -> None:
    said, code, errors = printed(tmp_path, redirection, goes_on=True)
    assert (said, code) == ("True printed all", 0)
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        ("| cat", "printed all"),
        (">&-", "printed all"),
        ("2>&-", "printed all"),
        ("2> /dev/full", "printed all"),
        ("| head -1", "broken pipe"),
        ("> /dev/full", "standard output cannot be written (No space left on device); make room there, or let it"),
    ],
)
def test_what_is_there_to_be_read_stops_and_says_why(tmp_path: Path, redirection: str, said: str) -> None:
    output, code, errors = printed(tmp_path, redirection)
    assert output.startswith(f"True {said}"), "and no file that is opened takes the place of a stream that is closed"
    assert code == 0
    assert "Exception ignored" not in errors


DESIGNLOOP: list[str | Path] = [sys.executable, "-c", "from designloop.cli import main; main()"]


@pytest.mark.parametrize("redirection", ["| head -1", ">&- 2>&-"])
def test_a_campaign_goes_on_when_nobody_reads_it(tmp_path: Path, tiny_model: Path, redirection: str) -> None:
    path = write_campaign(tmp_path, tiny_model)
    command = ["bash", "-c", f'set -o pipefail; "$@" {redirection}', "bash", *DESIGNLOOP, "run", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert designloop.status(path).calls == 45
    log = (tmp_path / "small" / "campaign.log").read_text()
    assert "round 3 | 45 of 45 calls" in log
    assert "Ended (oracle_calls)" in log


def test_its_exit_code_is_that_of_the_run(tmp_path: Path, tiny_model: Path) -> None:
    changes = {"objective.properties.0.params": {"fails": "c"}, "filters": {"require_smarts": ["c"]}}
    path = write_campaign(tmp_path, tiny_model, {**changes, "reference": ["CC1CCCCC1CCCO", "CC(=O)Oc1ccccc1C(=O)O"]})
    command = ["bash", "-c", '"$@" > /dev/full', "bash", *DESIGNLOOP, "run", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (3, "")


def test_a_table_that_cannot_be_written_ends_with_exit_code_4(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$@" > /dev/full', "bash", *DESIGNLOOP, "oracles"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 4
    assert done.stderr.startswith("Error: standard output cannot be written (No space left on device)")
    assert "Traceback" not in done.stderr
