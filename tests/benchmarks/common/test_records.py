from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from designloop import benchmarks
from designloop.benchmarks.common.machine import machine
from designloop.benchmarks.common.page import cell, make_pages, table, to_markdown
from designloop.benchmarks.common.records import Record, RecordError, read_record, read_records, write_record

DOCS = Path(__file__).parents[3] / "docs"


def record(**results: Any) -> Record:
    speed = {"fp32_matmul_tflops": 0.1, "rdkit_parses_per_second": 1000.0}
    return Record("some", "designloop benchmark some", "0.1.0", "2026-01-31", [0], {"cores": 2}, speed, results)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    path = write_record(record(mean=0.5, calls=2000, holds=True, none=None, words=["a"]), tmp_path / "new")
    assert path == tmp_path / "new" / "some.json"
    assert read_record(path) == record(mean=0.5, calls=2000, holds=True, none=None, words=["a"])
    assert read_records(tmp_path / "new") == [read_record(path)]


def test_numbers_keep_six_digits(tmp_path: Path) -> None:
    path = write_record(record(third=1 / 3, deep={"list": [2e9 / 3]}, count=1234567), tmp_path)
    assert read_record(path).results == {"third": 0.333333, "deep": {"list": [666667000.0]}, "count": 1234567}


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"benchmark": "some"})])
def test_a_file_that_is_no_record_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"some\.json.*run the benchmark again"):
        read_record(path)


def test_what_is_no_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_record(record(mean=float("nan")), tmp_path)


def test_the_machine_is_told_in_json() -> None:
    description = machine()
    assert json.loads(json.dumps(description)) == description
    assert description["cores"] >= 1
    assert description["memory_gb"] > 0.5
    assert isinstance(description["amx"], bool)
    assert description["cpu"]


@pytest.mark.parametrize("page", ["benchmarks.md", "vae/index.md"])
def test_the_pages_in_docs_are_made_of_the_records_there(page: str) -> None:
    expected = make_pages(DOCS / "benchmarks")[DOCS / page]
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text == expected, "run `python -m designloop.benchmarks.common.page docs/benchmarks`"


def test_the_page_names_what_is_not_recorded_yet() -> None:
    page = to_markdown([])
    assert all(f"`designloop benchmark {name}`" in page for name in benchmarks.available())


def test_a_table_is_markdown() -> None:
    assert table(("a", "b"), [(1, 0.12345), ("x", None)]) == "| a | b |\n| --- | --- |\n| 1 | 0.123 |\n| x |  |\n"
    assert [cell(True), cell(False), cell("|x|")] == ["yes", "**no**", "\\|x\\|"]
