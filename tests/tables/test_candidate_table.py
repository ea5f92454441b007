"""The candidate table: what is committed comes back, bit for bit, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from designloop.records import Candidate, Evaluation, Result, Round, Scored, State, Status
from designloop.tables import durable, open_candidates
from designloop.tables.errors import DiskError, TableError
from designloop.tables.files import STATES_KEPT
from designloop.tables.manifest import EMPTY_DIGEST, FOLDERS
from tests.tables.disks import ForgetfulOs, Image, Stopped, StoppingOs
from tests.tables.fakes import FakeCampaign, FakeOracle, a_round, molecule, open_table, scored, unscored


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests need no fsync: they are about what is written, not about what a power cut leaves."""
    monkeypatch.setattr(durable, "os", StoppingOs())


@pytest.fixture
def campaign(tmp_path: Path) -> FakeCampaign:
    return FakeCampaign(tmp_path)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_table_is_empty(campaign):
    with open_table(campaign) as table:
        assert (table.rounds(), table.charged(), table.calls(), table.next_round()) == ([], [], 0, 0)
        assert table.last_state() is None
        assert table.finished is None
        assert table.digest() == EMPTY_DIGEST
        assert table.per_oracle_calls() == {"weight": 0, "logP": 0}


def test_what_is_committed_is_there_after_opening_again(campaign):
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number))
        content = (table.rounds(), table.scores(), table.calls(), table.next_round(), table.digest(), table.campaign_id)
    with open_table(campaign) as table:
        assert content == (
            table.rounds(),
            table.scores(),
            table.calls(),
            table.next_round(),
            table.digest(),
            table.campaign_id,
        )
        assert table.calls() == 9
        assert table.charged() == [molecule(10 * number + row) for number in range(3) for row in range(3)]
        state = table.last_state()
        assert state is not None
        assert state.data == {"round": 2, "best": 2.1}
        np.testing.assert_array_equal(state.arrays["weights"], np.arange(2, 10, dtype=np.float32))
        assert table.rounds()[1].metrics == {"drawn": 10.0, "note": "of round 1"}


def test_a_campaign_without_starting_molecules_begins_at_round_1(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(1))
        table.commit(a_round(2))
    with open_table(campaign) as table:
        assert [info.number for info in table.rounds()] == [1, 2]


def test_an_empty_round_is_a_round(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0, rows=0))
    with open_table(campaign) as table:
        assert (table.next_round(), table.calls()) == (1, 0)
        assert table.rounds()[0].rows == 0


def test_the_last_two_states_are_kept(campaign):
    with open_table(campaign) as table:
        for number in range(5):
            table.commit(a_round(number))
            kept = {f"states/{n:05d}.{s}" for n in range(number + 1)[-STATES_KEPT:] for s in ("safetensors", "json")}
            assert {name for name in files_of(table.folder) if name.startswith("states/")} == kept


def test_calls_are_counted_by_property_where_it_was_asked(campaign):
    skipped = Scored(
        Evaluation(Candidate("CCO", "prior"), {"weight": Result(1.0), "logP": Result(None, "not_run")}),
        {"weight": 1.0, "logP": None},
        None,
    )
    with open_table(campaign) as table:
        table.commit(Round(0, [skipped, unscored("CCN"), scored("CCC")]))
        assert table.per_oracle_calls() == {"weight": 3, "logP": 2}
        assert table.calls() == 3


