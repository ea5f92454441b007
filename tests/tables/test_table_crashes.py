"""A crash at whatever moment leaves a candidate table from before a round or from after it."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from designloop.tables import durable, open_candidates
from designloop.tables.errors import DiskError, TableError
from tests.tables.disks import ForgetfulOs, Image, Stopped, StoppingOs
from tests.tables.fakes import FakeCampaign, a_round, open_table

pytestmark = pytest.mark.usefixtures("quick_disk")


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_commit_stopped_at_any_step_happened_or_did_not(tmp_path, monkeypatch):
    """Kills the process at each step in turn: of beginning a table, of three commits, of the end."""

    def run(campaign: FakeCampaign, digests: list[str]) -> str:
        table = open_table(campaign)
        try:
            digests.append(table.digest())
            for number in range(table.next_round(), 3):
                table.commit(a_round(number))
                digests.append(table.digest())
            table.finish("budget spent")
            return table.digest()
        finally:
            table.close()

    whole = run(FakeCampaign(tmp_path, "whole"), [])
    for step in range(1, 1000):
        campaign = FakeCampaign(tmp_path, f"stopped-{step}")
        digests: list[str] = []
        monkeypatch.setattr(durable, "os", StoppingOs(step=step))
        try:
            run(campaign, digests)
        except Stopped:
            monkeypatch.setattr(durable, "os", StoppingOs())
        else:
            break
        with open_table(campaign) as table:
            done = table.next_round()
            assert done in (max(len(digests) - 1, 0), len(digests)), f"step {step}"
            assert [info.number for info in table.rounds()] == list(range(done))
            state = table.last_state()
            assert (None if state is None else state.data["round"]) == (done - 1 if done else None)
            expected = {"campaign.json", ".lock"} | {name for info in table.rounds()[-2:] for name in info.files}
            expected |= {name for info in table.rounds() for name in info.files if "states/" not in name}
            expected |= {f"manifests/{number:05d}.json" for number in range(done)}
            assert files_of(table.folder) - {"finished.json", "head.json"} == expected, f"step {step}: leftovers"
        assert run(campaign, []) == whole, f"step {step}"
    assert step > 60, "the steps are not counted"


def test_opening_after_a_crash_may_be_stopped_too(tmp_path, monkeypatch):
    campaign = FakeCampaign(tmp_path)
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number))
        digest = table.digest()
    folder = campaign.output_folder
    for leftover in ("rounds/00003.parquet", "states/00003.json", "states/00000.json", "manifests/00003.json.tmp"):
        (folder / leftover).write_bytes(b"half")
    for step in range(1, 20):
        monkeypatch.setattr(durable, "os", StoppingOs(step=step))
        try:
            open_table(campaign).close()
        except Stopped:
            continue
        finally:
            monkeypatch.setattr(durable, "os", StoppingOs())
        break
    assert step > 3, "the steps are not counted"
    with open_table(campaign) as table:
        assert table.digest() == digest
    assert not {name for name in files_of(folder) if "00003" in name}


def test_lost_manifests_are_told_and_no_rounds_are_removed(campaign):
    with open_table(campaign) as table:
        for number in range(4):
            table.commit(a_round(number))
    shutil.rmtree(campaign.output_folder / "manifests")
    before = files_of(campaign.output_folder)
    for opening in (open_table, lambda campaign: open_candidates(campaign.output_folder)):
        with pytest.raises(TableError, match=r"round 3, though the last manifest is that of round -1: later ones"):
            opening(campaign)
    assert files_of(campaign.output_folder) == before


def test_an_end_that_cannot_be_marked_is_told(campaign, monkeypatch):
    def refuse() -> None:
        raise OSError(28, "No space left on device")

    with open_table(campaign) as table:
        monkeypatch.setattr(durable, "os", StoppingOs(1, refuse))
        with pytest.raises(DiskError, match=r"end of the campaign could not be marked in .*No space left"):
            table.finish("budget spent")


def test_a_closed_table_takes_no_more(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0))
    with pytest.raises(TableError, match="is closed"):
        table.commit(a_round(1))
    with pytest.raises(TableError, match="is closed"):
        table.finish("budget spent")


def test_files_of_others_are_never_touched(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0))
    for name in ("notes.txt", "x.json.tmp", "rounds/mine.parquet", "states/00000.txt", "best.svg"):
        (campaign.output_folder / name).write_text("mine")
    with open_table(campaign) as table:
        table.commit(a_round(1))
    names = files_of(campaign.output_folder)
    assert {"notes.txt", "x.json.tmp", "rounds/mine.parquet", "states/00000.txt", "best.svg"} <= names


def test_a_power_cut_at_any_moment_leaves_a_table_from_before_or_after(tmp_path, monkeypatch):
    """A disk that loses, shortens or zeroes whatever was not fsynced: content and names alike."""
    campaign = FakeCampaign(tmp_path / "real")
    campaign.folder.mkdir()
    log = ForgetfulOs()
    monkeypatch.setattr(durable, "os", log)
    promised: list[tuple[int, str]] = []
    with open_table(campaign) as table:
        promised.append((len(log.log), table.digest()))
        for number in range(3):
            table.commit(a_round(number))
            promised.append((len(log.log), table.digest()))
    monkeypatch.setattr(durable, "os", StoppingOs())
    rng = random.Random(0)
    image = Image()
    for moment in range(len(log.log) + 1):
        if moment:
            image.apply(log.log[moment - 1])
        at_least = max((place for place, (end, _) in enumerate(promised) if end <= moment), default=0)
        for trial, kept in enumerate((0.0, 1.0, 0.5)):
            left = FakeCampaign(tmp_path / f"left-{moment}-{trial}")
            image.leave(str(campaign.folder), left.folder, rng, kept)
            with open_table(left) as table:
                allowed = [digest for _, digest in promised[at_least : at_least + 2]]
                assert table.digest() in allowed, f"after {moment} steps, with {kept} of what was not fsynced"
                state = table.last_state()
                assert (None if state is None else state.data["round"]) == (table.next_round() - 1 if state else None)


KILLED = """
import os, signal, sys
from pathlib import Path
from designloop.tables import durable
from tests.tables.disks import StoppingOs
from tests.tables.fakes import FakeCampaign, a_round, open_table

