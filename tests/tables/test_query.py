"""Questions to candidate tables: answers, refusals, many campaigns, and a campaign that goes on meanwhile."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from designloop.records import Round
from designloop.report.top import top_molecules
from designloop.tables import Candidates, QueryError, TableError, open_candidates
from designloop.tables.ledger_records import Finished
from designloop.tables.manifest import EMPTY_DIGEST
from designloop.tables.views import labels
from tests.tables.fakes import FakeCampaign, FakeOracle, a_round, molecule, open_table, scored, unscored

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of three rounds, with a ledger."""
    campaign = FakeCampaign(tmp_path_factory.mktemp("query"))
    with open_table(campaign) as table:
        for number in range(2):
            table.commit(a_round(number))
        table.commit(Round(2, [unscored("CCBr"), scored("CCI", 0.9)], {"loss": 0.25, "Drawn": 5}))
        ledger = table.ledger
        weighed, docked = ledger.record_intents(
            {"f-weight": ["CCO"], "f-dock": ["CCI"]}, {"f-weight": "weight", "f-dock": "dock"}
        )
        outputs: dict[str, float | str] = {"affinity": -7.5, "pose": "no pose was found"}
        ledger.record(
            [
                Finished(weighed, "ok", 46.07, None, 0.5, 1),
                Finished(docked, "failed", outputs, "half an answer", 2.0, 2),
            ]
        )
        ledger.record_intents({"f-weight": ["CCN"]}, {"f-weight": "weight"}, purpose="check")
        table.finish("budget spent")
    return campaign.output_folder


@pytest.fixture
def candidates(folder: Path) -> Candidates:
    return open_candidates(folder)