def test_what_is_not_allowed_stays_so_whatever_comes_after_and_moves_no_digest(campaign):
    start = [scored("CCO", 0.9, proposer="start", allowed=False), scored("CCN", 0.5, proposer="start")]
    with open_table(campaign) as table:
        table.commit(Round(0, start, kind="start"))
        digest = table.digest()
        table.commit(Round(1, [scored("CCO", 0.8, proposer="retry")], kind="amendment"))
        assert table.ranked_scores() == {"CCN": 0.5}
    with open_table(campaign) as table:
        assert table.ranked_scores() == {"CCN": 0.5}
        assert table.scores() == {"CCO": 0.8, "CCN": 0.5}
    candidates = open_candidates(campaign.output_folder)
    assert candidates.query("SELECT smiles, allowed, score FROM candidates ORDER BY call").to_pylist() == [
        {"smiles": "CCO", "allowed": False, "score": 0.8},
        {"smiles": "CCN", "allowed": True, "score": 0.5},
    ]
    allowed = replace(campaign, name="allowed")
    with open_table(allowed) as table:
        rows = [scored(smiles, score, proposer="start") for smiles, score in (("CCO", 0.9), ("CCN", 0.5))]
        table.commit(Round(0, rows, kind="start"))
        assert table.digest() == digest


def test_an_amendment_supersedes_and_charges_nothing(campaign):
    with open_table(campaign) as table:
        table.commit(Round(0, [scored("CCC", 0.25), unscored("CCN")], kind="start"))
        table.commit(Round(1, [scored("CCN", 0.75, proposer="retry")], kind="amendment"))
        table.commit(Round(2, [scored("CCO", 0.5)]))
        assert table.calls() == 3
        assert table.per_oracle_calls() == {"weight": 3, "logP": 3}
        assert table.scores() == {"CCC": 0.25, "CCN": 0.75, "CCO": 0.5}
    rows = open_candidates(campaign.output_folder).to_arrow().to_pylist()
    assert [(row["call"], row["round"], row["smiles"], row["status"], row["score"]) for row in rows] == [
        (1, 0, "CCC", "ok", 0.25),
        (2, 0, "CCN", "ok", 0.75),
        (3, 2, "CCO", "ok", 0.5),
    ]
    assert (rows[1]["proposer"], rows[1]["logP"], rows[1]["logP_desirability"]) == ("crossover", -0.75, 0.25)
    with open_table(campaign) as table:
        assert table.scores() == {"CCC": 0.25, "CCN": 0.75, "CCO": 0.5}


def test_the_end_holds_until_a_later_round(campaign):
    def end() -> tuple[str, int] | None:
        return (table.finished.reason, table.finished.after_round) if table.finished else None

    with open_table(campaign) as table:
        table.finish("exhausted")
        assert end() == ("exhausted", -1)
        table.commit(a_round(0))
        assert end() is None
        table.finish("budget spent")
    with open_table(campaign) as table:
        assert end() == ("budget spent", 0)


# ---- identity


def test_equal_rounds_give_equal_digests_whatever_lies_beside(tmp_path):
    digests = []
    for name, seconds in (("one", 0.1), ("other", 99.0)):
        with open_table(FakeCampaign(tmp_path, name)) as table:
            done = a_round(0)
            slow = [
                replace(row, evaluation=replace(row.evaluation, results={
                    key: replace(result, seconds=seconds, attempt=int(seconds) + 1)
                    for key, result in row.evaluation.results.items()
                }))
                for row in done.scored
            ]  # fmt: skip
            table.commit(replace(done, scored=slow, metrics={"seconds": seconds}, state=State(data={"s": seconds})))
            digests.append(table.digest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "other",
    [
        scored("CO", math.nextafter(0.5, 1)),
        scored("CO", 0.5, proposer="mutation"),
        scored("CO", 0.5, selfies=None),
        scored("CO", 0.5, parents=("C",)),
        scored("CN", 0.5),
        unscored("CO"),
    ],
    ids=["a last bit", "proposer", "selfies", "parents", "smiles", "status"],
)
def test_every_part_of_a_row_counts_in_the_digest(tmp_path, other):
    digests = []
    for name, row in (("one", scored("CO", 0.5)), ("other", other)):
        with open_table(FakeCampaign(tmp_path, name)) as table:
            table.commit(Round(0, [row]))
            digests.append(table.digest())
    assert digests[0] != digests[1]


