"""The schema's page is the code's, and names that cannot be columns are refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from designloop.records import UNIFORM, Candidate, Round
from designloop.tables import TableError, open_candidates
from designloop.tables.schema import check_metrics, check_properties
from designloop.tables.schema_page import to_markdown
from tests.data.make_campaign_schema_1 import CAMPAIGN, scored
from tests.tables.fakes import FakeCampaign, a_round, open_table

LATER = ("chosen", "predicted_mean", "predicted_sd")
"""Columns that a round's file has only since they are there."""

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date():
    page = (ROOT / "docs/schema.md").read_text(encoding="utf-8")
    assert page == to_markdown(), "run: python -m designloop.tables.schema_page > docs/schema.md"


def test_the_page_lists_the_columns_that_there_are(tmp_path):
    with open_table(FakeCampaign(tmp_path)) as table:
        table.commit(a_round(0))
        table.ledger  # noqa: B018 - a ledger without runs
    candidates = open_candidates(tmp_path / "small")
    page = to_markdown()
    for view in ("candidates", "rounds", "runs"):
        section = page.split(f"## View `{view}`")[1].split("## ")[0]
        listed = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        named = [name for name in listed if not name.startswith(("NAME", "METRIC"))]
        columns = candidates.query(f"SELECT * FROM {view}").column_names
        assert columns[: len(named)] == named
    page_files = {
        line.split("`")[1].split("/")[0]
        for line in page.split("## Files of the output folder")[1].splitlines()
        if "`" in line
    }
    assert {path.name for path in (tmp_path / "small").iterdir()} - {".lock"} <= page_files


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["score"], "the property 'score' makes a column 'score', which is that of the column 'score' of every table"),
        (["SMILES"], "makes a column 'SMILES'"),
        (["kind"], "makes a column 'kind'"),
        (["qed", "QED"], "the property 'QED' makes a column 'QED', which is that of the property 'qed'"),
        (["a", "a_desirability"], "the property 'a_desirability' makes a column 'a_desirability'"),
        (["a_desirability", "a"], "the property 'a' makes a column 'a_desirability'"),
        ([""], "empty name"),
    ],
)
def test_a_property_that_cannot_be_a_column_is_refused(names, message):
    with pytest.raises(TableError, match=message):
        check_properties(names)


def test_other_properties_are_not_refused():
    check_properties(["qed", "logP", "similarity to bicalutamide", "rounds"])


def test_a_metric_that_cannot_be_a_column_is_refused():
    check_metrics(["loss", "best", "refused_PAINS"])
    for names in (["loss", "Loss"], ["Digest"], [""]):
        with pytest.raises(TableError, match="Rename it"):
            check_metrics(names)


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A copy of the real campaign that tests/data/make_campaign_schema_1.py wrote under version 1."""
    return Path(shutil.copytree(ROOT / "tests/data/campaign_schema_1", tmp_path / "campaign"))


def test_a_campaign_of_schema_version_1_stays_readable(version_1):
    expected = json.loads((version_1 / "expected.json").read_text(encoding="utf-8"))
    candidates = open_candidates(version_1 / "aspirin")
    (stored,) = candidates.campaigns()
    assert candidates.digest == expected["digest"]
    assert stored.record.id == expected["id"]
    assert stored.finish is not None
    assert stored.finish.reason == expected["reason"]
    assert candidates.query("SELECT DISTINCT allowed FROM candidates")["allowed"].to_pylist() == [True]
    later = candidates.query(f"SELECT DISTINCT {', '.join(LATER)} FROM candidates").to_pylist()
    assert later == [dict.fromkeys(LATER)]
    answer = candidates.query(
        f"SELECT * EXCLUDE (objective, id, allowed, pareto_rank, suggestion, {', '.join(LATER)}) FROM candidates "
        "ORDER BY call"
    ).to_pylist()
    assert answer == expected["candidates"]
    rounds = candidates.query("SELECT round, kind, rows, calls, best FROM rounds ORDER BY round").to_pylist()
    assert rounds == expected["rounds"]
    assert candidates.query("FROM runs").num_rows == expected["runs"]


def test_a_campaign_of_schema_version_1_can_go_on(version_1):
    campaign = replace(CAMPAIGN, folder=version_1)
    with open_table(campaign) as table:
        state = table.last_state()
        assert state is not None
        assert state.data == {"best": 0.1 + 0.2}
        assert state.arrays["weights"].tolist() == [0, 1, 2, 3]
        assert table.next_round() == 4
        new = Candidate("CCO", "prior", chosen=UNIFORM, predicted_mean=0.25, predicted_sd=0.5)
        table.commit(Round(4, [scored(new)]))
    rows = open_candidates(campaign.output_folder).to_arrow()
    assert rows["call"].to_pylist() == [1, 2, 3, 4, 5, 6]
    assert rows.select(LATER).to_pylist()[4:] == [
        dict.fromkeys(LATER),
        {"chosen": "uniform", "predicted_mean": 0.25, "predicted_sd": 0.5},
    ]
