"""Which views a query reads, and answers that hold more than numbers and texts."""

from __future__ import annotations

import csv
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from designloop import api, display
from designloop.tables import Candidates, QueryError, open_candidates
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_file import LedgerBusy
from designloop.tables.query import plain_rows
from tests.tables.fakes import FakeCampaign, a_round, open_table


@pytest.fixture
def without_ledger(tmp_path: Path) -> Candidates:
    """A campaign with metrics that are called like the view of runs, and no ledger."""
    done = a_round(0)
    with open_table(FakeCampaign(tmp_path)) as table:
        table.commit(replace(done, metrics={"oracle_runs": 5.0, "runs": 7.0}))
    return open_candidates(tmp_path / "small")


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT oracle_runs FROM rounds", 5.0),
        ('SELECT "runs" FROM rounds', 7.0),
        ("SELECT count(*) AS runs FROM rounds", 1),
        ("WITH runs AS (SELECT 3 AS n) SELECT n FROM runs, rounds", 3),
        ("SELECT 4 FROM rounds WHERE kind != 'runs'", 4),
    ],
)
def test_a_query_that_reads_no_runs_needs_no_ledger(without_ledger: Candidates, sql: str, value: float) -> None:
    assert without_ledger.query(sql).to_pylist() == [{without_ledger.query(sql).column_names[0]: value}]


@pytest.mark.parametrize("sql", ["FROM RUNS", 'SELECT 1 FROM rounds, "runs"', "DESCRIBE runs", "FROM memory.main.runs"])
def test_a_query_that_reads_runs_is_told_of_a_missing_ledger(without_ledger: Candidates, sql: str) -> None:
    with pytest.raises(QueryError, match=r"the view runs cannot be read: There is no ledger"):
        without_ledger.query(sql)


def test_a_query_of_a_ledger_that_another_program_holds_can_be_repeated(
    without_ledger: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("designloop.tables.ledger_file.BUSY_MILLISECONDS", 20)
    Ledger(tmp_path / "small.ledger.sqlite").close()
    other = sqlite3.connect(tmp_path / "small.ledger.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("UPDATE totals SET runs = runs")
    with pytest.raises(LedgerBusy):
        without_ledger.query("FROM runs")
    other.close()
    assert without_ledger.query("FROM runs").num_rows == 0


@pytest.mark.parametrize("sql", ["SHOW TABLES", "SELECT view_name AS name FROM duckdb_views() WHERE NOT internal"])
def test_all_views_are_listed_without_a_ledger(without_ledger: Candidates, sql: str) -> None:
    assert {"candidates", "rounds", "runs"} <= set(without_ledger.query(sql)["name"].to_pylist())


ODD = """SELECT [DATE '2026-01-02'] AS dates, [1.25::DECIMAL(9, 2)] AS decimals, ['\\xAA'::BLOB] AS blobs,
{'a': 1, 'b': TIME '01:02:03'} AS pair, MAP {'k': 2} AS map, INTERVAL 1 DAY AS span FROM rounds"""


def test_whatever_is_answered_is_written_and_shown(
    without_ledger: Candidates, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = without_ledger.query(ODD)
    with api.write_rows(answer, tmp_path / "rows.csv").open(newline="") as file:
        head, row = csv.reader(file)
    assert head == ["dates", "decimals", "blobs", "pair", "map", "span"]
    assert row[:2] == ['["2026-01-02"]', '["1.25"]']
    assert row[3:5] == ['{"a": 1, "b": "01:02:03"}', '[["k", 2]]']
    display.rows(answer)
    assert "(1 row)" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["'infinity'::TIMESTAMP", "DATE '20000-01-01'", "['infinity'::TIMESTAMP]"])
def test_a_value_that_python_lacks_is_told_with_its_column(
    without_ledger: Candidates, tmp_path: Path, value: str
) -> None:
    answer = without_ledger.query(f"SELECT 1 AS one, {value} AS late FROM rounds")
    for ask in (plain_rows, display.rows, lambda rows: api.write_rows(rows, tmp_path / "rows.csv")):
        with pytest.raises(QueryError, match=r"the column 'late' .*cannot be shown .*ask for it as text: CAST"):
            ask(answer)
    assert not (tmp_path / "rows.csv").exists()
    as_text = without_ledger.query(f"SELECT CAST({value} AS VARCHAR) AS late FROM rounds")
    assert plain_rows(as_text)[0][0]