def test_the_digest_depends_on_the_order_of_rows(tmp_path):
    digests = []
    for name, order in (("one", (0, 1)), ("other", (1, 0))):
        with open_table(FakeCampaign(tmp_path, name)) as table:
            table.commit(Round(0, [scored(molecule(number), 0.5) for number in order]))
            digests.append(table.digest())
    assert digests[0] != digests[1]


def test_the_digest_is_what_it_was_in_schema_version_1(campaign):
    """A change here breaks the comparison with every table that was ever written."""
    with open_table(campaign) as table:
        table.commit(Round(0, [scored("CCO", 0.1, parents=("C", "O")), unscored("CCN")]))
        digest = table.digest()
    lines = (
        '[0, 0, "CCO", "[C]", "prior", ["C", "O"], "ok", "0x1.999999999999ap-4", "0x1.999999999999ap-4", '
        '"-0x1.999999999999ap-4", "0x1.1111111111111p-5", "0x1.999999999999ap-4"]\n'
        '[0, 1, "CCN", null, "crossover", ["CO", "CN"], "timeout", "0x1.0000000000000p-1", "0x1.0000000000000p-1", '
        "null, null, null]\n"
    )
    assert digest == hashlib.sha256((EMPTY_DIGEST + lines).encode()).hexdigest()


# ---- refusals


def test_a_molecule_is_charged_once(campaign):
    with open_table(campaign) as table:
        with pytest.raises(TableError, match="round 0 holds CCO twice"):
            table.commit(Round(0, [scored("CCO"), scored("CCO")]))
        table.commit(Round(0, [scored("CCO")]))
        with pytest.raises(TableError, match="round 1 of kind round holds CCO, which was charged before"):
            table.commit(Round(1, [scored("CCO")]))
        with pytest.raises(TableError, match="never charged"):
            table.commit(Round(1, [scored("CCN")], kind="amendment"))
        table.commit(Round(1, [scored("CCN")]))


def test_rounds_come_in_turn(campaign):
    with open_table(campaign) as table:
        with pytest.raises(TableError, match="found round 2, expected 0 or 1"):
            table.commit(a_round(2))
        table.commit(a_round(0))
        for number in (0, 2):
            with pytest.raises(TableError, match=f"found round {number}, expected 1"):
                table.commit(a_round(number))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Scored(scored("CO").evaluation, {"weight": 0.5, "logP": 0.5}, None), "found status ok with score None"),
        (replace(unscored("CO"), score=0.0), "found status timeout with score 0.0"),
        (Scored(scored("CO").evaluation, {"weight": 0.5}, 0.5), "Give a result"),
        (scored("CO", math.nan), "found the number nan, expected a finite one"),
        (scored("CO", math.inf), "found the number inf, expected a finite one"),
        (scored("C(", 0.5), "found 'C\\('"),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_rule_is_refused(campaign, row, message):
    with open_table(campaign) as table, pytest.raises(TableError, match=message):
        table.commit(Round(0, [row]))
    with open_table(campaign) as table:
        assert table.rounds() == []


def test_a_value_goes_with_status_ok_only(campaign):
    results = {"weight": Result(0.0, "failed"), "logP": Result(0.5)}
    row = Scored(Evaluation(Candidate("CO", "prior"), results), {"weight": None, "logP": 0.5}, None)
    with (
        open_table(campaign) as table,
        pytest.raises(TableError, match="property weight: found status failed with value 0"),
    ):
        table.commit(Round(0, [row]))


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"Round": 1.0}, "metric is called 'Round'"),
        ({"loss": 1.0, "LOSS": 2.0}, "metric is called 'LOSS'"),
        ({"loss": None}, "metric 'loss' is None, expected a number or text"),
    ],
)
def test_a_metric_that_cannot_be_a_column_is_refused(campaign, metrics, message):
    with open_table(campaign) as table, pytest.raises(TableError, match=message):
        table.commit(Round(0, [], metrics))


def test_a_property_that_cannot_be_a_column_is_refused(tmp_path):
    with pytest.raises(TableError, match="property 'Score' makes a column 'Score'"):
        open_table(FakeCampaign(tmp_path, oracles={"Score": FakeOracle("x")}))


