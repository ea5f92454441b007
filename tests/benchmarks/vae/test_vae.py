"""The benchmark of the VAE library: rows replace a method's earlier ones; the index has every section."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from designloop.api import InputError
from designloop.benchmarks.common.options import Options, Say
from designloop.benchmarks.common.rows import Row
from designloop.benchmarks.vae import benchmark as vae
from designloop.benchmarks.vae import registry
from designloop.benchmarks.vae.method import CORE, SECTIONS

ROOT = Path(__file__).parents[3]


def made_up(value: float) -> SimpleNamespace:
    """A method that measures nothing."""

    def run(seeds: Sequence[int], say: Say) -> list[Row]:
        say("measuring")
        return [
            Row(measure="angle, degrees", bar="< 1", value=value, seeds=len(seeds), holds=value < 1),
            Row(measure="seconds", value=2.0, spread=0.5, seeds=3),
        ]

    titles = "Anomaly and Outlier Detection; AI in the Loop"
    return SimpleNamespace(TITLE=titles, FILE="designloop/vae/x.py", PAGE="x.md", run=run)


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    methods_by_name: dict[str, Any] = {"first": made_up(0.5), "second": made_up(1.5)}
    monkeypatch.setattr(registry, "available", lambda: sorted(methods_by_name))
    monkeypatch.setattr(registry, "load", lambda name: methods_by_name[name])
    return methods_by_name


def silent(line: str) -> None:
    pass


@pytest.mark.parametrize("name", registry.available())
def test_each_file_is_a_method(name: str) -> None:
    loaded = registry.load(name)
    assert set(loaded.TITLE.split("; ")) <= {CORE, *SECTIONS}
    assert (ROOT / loaded.FILE).exists()
    assert (ROOT / "docs" / "vae" / loaded.PAGE).is_file()
    assert list(inspect.signature(loaded.run).parameters) == ["seeds", "say"]


def test_an_unknown_method_is_told_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no VAE method 'liner'; give one of "):
        registry.load("liner")


def test_all_methods_run_or_one(methods: dict[str, Any]) -> None:
    lines: list[str] = []
    results = vae.run(Options(seeds=2), lines.append)
    assert [row["method"] for row in results["rows"]] == ["first", "first", "second", "second"]
    assert results["seeds"] == [0, 1]
    assert "second: 0 of 1 bars hold, 0 s" in lines
    assert set(vae.run(Options(method="second"), silent)["runs"]) == {"second"}


def test_a_method_that_keeps_its_pieces_has_a_folder_and_tells_its_own_seconds(methods: dict[str, Any]) -> None:
    folders: list[Path] = []

    def run_kept(seeds: Sequence[int], say: Say, folder: Path) -> tuple[list[Row], float]:
        folders.append(folder)
        return made_up(0.5).run(seeds, say), 1234.5

    methods["first"].run_kept = run_kept
    results = vae.run(Options(method="first", work=Path("kept")), silent)
    assert folders == [Path("kept/vae-first")]
    assert results["runs"]["first"]["seconds"] == 1234.5


def test_one_methods_rows_are_replaced_and_the_others_kept(methods: dict[str, Any]) -> None:
    everything = vae.run(Options(), silent)
    methods["second"] = made_up(0.1)
    now = vae.merge(everything, vae.run(Options(method="second"), silent))
    values = [(row["method"], row["value"]) for row in now["rows"]]
    assert values == [("first", 0.5), ("first", 2.0), ("second", 0.1), ("second", 2.0)]
    del methods["first"]
    assert {row["method"] for row in vae.merge(now, vae.run(Options(), silent))["rows"]} == {"second"}


def test_the_index_has_each_section_in_its_order(methods: dict[str, Any]) -> None:
    results = vae.run(Options(method="second"), silent)
    (page,) = vae.pages({"vae": results}).values()
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == ["The core", *SECTIONS]
    section = page.split("## Anomaly and Outlier Detection\n")[1].split("\n## ")[0]
    assert "[first](x.md), in `designloop/vae/x.py`. Not measured yet: `designloop benchmark vae first`." in section
    assert "| angle, degrees | < 1 | 1.5 | 5 | **no** |" in section
    assert "Not implemented yet." in page.split("## Robotics: Trajectory Planning\n")[1].split("\n## ")[0]
    assert "in `designloop/loop/` and `designloop/strategies/`" in page.split("## AI in the Loop\n")[1]
    (before,) = vae.pages({}).values()
    assert before.count("Not measured yet") == 4


def test_the_report_names_what_is_missed(methods: dict[str, Any]) -> None:
    report = vae.report(vae.run(Options(), silent))
    assert "- first: 1 of 1 bars hold\n" in report
    assert "- second: 0 of 1 bars hold; missed: angle, degrees (< 1: 1.5)\n" in report