def test_a_table_is_a_row_a_call(candidates):
    table = candidates.to_arrow()
    assert table["call"].to_pylist() == list(range(1, 9))
    assert table["id"].to_pylist() == [f"small-{call}" for call in range(1, 9)]
    assert [best.id for best in top_molecules(candidates)] == candidates.top(10)["id"].to_pylist()
    assert table["round"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert table["smiles"].to_pylist()[:4] == [molecule(0), molecule(1), molecule(2), molecule(10)]
    assert set(table["campaign"].to_pylist()) == {"small"}
    assert table["scaffold"].to_pylist()[2] == "C1CC1"
    assert table["inchikey"].to_pylist()[0] == "OKKJLVBELUTLKV-UHFFFAOYSA-N"
    assert candidates.to_pandas().shape == (8, table.num_columns)


def test_sql_over_candidates(candidates):
    answer = candidates.query("SELECT smiles, score, weight FROM candidates WHERE score > 0.5 ORDER BY score DESC")
    assert isinstance(answer, pa.Table)
    assert answer.to_pylist() == [{"smiles": "CCI", "score": 0.9, "weight": 0.9}]
    counts = candidates.query("SELECT status, count(*) AS n FROM candidates GROUP BY ALL ORDER BY status")
    assert counts.to_pylist() == [{"status": "ok", "n": 7}, {"status": "timeout", "n": 1}]
    parents = candidates.query("SELECT unnest(parents) AS parent FROM candidates WHERE len(parents) > 1")
    assert parents["parent"].to_pylist() == ["CO", "CN"]


def test_parameters_stand_for_values(candidates):
    answer = candidates.query("SELECT call FROM candidates WHERE smiles = ? AND score > ?", ["CCI", 0.1])
    assert answer.to_pylist() == [{"call": 8}]


@pytest.mark.parametrize(
    "sql",
    ["FROM candidates", "TABLE candidates", "WITH a AS (SELECT 1) FROM a", "DESCRIBE candidates", "SHOW TABLES",
     "SUMMARIZE candidates", "EXPLAIN FROM candidates", "VALUES (1);", "-- words first\nSELECT 1"],
)  # fmt: skip
def test_every_kind_of_query_is_answered(candidates, sql):
    assert candidates.query(sql).num_rows > 0


def test_all_views_are_shown(candidates):
    assert sorted(candidates.query("SHOW TABLES")["name"].to_pylist()) == ["candidates", "rounds", "runs"]


def test_rounds_have_a_column_a_metric(candidates):
    rows = candidates.query("SELECT round, kind, rows, calls, drawn, note, loss FROM rounds ORDER BY round").to_pylist()
    assert [list(row.values()) for row in rows] == [
        [0, "round", 3, 3, 0.0, "of round 0", None],
        [1, "round", 3, 6, 10.0, "of round 1", None],
        [2, "round", 2, 8, 5.0, None, 0.25],
    ]
    last = candidates.query("SELECT arg_max(digest, round) AS d, max(committed) AS t FROM rounds").to_pylist()[0]
    assert last["d"] == candidates.digest
    assert abs(last["t"].timestamp() - time.time()) < 86_400


def test_runs_come_from_the_ledger_a_row_an_output(candidates):
    rows = candidates.query("SELECT * EXCLUDE (fingerprint) FROM runs ORDER BY oracle, smiles, output").to_pylist()
    names = ["campaign", "oracle", "smiles", "output", "status", "value", "error", "attempt", "seconds", "purpose"]
    assert list(rows[0]) == names
    assert [list(row.values()) for row in rows] == [
        ["small", "dock", "CCI", "affinity", "ok", -7.5, None, 2, 2.0, "round"],
        ["small", "dock", "CCI", "pose", "failed", None, "no pose was found", 2, 2.0, "round"],
        ["small", "weight", "CCN", None, None, None, None, 1, None, "check"],
        ["small", "weight", "CCO", None, "ok", 46.07, None, 1, 0.5, "round"],
    ]


def test_runs_join_candidates(candidates):
    sql = "SELECT c.call, r.value FROM candidates c JOIN runs r USING (campaign, smiles) WHERE r.output = 'affinity'"
    assert candidates.query(sql).to_pylist() == [{"call": 8, "value": -7.5}]


def test_a_missing_ledger_is_told_only_to_those_who_ask_for_it(tmp_path):
    with open_table(FakeCampaign(tmp_path)) as table:
        table.commit(a_round(0))
    candidates = open_candidates(tmp_path / "small")
    assert candidates.query("SELECT count(*) AS n FROM candidates").to_pylist() == [{"n": 3}]
    assert candidates.query("SHOW TABLES").num_rows == 3
    with pytest.raises(QueryError, match=r"view runs cannot be read: There is no ledger at .*small.ledger.sqlite"):
        candidates.query("FROM runs")


def test_the_top(candidates):
    assert candidates.top(3)["score"].to_pylist() == [0.9, 0.012, 0.011]
    assert candidates.top(3).column_names == candidates.to_arrow().column_names
    assert candidates.top(100).num_rows == 7
    assert candidates.top(100, diverse=True).num_rows < 7


# ---- refusals


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_scan('{folder}/rounds/00000.parquet')",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "COPY candidates TO '{folder}/stolen.csv'",
        "EXPORT DATABASE '{folder}/stolen'",
        "IMPORT DATABASE '{folder}'",
        "ATTACH '{folder}/stolen.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "SET python_enable_replacements = true",
        "SELECT * FROM a_frame_of_the_caller",
        "PRAGMA version",
        "CALL pragma_version()",
        "CREATE TABLE x AS FROM candidates",
        "DROP VIEW candidates",
        "INSERT INTO candidates SELECT * FROM candidates",
        "DELETE FROM candidates",
        "UPDATE candidates SET score = 1",
        "EXPLAIN ANALYZE COPY candidates TO '{folder}/stolen.csv'",
        "SELECT 1; COPY candidates TO '{folder}/stolen.csv'",
        "",
    ],
)
def test_a_query_reads_the_views_and_nothing_else(folder, candidates, sql):
    a_frame_of_the_caller = pa.table({"secret": [1]})
    before = sorted(folder.rglob("*"))
    with pytest.raises(QueryError):
        candidates.query(sql.format(folder=folder))
    assert sorted(folder.rglob("*")) == before
    assert a_frame_of_the_caller.num_rows == 1


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT sore FROM candidates",
            r'"sore" not found(.|\n)*Did you mean score.*The views are candidates, rounds, runs; `DESCRIBE',
        ),
        ("SELEC 1", r"syntax error at or near \"SELEC\"(.|\n)*The views are"),
        ("SELECT * FROM candidate", r"candidate does not exist(.|\n)*Did you mean candidates"),
        (
            "FROM read_csv('/etc/passwd')",
            r"^Permission Error.*\nOnly the views candidates, rounds and runs can be read\.$",
        ),
        ("SELECT 1; SELECT 2", "found 2 SQL statements, expected one"),
        ("DROP VIEW candidates", "found a statement of type DROP, expected a query"),
        ("SELECT ? FROM candidates", "The views are"),
        ("SELECT score / 'x' FROM candidates", "Could not convert|Conversion Error"),
    ],
)
def test_a_wrong_query_says_what_could_be_asked(candidates, sql, message):
    with pytest.raises(QueryError, match=message) as refusal:
        candidates.query(sql)
    assert len(str(refusal.value).splitlines()) <= 7