# ---- damage


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


# ---- crashes


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


# ---- round trips

_text = st.text(max_size=8)
_finite = st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_arrays = st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i1", "u8", "u2", "u1", "?", ">f4"]).flatmap(
    lambda kind: npst.arrays(kind, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)


@st.composite
def _row(draw: st.DrawFn, number: int) -> Scored:
    def result() -> Result:
        statuses: list[Status] = ["ok", "ok", "ok", "not_run", "failed", "timeout"]
        status = draw(st.sampled_from(statuses))
        value = draw(_finite) if status == "ok" else None
        return Result(
            value, status, None if status == "ok" else draw(_text), draw(st.floats(0, 1e6)), draw(st.integers(1, 9))
        )

    candidate = Candidate(
        molecule(number),
        draw(_text),
        draw(st.none() | _text),
        tuple(draw(st.lists(_text, max_size=2))),
        draw(st.integers(0, 999)),
        draw(st.none() | _text),
    )
    evaluation = Evaluation(candidate, {"weight": result(), "logP": result()})
    desirability = {
        name: draw(st.floats(0, 1)) if result.status == "ok" else None for name, result in evaluation.results.items()
    }
    return Scored(evaluation, desirability, draw(_finite) if evaluation.status == "ok" else None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_and_state_come_back_bit_for_bit(tmp_path_factory, data):
    campaign = FakeCampaign(tmp_path_factory.mktemp("trip"))
    rows = [data.draw(_row(number)) for number in range(data.draw(st.integers(0, 3)))]
    state = State(
        data.draw(st.dictionaries(st.text(min_size=1, max_size=5), _arrays, max_size=3)),
        data.draw(st.dictionaries(_text, _json, max_size=3)),
    )
    with open_table(campaign) as table:
        table.commit(Round(0, rows, {"loss": data.draw(st.floats())}, state))
    with open_table(campaign) as table:
        back = table.last_state()
        assert back is not None
        assert repr(back.data) == repr(state.data)  # by repr, as a NaN is not equal to itself
        assert set(back.arrays) == set(state.arrays)
        for name, array in state.arrays.items():
            assert back.arrays[name].shape == array.shape
            assert back.arrays[name].tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
            assert back.arrays[name].flags.writeable
    stored = open_candidates(campaign.output_folder).to_arrow().to_pylist()
    for position, (row, stored_row) in enumerate(zip(rows, stored, strict=True)):
        candidate, results = row.candidate, row.evaluation.results
        expected = {
            "position": position,
            "call": position + 1,
            "smiles": candidate.smiles,
            "selfies": candidate.selfies,
            "proposer": candidate.proposer,
            "parents": list(candidate.parents),
            "model_round": candidate.model_round,
            "written": candidate.written,
            "status": row.status,
            "score": row.score,
            "weight": results["weight"].value,
            "weight_desirability": row.desirability["weight"],
            "logP": results["logP"].value,
            "logP_desirability": row.desirability["logP"],
        }
        assert repr({name: stored_row[name] for name in expected}) == repr(expected)


def test_a_state_that_would_not_come_back_is_refused(campaign):
    for state, message in [
        (State(data={"elites": [("CCO", 0.5)]}), r"state.data\['elites'\]\[0\] is a tuple"),
        (State(data={"by round": {1: 2}}), "has the key 1 of type int"),
        (State(data={"n": np.int64(3)}), "is a int64"),
        (State({"z": np.array(["C"])}), "is numpy <U1"),
        (State({"z": [1.0]}), "is list"),  # type: ignore[dict-item]
    ]:
        with open_table(campaign) as table, pytest.raises(TableError, match=message):
            table.commit(Round(0, [], state=state))


def test_the_folder_is_made_with_those_above_it(tmp_path):
    campaign = FakeCampaign(tmp_path / "a" / "b")
    with open_table(campaign) as table:
        assert {path.name for path in table.folder.iterdir()} == {*FOLDERS, "campaign.json", ".lock"}
