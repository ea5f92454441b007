"""Ledgers that are damaged, foreign, or of an earlier schema."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from designloop.tables.ledger import Ledger
from designloop.tables.ledger_file import SCHEMA_VERSION, LedgerDiskError, LedgerError
from designloop.tables.ledger_reading import read_ledger, read_runs
from designloop.tables.ledger_records import Intent
from tests.tables.fakes import failed, ok

NAMES = {"f1": "qed", "f2": "docking"}
V1 = Path(__file__).parent / "data" / "ledger_v1.sqlite"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "demo.ledger.sqlite"


def test_a_foreign_sqlite_file_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE addresses (street TEXT)")
    connection.close()
    before = path.read_bytes()
    for open_it in (Ledger, read_runs):
        with pytest.raises(LedgerError, match=r"no designloop ledger.*name another file under `ledger:`"):
            open_it(path)
    assert path.read_bytes() == before
    with pytest.raises(LedgerError):  # and the lock was given back, or this would be LedgerBusy
        Ledger(path)


def test_a_file_that_is_no_database_is_refused(path):
    path.write_text("SMILES,activity\n" * 100)
    for open_it in (Ledger, read_runs):
        with pytest.raises(LedgerError, match=r"not an SQLite file\. Name another file"):
            open_it(path)


def test_a_damaged_ledger_is_named(path):
    with Ledger(path, "one") as ledger:
        ledger.record_intents({"f1": [f"C{row}" for row in range(2000)]}, NAMES)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    for open_it in (Ledger, read_runs):
        with pytest.raises(LedgerError, match=r"is damaged \(.*\)\. Restore it from a backup"):
            open_it(path)


CHANGES = {
    "smiles": "'CN'",
    "asker": "3 - asker",
    "number": "7",
    "attempt": "attempt + 1",
    "status": "'failed'",
    "value": "value * (1 + 1e-15)",
    "outputs": "'{\"a\": 1.0}'",
    "error": "'none'",
    "seconds": "seconds + 1",
    "finished": "finished + 1",
    "checksum": "NULL",
}


def edit(path, *statements):
    """Changes a ledger behind its back, as no one of its own does."""
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("column", CHANGES)
def test_a_run_that_does_not_match_its_checksum_is_told_and_not_used(path, column):
    with Ledger(path, "one") as ledger:
        ledger.record_intents({"f1": ["CCC"]}, NAMES, "check")  # so that there are two accounts
        ledger.record([ok(intent, 0.25) for intent in ledger.record_intents({"f1": ["C", "CC"]}, NAMES)])
    edit(path, f"UPDATE runs SET {column} = {CHANGES[column]} WHERE smiles = 'CC'")
    stored = read_ledger(path)
    assert [run.smiles for run in stored.runs] == ["C", "CCC"]
    shown = "CN" if column == "smiles" else "CC"
    sentence = rf"1 of 3 runs in the ledger .* do not match their checksums and are not used: those of {shown}\. Where"
    assert re.match(sentence, stored.remarks[0])
    with Ledger(path, "one") as ledger:
        assert ledger.remarks == list(stored.remarks)
        assert set(ledger.known("f1", ["C", "CC", "CN"])) == {"C"}
        assert ledger.seconds("f1") == [0.5]
        ledger.record([ok(intent, 0.25) for intent in ledger.record_intents({"f1": ["CC"]}, NAMES)])
        assert ledger.known("f1", ["CC"])["CC"].value == 0.25
    assert [run.value for run in read_ledger(path).runs] == [0.25, 0.25, None]


@pytest.mark.parametrize(("attempt", "change"), [(1, "seconds = 7.0"), (0, "smiles = 'CN'"), (0, "asker = 2")])
def test_a_failure_before_a_damaged_run_is_no_last_word(path, attempt, change):
    with Ledger(path, "one") as ledger:
        ledger.record_intents({"f1": ["CCC"]}, NAMES)
        ledger.record_intents({"f1": ["CCC"]}, NAMES, "check")  # so that there are two accounts
        [first] = ledger.record_intents({"f1": ["C"]}, NAMES)
        second = Intent("f1", "C", number=2, attempt=attempt + 1)
        ledger.record([failed(first, attempt=attempt, again=second)])
        ledger.record([ok(second)])
        assert ledger.known("f1", ["C"])["C"].status == "ok"
    edit(path, f"UPDATE runs SET {change} WHERE smiles = 'C' AND number = 2")
    with Ledger(path, "one") as ledger:
        assert "do not match" in ledger.remarks[0]
        assert ledger.known("f1", ["C"]) == {}
        ledger.record([ok(intent, 0.25) for intent in ledger.record_intents({"f1": ["C"]}, NAMES)])
        assert ledger.known("f1", ["C"])["C"].value == 0.25


def test_text_that_is_not_utf_8_costs_one_run_and_not_the_ledger(path):
    with Ledger(path, "one") as ledger:
        ledger.record([failed(intent) for intent in ledger.record_intents({"f1": ["C", "CC"]}, NAMES)])
    edit(path, "UPDATE runs SET error = CAST(x'ff41' AS TEXT) WHERE smiles = 'C'")
    assert [run.smiles for run in read_ledger(path).runs] == ["CC"]
    with Ledger(path, "one") as ledger:
        assert set(ledger.known("f1", ["C", "CC"])) == {"CC"}


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM runs WHERE smiles = 'C'", "found 1 runs, expected 2"),
        ("DELETE FROM totals", "found 2 runs and no count"),
        ("UPDATE oracles SET fingerprint = 'f2'", "the row 1 of its table oracles does not match its checksum"),
        ("UPDATE oracles SET name = 'qde'", "the row 1 of its table oracles does not match its checksum"),
        ("UPDATE askers SET campaign = 'two'", "the row 1 of its table askers does not match its checksum"),
        ("DELETE FROM oracles", "does not say whose 2 of its runs are"),
        ("DELETE FROM askers", "does not say whose 2 of its runs are"),
        ("DROP TABLE runs", "no such table: runs.* It is damaged"),
    ],
)
def test_a_ledger_whose_runs_are_gone_or_without_meaning_is_refused(path, statement, why):
    with Ledger(path, "one") as ledger:
        ledger.record_intents({"f1": ["C", "CC"]}, NAMES)
    edit(path, statement)
    for open_it in (Ledger, read_runs):
        with pytest.raises(LedgerError, match=rf"The ledger .*{path.name}.*{why}.* Restore it from a backup"):
            open_it(path)


def test_a_damaged_ledger_that_was_refused_is_not_locked(path):
    Ledger(path).close()
    edit(path, "DELETE FROM totals")
    for _ in range(2):
        with pytest.raises(LedgerError, match="no count of them"):
            Ledger(path)


def test_a_full_disk_is_told_apart_from_damage(path):
    with Ledger(path, "one") as ledger:
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerDiskError, match=r"full\. See that the disk has space"):
            ledger.record_intents({"f1": [f"C{row}" for row in range(2000)]}, NAMES)
        assert ledger.runs() == []


def test_a_newer_ledger_is_refused(path):
    Ledger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for open_it in (Ledger, read_runs):
        with pytest.raises(LedgerError, match=rf"newer designloop \(ledger schema {SCHEMA_VERSION + 1}.*Upgrade"):
            open_it(path)


def test_an_emptied_ledger_is_told(path):
    path.touch()
    stored = read_ledger(path)
    assert stored.runs == []
    assert re.match(r"the ledger .*demo.ledger.sqlite is empty", stored.remarks[0])


def test_a_ledger_of_schema_1_stays_readable(tmp_path):
    kept = shutil.copy(V1, tmp_path)  # SQLite leaves files beside what it reads
    rows = [[run.campaign, run.oracle, run.smiles, run.status, run.value] for run in read_runs(Path(kept))]
    assert rows == json.loads(V1.with_suffix(".json").read_text())


def test_outputs_that_are_no_json_are_told_where_no_checksum_was(tmp_path):
    kept = Path(shutil.copy(V1, tmp_path))
    edit(kept, "UPDATE runs SET outputs = '{' WHERE outputs IS NOT NULL OR value IS NOT NULL")
    with pytest.raises(LedgerError, match=r"ledger_v1.sqlite is damaged: outputs of a run are no JSON .* Restore it"):
        read_ledger(kept)


def test_a_ledger_of_schema_1_is_given_checksums_when_it_is_written_to(tmp_path):
    kept = Path(shutil.copy(V1, tmp_path))
    before = read_runs(kept)
    with Ledger(kept, "new") as ledger:
        assert ledger.remarks == []
        assert ledger.runs() == before, "what it held is taken to be right"
        ledger.record([ok(intent) for intent in ledger.record_intents({"f9": ["CCCCCCC"]}, {"f9": "new"})])
    assert len(read_ledger(kept).runs) == len(before) + 1
    edit(kept, "UPDATE runs SET attempt = attempt + 1")
    assert read_ledger(kept).runs == [], "and from then on it is checked"


def test_nothing_is_written_beside_what_is_no_ledger(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("mine\n" * 100)
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE addresses (street TEXT)")
    connection.close()
    before = sorted(tmp_path.iterdir())
    for name, why in (
        ("folder", "is a folder, expected a file"),
        ("notes.txt", "not an SQLite"),
        ("other.sqlite", "no d"),
    ):
        with pytest.raises(LedgerError, match=why):
            Ledger(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before