def test_a_folder_without_a_campaign_is_told(folder, tmp_path):
    with pytest.raises(QueryError, match=r"nowhere holds no campaign. There is no such folder"):
        open_candidates(tmp_path / "nowhere")
    with pytest.raises(QueryError, match=r"holds no campaign. Give a campaign's output folder"):
        open_candidates(tmp_path)
    with pytest.raises(QueryError, match=r"Open one of the campaigns in it: small\."):
        open_candidates(folder.parent)
    with pytest.raises(QueryError, match="found no folder"):
        open_candidates([])


def test_a_damaged_round_is_told(tmp_path):
    with open_table(FakeCampaign(tmp_path)) as table:
        table.commit(a_round(0))
    (tmp_path / "small/rounds/00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match=r"rounds/00000.parquet is damaged \(4 bytes found"):
        open_candidates(tmp_path / "small")


# ---- many campaigns


def test_a_property_that_was_called_suggestion_before_there_was_the_column_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("designloop.tables.candidate_table.check_properties", lambda names: None)
    for name, properties in (("then", ["Suggestion", "logP"]), ("now", ["weight", "logP"])):
        with open_table(FakeCampaign(tmp_path, name, oracles={key: FakeOracle(key) for key in properties})) as table:
            row = scored("CCO", 0.25)
            named = dict.fromkeys(properties, row.evaluation.results["weight"])
            evaluation = type(row.evaluation)(row.candidate, named)
            table.commit(Round(0, [type(row)(evaluation, dict.fromkeys(properties, 0.5), 0.5)], {}))
    alone = open_candidates(tmp_path / "then")
    assert alone.to_arrow()["Suggestion"].to_pylist() == [0.25]
    assert [molecule.suggestion for molecule in top_molecules(alone)] == [None]
    both = open_candidates([tmp_path / "then", tmp_path / "now"])
    assert both.query('SELECT "Suggestion" FROM candidates ORDER BY campaign')["Suggestion"].to_pylist() == [None, 0.25]
    assert open_candidates(tmp_path / "now").to_arrow()["suggestion"].to_pylist() == [None]


def test_many_campaigns_have_the_properties_of_all(tmp_path):
    for name, oracles in (
        ("one", {"QED": FakeOracle("q"), "logP": FakeOracle("l")}),
        ("other", {"qed": FakeOracle("q")}),
    ):
        with open_table(FakeCampaign(tmp_path, name, oracles=oracles)) as table:
            row = scored("CCO", 0.25)
            named = dict.fromkeys(oracles, row.evaluation.results["weight"])
            evaluation = type(row.evaluation)(row.candidate, named)
            table.commit(
                Round(
                    0,
                    [type(row)(evaluation, dict.fromkeys(oracles, 0.5), 0.5)],
                    {"LOSS" if name == "one" else "loss": 1.0},
                )
            )
    candidates = open_candidates([tmp_path / "one", tmp_path / "other"])
    table = candidates.to_arrow()
    assert table.column_names[-4:] == ["QED", "QED_desirability", "logP", "logP_desirability"]
    assert table.select(["campaign", "QED", "logP"]).to_pylist() == [
        {"campaign": "one", "QED": 0.25, "logP": 0.25},
        {"campaign": "other", "QED": 0.25, "logP": None},
    ]
    assert candidates.query("SELECT campaign, loss FROM rounds ORDER BY campaign")["LOSS"].to_pylist() == [1.0, 1.0]
    with pytest.raises(QueryError, match="2 campaigns are open"):
        candidates.digest  # noqa: B018
    assert [len(campaign.rounds) for campaign in candidates.campaigns()] == [1, 1]
    with pytest.raises(QueryError, match=r"2 different objectives, .*: one \(objective \w{12}\); other \(objective"):
        candidates.top(10)
    assert len(set(candidates.to_arrow()["objective"].to_pylist())) == 2
    assert candidates.query("SELECT count(DISTINCT objective) AS n FROM rounds")["n"].to_pylist() == [2]


def test_labels_are_distinct_whatever_campaigns_and_folders_are_called(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    assert labels(folders, ["x", "y", "z"]) == ["x", "y", "z"]
    assert labels(folders, ["x", "x", "z"]) == ["a", "b", "z"]
    assert labels(folders, ["x", "x", "a"]) == ["a", "b", "c"]


def test_campaigns_of_one_name_are_told_apart_by_folder(tmp_path):
    campaign = FakeCampaign(tmp_path)
    for _ in range(2):
        with open_table(campaign, fresh=True) as table:
            table.commit(a_round(0))
    folders = [tmp_path / "small", tmp_path / "small.1"]
    counts = open_candidates(folders).query("SELECT campaign, count(*) AS n FROM candidates GROUP BY ALL ORDER BY 1")
    assert counts.to_pylist() == [{"campaign": "small", "n": 3}, {"campaign": "small.1", "n": 3}]
    assert len(open_candidates([*folders, str(folders[0])]).campaigns()) == 2, "a folder given twice is one"


def test_runs_of_campaigns_that_are_not_open_have_their_id(tmp_path):
    campaign = FakeCampaign(tmp_path)
    ids = []
    for _ in range(2):
        with open_table(campaign, fresh=True) as table:
            table.ledger.record_intents({"f": ["CCO"]}, {"f": "oracle"})
            ids.append(table.campaign_id)
    sql = "SELECT campaign FROM runs ORDER BY campaign = 'small'"
    assert open_candidates(tmp_path / "small").query(sql)["campaign"].to_pylist() == [ids[0], "small"]
    both = open_candidates([tmp_path / "small", tmp_path / "small.1"]).query(f"{sql}, campaign")
    assert both["campaign"].to_pylist() == ["small.1", "small"], "a ledger that two campaigns share is read once"


# ---- while a campaign runs


def test_a_table_without_rounds_can_be_asked(tmp_path):
    open_table(FakeCampaign(tmp_path)).close()
    candidates = open_candidates(tmp_path / "small")
    assert candidates.to_arrow().num_rows == 0
    assert candidates.query("SELECT count(weight) AS n FROM candidates").to_pylist() == [{"n": 0}]
    assert candidates.query("FROM rounds").num_rows == 0
    assert candidates.digest == EMPTY_DIGEST
    assert candidates.top(10).num_rows == 0


def test_each_question_sees_what_is_committed_by_then(tmp_path):
    with open_table(FakeCampaign(tmp_path)) as table:
        candidates = open_candidates(tmp_path / "small")
        for number in range(3):
            table.commit(a_round(number))
            assert candidates.query("SELECT count(*) AS n FROM candidates").to_pylist() == [{"n": 3 * number + 3}]
            assert candidates.digest == table.digest()
        assert candidates.campaigns()[0].finish is None
        table.finish("budget spent")
        finish = candidates.campaigns()[0].finish
        assert finish is not None
        assert finish.reason == "budget spent"
    with open_table(FakeCampaign(tmp_path), fresh=True) as table:
        table.commit(a_round(5 % 2))
        assert candidates.query("SELECT count(*) AS n FROM candidates").to_pylist() == [{"n": 3}]


WRITER = """
import sys
from pathlib import Path
from tests.tables.fakes import FakeCampaign, a_round, open_table

with open_table(FakeCampaign(Path(sys.argv[1]))) as table:
    print("begun", flush=True)
    for number in range(30):
        table.commit(a_round(number))
        (intent,) = table.ledger.record_intents({"f": [f"C{number}"]}, {"f": "oracle"})
"""


def test_a_reader_beside_a_writing_process_sees_whole_rounds_only(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        counts = []
        candidates = open_candidates(tmp_path / "small")
        while writer.poll() is None:
            (row,) = candidates.query(
                "SELECT count(*) AS rows, count(DISTINCT round) AS rounds FROM candidates"
            ).to_pylist()
            assert row["rows"] == 3 * row["rounds"]
            counts.append(row["rounds"])
            if row["rounds"]:
                assert open_candidates(tmp_path / "small").query("SELECT count(*) AS n FROM runs")["n"][0].as_py() <= 30
    assert writer.returncode == 0
    assert counts == sorted(counts)
    assert candidates.query("SELECT count(*) AS n FROM runs").to_pylist() == [{"n": 30}]
    assert len(candidates.campaigns()[0].rounds) == 30


def test_a_reader_leaves_the_folder_as_it_is(folder, candidates):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    candidates.query("SELECT * FROM candidates, rounds")
    candidates.top(3)
    candidates.query("FROM runs")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    connection = sqlite3.connect(folder.with_name("small.ledger.sqlite"))
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (3,)
    connection.close()


def test_its_repr_says_what_is_open(candidates):
    assert repr(candidates) == "<Candidates of small: 8 calls>"


def test_columns_of_one_name_are_told_apart(candidates):
    answer = candidates.query("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a")
    assert answer.to_pylist() == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}]
