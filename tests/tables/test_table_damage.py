"""Damage to a candidate table's files is told, and healed where it can be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from designloop.tables import durable, open_candidates
from designloop.tables.errors import DiskError, TableError
from tests.tables.disks import Stopped, StoppingOs
from tests.tables.fakes import FakeCampaign, a_round, open_table

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.mark.parametrize("damage", ["missing", "shortened", "flipped", "a folder"])
def test_damaged_rows_are_named_and_never_skipped(campaign, damage):
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number))
    spoil(campaign.output_folder / "rounds/00001.parquet", damage)
    with pytest.raises(
        TableError, match=r"rounds/00001.parquet (is|cannot) .*round 1.*Restore it from a backup, or start again"
    ):
        open_table(campaign)


@pytest.mark.parametrize("damage", ["missing", "shortened", "flipped", "a folder"])
def test_damaged_details_are_named_and_keep_nobody_from_going_on(campaign, damage):
    with open_table(campaign) as table:
        for number in range(2):
            table.commit(a_round(number))
    spoil(campaign.output_folder / "details/00000.parquet", damage)
    with open_table(campaign) as table:
        (remark,) = table.remarks
        assert re.match(r".*details/00000.parquet .*round 0 .*timings are lost; the table's rows are whole", remark)
        table.commit(a_round(2))
        digest = table.digest()
    with open_table(FakeCampaign(campaign.folder, "whole")) as table:
        for number in range(3):
            table.commit(a_round(number))
        assert table.digest() == digest


@pytest.mark.parametrize("damage", ["missing", "shortened", "flipped"])
def test_a_damaged_last_state_can_be_taken_back(campaign, damage):
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number))
        digest = table.digest()
    spoil(campaign.output_folder / "states/00002.safetensors", damage)
    with (
        open_table(campaign) as table,
        pytest.raises(TableError, match=r"move .*manifests/00002.json out of the folder"),
    ):
        table.last_state()
    (campaign.output_folder / "manifests/00002.json").rename(campaign.folder / "elsewhere.json")
    with open_table(campaign) as table:
        state = table.last_state()
        assert state is not None
        assert state.data["round"] == 1
        table.commit(a_round(2))
        assert table.digest() == digest


@pytest.mark.parametrize("name", ["campaign.json", "manifests/00001.json"])
@pytest.mark.parametrize("damage", ["shortened", "flipped", "a folder"])
def test_a_damaged_json_file_is_named(campaign, name, damage):
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number))
    spoil(campaign.output_folder / name, damage)
    with pytest.raises(TableError, match=f"{name} (is damaged|cannot be read)"):
        open_table(campaign)


@pytest.mark.parametrize("damage", ["shortened", "flipped", "a folder"])
def test_a_damaged_end_or_head_is_told_and_written_anew(campaign, damage):
    with open_table(campaign) as table:
        table.commit(a_round(0))
        table.finish("budget spent")
    folder = campaign.output_folder
    for name in ("finished.json", "head.json"):
        spoil(folder / name, damage)
    (stored,) = open_candidates(folder).campaigns()
    assert stored.finish is None
    assert [len(stored.rounds), *map(bool, stored.remarks)] == [1, True, True]
    assert "designloop run` has marked it anew" in stored.remarks[1]
    with open_table(campaign) as table:
        assert table.finished is None
        assert list(stored.remarks) == table.remarks
        if damage == "a folder":
            with pytest.raises(DiskError, match="end of the campaign could not be marked"):
                table.finish("budget spent")
            return
        table.commit(a_round(1))
        table.finish("budget spent")
    (stored,) = open_candidates(folder).campaigns()
    assert stored.finish is not None
    assert stored.remarks == []


def test_a_lost_last_manifest_is_told_and_its_round_is_committed_again(campaign):
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number))
        digest = table.digest()
    (campaign.output_folder / "manifests/00002.json").unlink()
    (stored,) = open_candidates(campaign.output_folder).campaigns()
    assert [info.number for info in stored.rounds] == [0, 1]
    lost = r"round 2 was committed, but its manifest .*manifests/00002.json is missing, so the table ends with round 1"
    assert re.match(lost, stored.remarks[0])
    with open_table(campaign) as table:
        assert re.match(lost, table.remarks[0])
        table.commit(a_round(2))
        assert table.digest() == digest
    with open_table(campaign) as table:
        assert table.remarks == []


def test_a_lost_end_is_told_and_one_that_was_taken_back_is_not(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0))
        table.finish("budget spent")
    end = campaign.output_folder / "finished.json"
    kept = end.read_bytes()
    end.unlink()
    (stored,) = open_candidates(campaign.output_folder).campaigns()
    assert re.match(r".*finished.json is missing: how the campaign ended is not known until", stored.remarks[0])
    end.write_bytes(kept)
    with open_table(campaign) as table:
        assert table.remarks == []
        table.commit(a_round(1))
    end.unlink()
    (stored,) = open_candidates(campaign.output_folder).campaigns()
    assert stored.remarks == [], "the campaign had been taken up again"


def test_a_campaign_from_before_there_was_a_head_is_read_without_a_word(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0))
    (campaign.output_folder / "head.json").unlink()
    (stored,) = open_candidates(campaign.output_folder).campaigns()
    assert stored.remarks == []


def test_a_crash_between_manifest_and_head_is_no_damage(campaign, monkeypatch):
    """The head is one round behind then: at every step of a commit, what is told afterwards is nothing."""
    for step in range(1, 100):
        stopped = FakeCampaign(campaign.folder, f"stopped-{step}")
        with open_table(stopped) as table:
            table.commit(a_round(0))
            monkeypatch.setattr(durable, "os", StoppingOs(step=step))
            try:
                table.commit(a_round(1))
            except Stopped:
                pass
            else:
                break
            finally:
                monkeypatch.setattr(durable, "os", StoppingOs())
        (stored,) = open_candidates(stopped.output_folder).campaigns()
        with open_table(stopped) as table:
            assert (table.remarks, stored.remarks) == ([], []), f"step {step}"
    assert step > 20, "the steps are not counted"


def test_a_ledger_that_was_lost_is_told_where_calls_were_charged(campaign):
    with open_table(campaign) as table:
        table.ledger  # noqa: B018 - begun before anything was charged, without a word
        assert table.remarks == []
        table.commit(a_round(0))
    campaign.ledger_path.unlink()
    with open_table(campaign) as table:
        table.ledger  # noqa: B018
        assert re.match(
            r"the ledger .*small.ledger.sqlite is missing or empty, though 3 calls were made", table.remarks[0]
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("campaign.json", r"campaign.json is missing, though .*manifests holds committed rounds"),
        ("manifests/00000.json", r"00001.json does not follow .*00000.json, which is missing"),
        ("manifests/00001.json", r"00002.json does not follow .*00001.json, which is missing"),
    ],
)
def test_a_missing_json_file_is_named(campaign, name, message):
    with open_table(campaign) as table:
        for number in range(4):
            table.commit(a_round(number))
    (campaign.output_folder / name).unlink()
    with pytest.raises(TableError, match=message):
        open_table(campaign)


def test_a_manifest_of_another_campaign_is_refused(campaign):
    other = FakeCampaign(campaign.folder, "other")
    for owner in (campaign, other):
        with open_table(owner) as table:
            table.commit(a_round(0))
    manifest = "manifests/00000.json"
    (campaign.output_folder / manifest).write_bytes((other.output_folder / manifest).read_bytes())
    with pytest.raises(TableError, match="belongs to round 0 of campaign"):
        open_table(campaign)


def test_a_newer_schema_is_refused(campaign):
    open_table(campaign).close()
    path = campaign.output_folder / "campaign.json"
    sealed = json.loads(path.read_text())
    path.write_text(json.dumps(sealed | {"schema_version": 2}))
    with pytest.raises(TableError, match="has schema version 2; this designloop reads 1"):
        open_table(campaign)


def spoil(path: Path, damage: str) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    if damage in ("missing", "a folder"):
        path.unlink()
        if damage == "a folder":
            path.mkdir()
    elif damage == "shortened":
        path.write_bytes(content[:middle])
    else:
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
