from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from designloop.tables.ledger import (
    Finished,
    Intent,
    Ledger,
    LedgerBusy,
    LedgerError,
    LedgerResult,
    read_ledger,
    read_runs,
)
from designloop.tables.ledger_file import SCHEMA_VERSION, LedgerDiskError

ROOT = Path(__file__).parents[2]
NAMES = {"f1": "qed", "f2": "docking"}
V1 = Path(__file__).parent / "data" / "ledger_v1.sqlite"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "demo.ledger.sqlite"


def ok(intent, value=1.0):
    return Finished(intent, "ok", value, None, 0.5, attempt=1)


def failed(intent, error="ValueError: no", attempt=1, again=None, status="failed"):
    return Finished(intent, status, None, error, 0.5, attempt=attempt, again=again)


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_an_ok_result_is_known_to_every_campaign(path):
    with Ledger(path, "one") as ledger:
        [intent] = ledger.intend({"f1": ["C"]}, NAMES)
        assert ledger.known("f1", ["C"]) == {}
        ledger.record([ok(intent, 0.25)])
    with Ledger(path, "two") as ledger:
        assert ledger.known("f1", ["CC", "C"]) == {"C": LedgerResult("ok", 0.25, None, 0.5, 1)}
        assert ledger.known("f2", ["C"]) == {}
        assert ledger.seconds("f1") == [0.5]
        assert ledger.seconds("f2") == []


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_failure_holds_within_its_campaign_only(path, status):
    with Ledger(path, "one") as ledger:
        ledger.record([failed(ledger.intend({"f1": ["C"]}, NAMES)[0], status=status)])
        assert ledger.known("f1", ["C"])["C"].status == status
    with Ledger(path, "two") as ledger:
        assert ledger.known("f1", ["C"]) == {}
        ledger.record([ok(ledger.intend({"f1": ["C"]}, NAMES)[0])])
    with Ledger(path, "one") as ledger:
        assert ledger.known("f1", ["C"])["C"].status == status, "a campaign's own failure holds: its table has it"
    with Ledger(path, "three") as ledger:
        assert ledger.known("f1", ["C"])["C"].status == "ok"


def test_a_failure_that_is_to_be_repeated_settles_nothing(path):
    with Ledger(path, "one") as ledger:
        [first] = ledger.intend({"f1": ["C"]}, NAMES)
        second = Intent("f1", "C", number=2, attempt=2)
        ledger.record([failed(first, again=second)])
        assert ledger.known("f1", ["C"]) == {}
        ledger.record([failed(second, error="again no", attempt=2)])
        assert ledger.known("f1", ["C"])["C"] == LedgerResult("failed", None, "again no", 0.5, 2)
        assert [(run.number, run.attempt, run.status) for run in ledger.runs()] == [(1, 1, "failed"), (2, 2, "failed")]


def test_an_intent_without_outcome_is_run_again_as_the_same_attempt(path):
    with Ledger(path, "one") as ledger:
        [first] = ledger.intend({"f1": ["C"]}, NAMES)
        ledger.record([failed(first, again=Intent("f1", "C", number=2, attempt=2))])
    with Ledger(path, "one") as ledger:
        assert ledger.intend({"f1": ["C", "CC"]}, NAMES) == [Intent("f1", "C", 3, 2), Intent("f1", "CC", 1, 1)]
    with Ledger(path, "two") as ledger:
        assert ledger.intend({"f1": ["C"]}, NAMES) == [Intent("f1", "C", 1, 1)]


def test_checks_are_kept_apart(path):
    with Ledger(path, "one") as ledger:
        intents = ledger.intend({"f1": ["C", "CC"]}, NAMES, "check")
        ledger.record([failed(intents[0]), ok(intents[1])], "check")
        assert set(ledger.known("f1", ["C", "CC"])) == {"CC"}, "a failed check is not a failed row"
        assert set(ledger.known("f1", ["C", "CC"], "check")) == {"CC"}, "nor does it stop the next check"
        assert ledger.intend({"f1": ["C"]}, NAMES, "check") == [Intent("f1", "C", 2, 1)]
        assert {run.purpose for run in ledger.runs()} == {"check"}


@pytest.mark.parametrize("value", [0.1 + 0.2, 5e-324, -1.7976931348623157e308, 3.0, {"a": 1 / 3, "b": "answered nan"}])
def test_values_come_back_bit_for_bit(path, value):
    with Ledger(path, "one") as ledger:
        ledger.record([ok(ledger.intend({"f1": ["C"]}, NAMES)[0], value)])
    with Ledger(path, "one") as ledger:
        found = ledger.known("f1", ["C"])["C"].value
        assert found == value
        assert type(found) is type(value)
    assert read_runs(path)[0].value == value


def test_intents_are_all_written_or_none(path):
    with Ledger(path, "one") as ledger:
        with pytest.raises(LedgerError, match="UNIQUE"):
            ledger.intend({"f1": ["C", "C"]}, NAMES)
        assert ledger.runs() == []
        assert ledger.intend({"f1": ["C"]}, NAMES) == [Intent("f1", "C")], "and the ledger goes on"


def test_a_killed_writer_loses_nothing_that_was_recorded(path):
    code = """
import os, signal, sys
from pathlib import Path
from designloop.tables.ledger import Ledger, Finished
ledger = Ledger(Path(sys.argv[1]), "one")
intents = ledger.intend({"f1": ["C", "CC", "CCC"]}, {"f1": "qed"})
ledger.record([Finished(intents[0], "ok", 1.0, None, 0.1, attempt=1)])
ledger._connection.execute("BEGIN IMMEDIATE")
ledger._connection.execute("UPDATE runs SET status = 'ok', value = 9.0")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python(code, path).returncode == -signal.SIGKILL
    assert path.with_name(path.name + "-wal").exists(), "the writer had no time to tidy up"
    with Ledger(path, "one") as ledger:
        assert set(ledger.known("f1", ["C", "CC", "CCC"])) == {"C"}
        assert ledger.intend({"f1": ["CC", "CCC"]}, NAMES) == [Intent("f1", "CC", 2, 1), Intent("f1", "CCC", 2, 1)]
        assert [run.status for run in ledger.runs()] == ["ok", None, None, None, None]


def test_a_second_writer_is_told_who_has_the_ledger(path):
    code = """