durable.os = StoppingOs(step=int(sys.argv[2]), stop=lambda: os.kill(os.getpid(), signal.SIGKILL))
with open_table(FakeCampaign(Path(sys.argv[1]))) as table:
    for number in range(table.next_round(), 3):
        table.commit(a_round(number))
"""


@pytest.mark.parametrize("step", [60, 80])
def test_a_process_killed_in_a_commit_holds_no_lock_and_leaves_a_whole_table(tmp_path, step):
    campaign = FakeCampaign(tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(step)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    with open_table(campaign) as table:
        assert 0 < table.next_round() < 3
        for number in range(table.next_round(), 3):
            table.commit(a_round(number))
        digest = table.digest()
    with open_table(FakeCampaign(tmp_path, "whole")) as table:
        for number in range(3):
            table.commit(a_round(number))
        assert table.digest() == digest


@pytest.mark.parametrize("step", range(1, 28))
def test_a_disk_error_is_told_and_the_table_takes_no_more(campaign, monkeypatch, step):
    class FullOs(StoppingOs):
        def __init__(self) -> None:
            super().__init__(step, self.refuse)

        def refuse(self) -> None:
            raise OSError(28, "No space left on device")

    with open_table(campaign) as table:
        table.commit(a_round(0))
        monkeypatch.setattr(durable, "os", FullOs())
        with pytest.raises(DiskError, match=r"round 1 could not be committed .*No space left on device"):
            table.commit(a_round(1))
        monkeypatch.setattr(durable, "os", StoppingOs())
        with pytest.raises(TableError, match="takes no more"):
            table.commit(a_round(1))
    with open_table(campaign) as table:
        table.commit(a_round(table.next_round()))
