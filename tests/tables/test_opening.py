"""Whether a folder is this campaign's, one writer at a time, and what is recorded of each opening."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from designloop.tables import TableBusy, TableError, open_candidates
from designloop.tables.manifest import read_campaign
from tests.tables.fakes import FakeCampaign, FakeOracle, a_round, open_table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def campaign(tmp_path: Path) -> FakeCampaign:
    return FakeCampaign(tmp_path)


def openings(campaign: FakeCampaign):
    record = read_campaign(campaign.output_folder)
    assert record is not None
    return record.openings


def test_the_first_manifest_says_what_was_begun(campaign):
    environment = {"torch": "2.13.0", "threads": 2, "precision": "float32"}
    with open_table(campaign, environment=environment) as table:
        assert table.environment == environment
        assert len(table.campaign_id) == 32
    (begun,) = openings(campaign)
    assert begun.dump == {"seed": 1, "budget": {"oracle_calls": 100}}
    assert begun.fingerprint == campaign.fingerprint
    assert begun.oracles == {"weight": "f-weight", "logP": "f-logp"}
    assert begun.environment == environment
    assert begun.after_round == -1


def test_opening_again_unchanged_records_nothing(campaign):
    open_table(campaign, environment={"threads": 2}).close()
    before = (campaign.output_folder / "campaign.json").read_bytes()
    open_table(campaign, environment={"threads": 2}).close()
    open_table(campaign).close()
    assert (campaign.output_folder / "campaign.json").read_bytes() == before


def test_what_may_change_is_recorded_and_the_id_stays(campaign):
    with open_table(campaign, environment={"threads": 2}) as table:
        table.commit(a_round(0))
        begun = table.campaign_id
    raised = replace(campaign, settings={"seed": 1, "budget": {"oracle_calls": 200}})
    with open_table(raised, environment={"threads": 8}) as table:
        assert table.campaign_id == begun
        assert table.environment == {"threads": 2}, "identity is that of the machine it was begun on"
    first, second = openings(campaign)
    assert (first.dump["budget"], second.dump["budget"]) == ({"oracle_calls": 100}, {"oracle_calls": 200})
    assert (second.after_round, second.environment) == (0, {"threads": 8})


def begin(campaign):
    """Opens the table and commits a round."""
    with open_table(campaign) as table:
        table.commit(a_round(0))


def test_another_setting_is_refused_by_key(campaign):
    begin(campaign)
    with pytest.raises(TableError, match=r"begun with other settings:\n  seed\nSet them back .*--fresh"):
        open_table(replace(campaign, settings={"seed": 2, "budget": {}}))
    assert len(openings(campaign)) == 1


def test_another_campaign_in_the_folder_is_refused(campaign):
    open_table(campaign).close()
    (campaign.folder / "small").rename(campaign.folder / "other")
    with pytest.raises(TableError, match=r"holds the campaign 'small', expected 'other'. Set `output:`"):
        open_table(replace(campaign, name="other"))


def test_fresh_moves_no_other_campaigns_results(campaign):
    begin(campaign)
    before = (campaign.output_folder / "campaign.json").read_bytes()
    other = OfOneFolder(campaign.folder, name="other")
    assert other.output_folder == campaign.output_folder
    with pytest.raises(TableError, match=r"holds the campaign 'small', expected 'other'. Set `output:`"):
        open_table(other, fresh=True)
    assert (campaign.output_folder / "campaign.json").read_bytes() == before
    (campaign.output_folder / "campaign.json").write_text("{")  # nobody knows whose it was
    with open_table(other, fresh=True) as table:
        assert table.moved_aside == campaign.folder / "small.1"


def test_fresh_never_moves_the_ledger(tmp_path):
    campaign = LedgerWithin(tmp_path)
    begin(campaign)
    with pytest.raises(TableError, match=r"would move .*small aside, and the ledger with it"):
        open_table(campaign, fresh=True)


class OfOneFolder(FakeCampaign):
    """A campaign whose results lie in one folder, whatever its name."""

    @property
    def output_folder(self) -> Path:
        return self.folder / "small"


class LedgerWithin(FakeCampaign):
    """A campaign whose ledger lies among its results."""

    @property
    def ledger_path(self) -> Path:
        return self.output_folder / "runs.sqlite"


OTHERS = {"settings": {"seed": 2, "budget": {}}, "oracles": {"weight": FakeOracle("another"), "logP": FakeOracle("")}}


@pytest.mark.parametrize("key", OTHERS)
def test_until_a_round_is_committed_all_may_change_which_is_told(campaign, key):
    with open_table(campaign) as table:
        opened_as = table.campaign_id
    other = replace(campaign, **{key: OTHERS[key]})
    with open_table(other) as table:
        assert [remark for remark in table.remarks if "no round was committed" in remark]
        assert table.campaign_id != opened_as
        table.commit(a_round(0))
    with open_table(other) as table:
        assert table.remarks == []
    assert len(openings(campaign)) == 1
    with pytest.raises(TableError, match=r"was begun with other|since the campaign"):
        open_table(campaign)


def test_rounds_that_were_lost_do_not_make_a_campaign_unbegun(campaign):
    begin(campaign)
    for manifest in (campaign.output_folder / "manifests").iterdir():
        manifest.unlink()
    with pytest.raises(TableError, match=r"begun with other settings:\n  seed"):
        open_table(replace(campaign, settings=OTHERS["settings"]))


def test_other_properties_are_refused(campaign):
    begin(campaign)
    with pytest.raises(TableError, match=r"other properties: found weight, expected weight, logP\."):
        open_table(replace(campaign, oracles={"weight": FakeOracle("f-weight")}))


def test_a_changed_oracle_is_refused_unless_accepted_which_is_recorded(campaign):
    with open_table(campaign) as table:
        table.commit(a_round(0))
    changed = replace(campaign, oracles={"weight": FakeOracle("f-weight"), "logP": FakeOracle("newer")})
    with pytest.raises(TableError, match=r"has changed .*: logP\. .*--accept-changed-oracles"):
        open_table(changed)
    open_table(changed, accept_changed_oracles=True).close()
    first, second = openings(campaign)
    assert (list(first.accepted), list(second.accepted)) == ([], ["logP"])
    assert second.after_round == 0
    with open_table(changed) as table:  # once accepted, it is what the campaign runs with
        table.commit(a_round(1))
    with pytest.raises(TableError, match="has changed"):
        open_table(campaign)


def test_fresh_moves_aside_and_deletes_nothing(campaign):
    ids = []
    for number in range(3):
        with open_table(campaign, fresh=True) as table:
            assert table.rounds() == []
            assert table.moved_aside == (campaign.folder / f"small.{number}" if number else None)
            for earlier in range(number + 1):
                table.commit(a_round(earlier))
            ids.append(table.campaign_id)
    assert len(set(ids)) == 3
    for name, rounds in (("small.1", 1), ("small.2", 2), ("small", 3)):
        (stored,) = open_candidates(campaign.folder / name).campaigns()
        assert len(stored.rounds) == rounds
        assert stored.ledger_path == campaign.ledger_path


def test_fresh_without_an_earlier_table_moves_nothing(campaign):
    campaign.output_folder.mkdir()
    open_table(campaign, fresh=True).close()
    assert not (campaign.folder / "small.1").exists()


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("name", ["notes.txt", "campaign.json", "rounds/mine.csv"])
def test_a_folder_of_other_things_is_neither_written_to_nor_moved(campaign, fresh, name):
    path = campaign.output_folder / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(
        TableError, match=rf"small is no campaign's folder .* found {name.split('/')[0]}\. Set `output:`"
    ):
        open_table(campaign, fresh=fresh)
    assert [file for file in campaign.folder.rglob("*") if file.is_file()] == [path]


def test_what_a_first_opening_leaves_that_was_cut_off_is_taken_up(campaign):
    campaign.output_folder.mkdir()
    for name in ("rounds", "details"):
        (campaign.output_folder / name).mkdir()
    (campaign.output_folder / ".lock").touch()
    (campaign.output_folder / "campaign.json.tmp").write_text("{")
    open_table(campaign).close()
    assert len(openings(campaign)) == 1


def test_fresh_never_moves_the_campaign_file(tmp_path):
    campaign = FakeCampaign(tmp_path, name=".")
    open_table(campaign).close()
    with pytest.raises(TableError, match=r"would move .* aside, and the campaign file with it"):
        open_table(campaign, fresh=True)


def test_fresh_leaves_a_running_campaign_alone(campaign):
    with open_table(campaign), pytest.raises(TableBusy):
        open_table(campaign, fresh=True)
    assert not (campaign.folder / "small.1").exists()


def test_one_writer_in_a_process(campaign):
    with open_table(campaign), pytest.raises(TableBusy, match="open for writing in this process already"):
        open_table(campaign)
    open_table(campaign).close()


def test_a_table_that_nobody_holds_any_more_is_free(campaign):
    table = open_table(campaign)
    del table
    open_table(campaign).close()


def test_one_writer_among_processes(campaign):
    code = (
        "import sys; from pathlib import Path; from tests.tables.fakes import FakeCampaign, open_table\n"
        "table = open_table(FakeCampaign(Path(sys.argv[1]))); print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(campaign.folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(TableBusy, match=f"written to by process {other.pid} on .*give the same command again"):
            open_table(campaign)
        other.kill()
    open_table(campaign).close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "small").write_text("a file where the folder should be")
    with pytest.raises(
        TableError, match=r"small is a file, expected the folder of results\. Set `output:` to another name"
    ):
        open_table(FakeCampaign(tmp_path))


def test_a_table_that_cannot_be_opened_is_not_locked(campaign):
    open_table(campaign).close()
    path = campaign.output_folder / "campaign.json"
    sealed = path.read_text()
    path.write_text("{}")
    with pytest.raises(TableError, match="damaged"):
        open_table(campaign)
    path.write_text(sealed)
    open_table(campaign).close()


def test_the_ledger_is_found_after_folder_and_ledger_moved_together(tmp_path):
    campaign = FakeCampaign(tmp_path / "here")
    with open_table(campaign) as table:
        table.ledger.record_intents({"f": ["CCO"]}, {"f": "oracle"})
    (tmp_path / "here").rename(tmp_path / "there")
    rows = open_candidates(tmp_path / "there" / "small").query("SELECT oracle, smiles, status FROM runs")
    assert rows.to_pylist() == [{"oracle": "oracle", "smiles": "CCO", "status": None}]


def test_json_files_are_sealed(campaign):
    open_table(campaign).close()
    path = campaign.output_folder / "campaign.json"
    sealed = json.loads(path.read_text())
    sealed["body"]["openings"][0]["dump"]["seed"] = 2
    path.write_text(json.dumps(sealed))
    with pytest.raises(TableError, match="was edited: its content does not match its own checksum"):
        open_table(campaign)