import sys
from pathlib import Path
from designloop.tables.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]), "quickstart-1a2b")
print("open", flush=True)
sys.stdin.read()
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", code, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        expected = rf"written by campaign quickstart-1a2b \(process {writer.pid} on .*Wait until .* `ledger:`"
        with pytest.raises(LedgerBusy, match=expected):
            Ledger(path, "two")
        writer.kill()
    Ledger(path, "two").close()


def test_a_second_writer_in_one_process_is_refused_and_takes_no_lock_away(path):
    with Ledger(path, "one"):
        with pytest.raises(LedgerBusy, match="open for writing in this process already"):
            Ledger(path, "two")
        code = "import sys, pathlib; from designloop.tables.ledger import Ledger; Ledger(pathlib.Path(sys.argv[1]))"
        assert "LedgerBusy" in run_python(code, path).stderr
    Ledger(path, "two").close()


def test_a_forgotten_ledger_gives_its_lock_back(path):
    Ledger(path, "one")
    Ledger(path, "two").close()


def test_a_child_of_a_dead_writer_does_not_keep_the_lock(path):
    code = """
import os, sys, time
from pathlib import Path
from designloop.tables.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    os.close(1); os.close(2)
    time.sleep(60)
print(child, flush=True)
os._exit(0)
"""
    child = int(run_python(code, path).stdout)
    try:
        Ledger(path).close()
    finally:
        os.kill(child, signal.SIGKILL)


def test_readers_see_every_transaction_whole_while_the_writer_writes(path):
    with Ledger(path, "one") as ledger:
        stop = threading.Event()
        seen: list[int] = []
        torn: list[int] = []

        def read():
            while not stop.is_set():
                runs = [run for run in read_runs(path) if run.status is not None]
                seen.append(len(runs))
                torn.extend([len(runs)] if len(runs) % 25 else [])

        reader = threading.Thread(target=read)
        reader.start()
        for block in range(40):
            intents = ledger.intend({"f1": [f"C{block}.{row}" for row in range(25)]}, NAMES)
            ledger.record([ok(intent) for intent in intents])
        stop.set()
        reader.join()
    assert torn == []
    assert seen == sorted(seen)
    assert len(read_runs(path)) == 1000


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_ledger_on_read_only_media_can_be_read(path):
    with Ledger(path, "one") as ledger:
        ledger.record([ok(ledger.intend({"f1": ["C"]}, NAMES)[0])])
    path.parent.chmod(0o555)
    try:
        assert len(read_runs(path)) == 1
        with pytest.raises(LedgerError, match="Make the folder writable"):
            Ledger(path.parent / "new.sqlite")
    finally:
        path.parent.chmod(0o755)


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
        ledger.intend({"f1": [f"C{row}" for row in range(2000)]}, NAMES)
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
        ledger.intend({"f1": ["CCC"]}, NAMES, "check")  # so that there are two askers
        ledger.record([ok(intent, 0.25) for intent in ledger.intend({"f1": ["C", "CC"]}, NAMES)])
    edit(path, f"UPDATE runs SET {column} = {CHANGES[column]} WHERE smiles = 'CC'")
    stored = read_ledger(path)
    assert [run.smiles for run in stored.runs] == ["C", "CCC"]
    shown = "CN" if column == "smiles" else "CC"
    told = rf"1 of 3 runs in the ledger .* do not match their checksums and are not used: those of {shown}\. Where"
    assert re.match(told, stored.remarks[0])
    with Ledger(path, "one") as ledger:
        assert ledger.remarks == list(stored.remarks)
        assert set(ledger.known("f1", ["C", "CC", "CN"])) == {"C"}
        assert ledger.seconds("f1") == [0.5]
        ledger.record([ok(intent, 0.25) for intent in ledger.intend({"f1": ["CC"]}, NAMES)])
        assert ledger.known("f1", ["CC"])["CC"].value == 0.25
    assert [run.value for run in read_ledger(path).runs] == [0.25, 0.25, None]


def test_text_that_is_not_utf_8_costs_one_run_and_not_the_ledger(path):
    with Ledger(path, "one") as ledger:
        ledger.record([failed(intent) for intent in ledger.intend({"f1": ["C", "CC"]}, NAMES)])
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
        ledger.intend({"f1": ["C", "CC"]}, NAMES)
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
            ledger.intend({"f1": [f"C{row}" for row in range(2000)]}, NAMES)
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


def test_reading_a_ledger_that_is_not_there(path):
    with pytest.raises(LedgerError, match=r"There is no ledger at .* Run the campaign first"):
        read_runs(path)
    assert not path.exists()


def test_an_empty_file_becomes_a_ledger(path):
    path.touch()
    Ledger(path).close()
    assert read_runs(path) == []


def test_every_commit_is_synchronous(path):
    with Ledger(path) as ledger:
        assert ledger._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_ledger_without_a_file_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Ledger(None) as ledger:
        ledger.record([ok(ledger.intend({"f1": ["C"]}, NAMES)[0])])
        assert set(ledger.known("f1", ["C"])) == {"C"}
    assert list(tmp_path.iterdir()) == []


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
        ledger.record([ok(intent) for intent in ledger.intend({"f9": ["CCCCCCC"]}, {"f9": "new"})])
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
