from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from designloop.exit_codes import RESUMABLE, exit_code
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_file import LedgerBusy, LedgerError
from designloop.tables.ledger_reading import read_runs
from designloop.tables.ledger_records import Intent, LedgerResult
from tests.tables.fakes import failed, ok

ROOT = Path(__file__).parents[2]
NAMES = {"f1": "qed", "f2": "docking"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "demo.ledger.sqlite"


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_an_ok_result_is_known_to_every_campaign(path):
    with Ledger(path, "one") as ledger:
        [intent] = ledger.record_intents({"f1": ["C"]}, NAMES)
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
        ledger.record([failed(ledger.record_intents({"f1": ["C"]}, NAMES)[0], status=status)])
        assert ledger.known("f1", ["C"])["C"].status == status
    with Ledger(path, "two") as ledger:
        assert ledger.known("f1", ["C"]) == {}
        ledger.record([ok(ledger.record_intents({"f1": ["C"]}, NAMES)[0])])
    with Ledger(path, "one") as ledger:
        assert ledger.known("f1", ["C"])["C"].status == status, "a campaign's own failure holds: its table has it"
    with Ledger(path, "three") as ledger:
        assert ledger.known("f1", ["C"])["C"].status == "ok"


def test_a_failure_that_is_to_be_repeated_settles_nothing(path):
    with Ledger(path, "one") as ledger:
        [first] = ledger.record_intents({"f1": ["C"]}, NAMES)
        second = Intent("f1", "C", number=2, attempt=2)
        ledger.record([failed(first, again=second)])
        assert ledger.known("f1", ["C"]) == {}
        ledger.record([failed(second, error="again no", attempt=2)])
        assert ledger.known("f1", ["C"])["C"] == LedgerResult("failed", None, "again no", 0.5, 2)
        assert [(run.number, run.attempt, run.status) for run in ledger.runs()] == [(1, 1, "failed"), (2, 2, "failed")]


def test_an_intent_without_outcome_is_run_again_as_the_same_attempt(path):
    with Ledger(path, "one") as ledger:
        [first] = ledger.record_intents({"f1": ["C"]}, NAMES)
        ledger.record([failed(first, again=Intent("f1", "C", number=2, attempt=2))])
    with Ledger(path, "one") as ledger:
        assert ledger.record_intents({"f1": ["C", "CC"]}, NAMES) == [Intent("f1", "C", 3, 2), Intent("f1", "CC", 1, 1)]
    with Ledger(path, "two") as ledger:
        assert ledger.record_intents({"f1": ["C"]}, NAMES) == [Intent("f1", "C", 1, 1)]


def test_checks_are_kept_apart(path):
    with Ledger(path, "one") as ledger:
        intents = ledger.record_intents({"f1": ["C", "CC"]}, NAMES, "check")
        ledger.record([failed(intents[0]), ok(intents[1])], "check")
        assert set(ledger.known("f1", ["C", "CC"])) == {"CC"}, "a failed check is not a failed row"
        assert set(ledger.known("f1", ["C", "CC"], "check")) == {"CC"}, "nor does it stop the next check"
        assert ledger.record_intents({"f1": ["C"]}, NAMES, "check") == [Intent("f1", "C", 2, 1)]
        assert {run.purpose for run in ledger.runs()} == {"check"}


@pytest.mark.parametrize("value", [0.1 + 0.2, 5e-324, -1.7976931348623157e308, 3.0, {"a": 1 / 3, "b": "answered nan"}])
def test_values_come_back_bit_for_bit(path, value):
    with Ledger(path, "one") as ledger:
        ledger.record([ok(ledger.record_intents({"f1": ["C"]}, NAMES)[0], value)])
    with Ledger(path, "one") as ledger:
        value_read = ledger.known("f1", ["C"])["C"].value
        assert value_read == value
        assert type(value_read) is type(value)
    assert read_runs(path)[0].value == value


def test_intents_are_all_written_or_none(path):
    with Ledger(path, "one") as ledger:
        with pytest.raises(LedgerError, match="UNIQUE"):
            ledger.record_intents({"f1": ["C", "C"]}, NAMES)
        assert ledger.runs() == []
        assert ledger.record_intents({"f1": ["C"]}, NAMES) == [Intent("f1", "C")], "and the ledger goes on"


def test_a_killed_writer_loses_nothing_that_was_recorded(path):
    code = """
import os, signal, sys
from pathlib import Path
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_records import Finished
ledger = Ledger(Path(sys.argv[1]), "one")
intents = ledger.record_intents({"f1": ["C", "CC", "CCC"]}, {"f1": "qed"})
ledger.record([Finished(intents[0], "ok", 1.0, None, 0.1, attempt=1)])
ledger._connection.execute("BEGIN IMMEDIATE")
ledger._connection.execute("UPDATE runs SET status = 'ok', value = 9.0")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run_python(code, path).returncode == -signal.SIGKILL
    assert path.with_name(path.name + "-wal").exists(), "the writer had no time to tidy up"
    with Ledger(path, "one") as ledger:
        assert set(ledger.known("f1", ["C", "CC", "CCC"])) == {"C"}
        assert ledger.record_intents({"f1": ["CC", "CCC"]}, NAMES) == [
            Intent("f1", "CC", 2, 1),
            Intent("f1", "CCC", 2, 1),
        ]
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


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "PRAGMA locking_mode = EXCLUSIVE"])
def test_a_ledger_that_another_program_holds_is_busy(path, monkeypatch, lock):
    monkeypatch.setattr("designloop.tables.ledger_file.BUSY_MILLISECONDS", 20)
    Ledger(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(lock)
    if "PRAGMA" in lock:
        other.execute("UPDATE totals SET runs = runs")  # from now on nobody else may even read
        with pytest.raises(LedgerBusy, match="Another program holds it"):
            read_runs(path)
    with pytest.raises(LedgerBusy, match="Another program holds it") as busy, Ledger(path) as ledger:
        ledger.record_intents({"f1": ["C"]}, NAMES)
    assert exit_code(busy.value) == RESUMABLE
    other.close()
    with Ledger(path) as ledger:
        assert len(ledger.record_intents({"f1": ["C"]}, NAMES)) == 1


def test_readers_see_every_transaction_whole_while_the_writer_writes(path):
    with Ledger(path, "one") as ledger:
        stop = threading.Event()
        counts: list[int] = []
        torn: list[int] = []

        def read():
            while not stop.is_set():
                runs = [run for run in read_runs(path) if run.status is not None]
                counts.append(len(runs))
                torn.extend([len(runs)] if len(runs) % 25 else [])

        reader = threading.Thread(target=read)
        reader.start()
        for block in range(40):
            intents = ledger.record_intents({"f1": [f"C{block}.{row}" for row in range(25)]}, NAMES)
            ledger.record([ok(intent) for intent in intents])
        stop.set()
        reader.join()
    assert torn == []
    assert counts == sorted(counts)
    assert len(read_runs(path)) == 1000


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_ledger_on_read_only_media_can_be_read(path):
    with Ledger(path, "one") as ledger:
        ledger.record([ok(ledger.record_intents({"f1": ["C"]}, NAMES)[0])])
    path.parent.chmod(0o555)
    try:
        assert len(read_runs(path)) == 1
        with pytest.raises(LedgerError, match="Make the folder writable"):
            Ledger(path.parent / "new.sqlite")
    finally:
        path.parent.chmod(0o755)


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
        ledger.record([ok(ledger.record_intents({"f1": ["C"]}, NAMES)[0])])
        assert set(ledger.known("f1", ["C"])) == {"C"}
    assert list(tmp_path.iterdir()) == []
