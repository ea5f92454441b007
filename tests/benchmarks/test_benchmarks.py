from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from designloop import benchmarks
from designloop.api import InputError
from designloop.benchmarks import Options
from designloop.benchmarks.common import registry
from designloop.benchmarks.common.losing import measured
from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.page import to_markdown
from designloop.benchmarks.common.records import read_record, record_path


class Doubling:
    """A benchmark that takes no time."""

    SUMMARY = "Twice the calls."
    OPTIONS = frozenset({"calls", "seeds"})

    @staticmethod
    def run(options: Options, say: Say) -> Mapping[str, Any]:
        say("doubling")
        return {"seeds": [0, 1], "calls": 2 * (options.calls or 1)}

    @staticmethod
    def report(results: Mapping[str, Any]) -> str:
        return f"{results['calls']} calls\n"


@pytest.fixture
def doubling(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (benchmarks, registry):
        monkeypatch.setattr(module, "available", lambda: ["doubling"])
        monkeypatch.setattr(module, "load", lambda name: Doubling)
    monkeypatch.setattr("designloop.benchmarks.common.machine.calibrations", calibrations)


def calibrations() -> dict[str, float]:
    return {"fp32_matmul_tflops": 0.1234, "rdkit_parses_per_second": 9876.5}


@pytest.mark.parametrize("name", benchmarks.available())
def test_each_file_is_a_benchmark(name: str) -> None:
    benchmark = benchmarks.load(name)
    assert benchmark.SUMMARY.endswith(".")
    assert {option.name for option in fields(Options)} >= benchmark.OPTIONS
    assert list(inspect.signature(benchmark.run).parameters) == ["options", "say"]
    assert list(inspect.signature(benchmark.report).parameters) == ["results"]


def test_without_a_name_they_are_listed(tmp_path: Path) -> None:
    lines: list[str] = []
    benchmarks.main("", tmp_path, say=lines.append)
    assert [line.split()[0] for line in lines[:-1]] == benchmarks.available()
    assert not list(tmp_path.iterdir())


def test_a_run_leaves_a_record_and_the_page(doubling: None, tmp_path: Path) -> None:
    lines: list[str] = []
    benchmarks.main("all", tmp_path / "records", Options(calls=3), lines.append)
    record = read_record(tmp_path / "records" / "doubling.json")
    assert record.command == "designloop benchmark doubling --calls 3"
    assert record.seeds == [0, 1]
    assert record.results == {"calls": 6}
    assert record.calibrations == calibrations()
    page = (tmp_path / "records.md").read_text()
    assert "`designloop benchmark doubling --calls 3`" in page
    assert "0.123 TFLOP/s in fp32, 9,876 RDKit parses a second" in page
    assert page.endswith("6 calls\n")
    assert "By what code it was made was not kept" not in page
    path = record_path("doubling", tmp_path / "records")
    path.write_text(path.read_text().replace(f'"code": "{record.code}"', '"code": ""'))
    assert ". By what code it was made was not kept.\n" in to_markdown([read_record(path)])
    assert "\n6 calls\n" in lines


def test_an_option_that_is_not_heeded_is_refused_before_anything_runs(doubling: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the benchmark doubling has no option --jobs; it has --calls, --seeds"):
        benchmarks.main("doubling", tmp_path, Options(jobs=2))
    assert not list(tmp_path.iterdir())


def test_a_part_of_a_benchmark_does_not_take_the_place_of_the_whole(
    doubling: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(**options: Any) -> None:
        benchmarks.main("doubling", tmp_path, Options(**options), lambda line: None)

    def with_arms(options: Options, say: Say) -> Mapping[str, Any]:
        return {"seeds": [0, 1], "calls": 2, "arms": dict.fromkeys(options.arms or ("one", "two"), "x")}

    monkeypatch.setattr(Doubling, "OPTIONS", frozenset({"arms", "seeds"}))
    monkeypatch.setattr(Doubling, "run", with_arms)
    run()
    before = record_path("doubling", tmp_path).read_text()
    with pytest.raises(InputError, match=r"doubling\.json: found a record with arms two, which --arms leaves out"):
        run(arms=("one",))
    with pytest.raises(InputError, match="found a record of 2 seeds, expected --seeds of as many"):
        run(seeds=1)
    assert record_path("doubling", tmp_path).read_text() == before
    monkeypatch.setattr(Doubling, "OPTIONS", frozenset({"arms", "calls", "seeds"}))
    with pytest.raises(InputError, match="found a record of 2 calls, expected --calls of as many"):
        run(calls=1)
    run(arms=("two", "one"), seeds=2)
    monkeypatch.setattr(Doubling, "merge", lambda earlier, now: {**now, "arms": {**earlier["arms"], **now["arms"]}},
                        raising=False)  # fmt: skip
    run(arms=("one",))
    assert set(read_record(record_path("doubling", tmp_path)).results["arms"]) == {"one", "two"}


def test_a_merge_that_keeps_nothing_loses_no_record(
    doubling: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    def run(*seeds: int, **options: Any) -> None:
        monkeypatch.setattr(Doubling, "run", lambda options, say: {
            "seeds": seeds, "calls": 2, "tasks": {"qed": {"one": {"seeds": list(seeds)}}}
        })  # fmt: skip
        benchmarks.main("doubling", tmp_path, Options(**options), lines.append)

    monkeypatch.setattr(Doubling, "merge", lambda earlier, now: now, raising=False)
    run(0, 1)
    before = record_path("doubling", tmp_path).read_text()
    with pytest.raises(
        InputError, match=r"would not have \(tasks qed one seed 1\).* Nothing was written. Give another"
    ):
        run(0, 2, seeds=2)
    assert record_path("doubling", tmp_path).read_text() == before
    run(0, 1, 2, seeds=3)
    run(0, 2)
    assert lines[-3].endswith("the whole run takes the place of a record that had more: tasks qed one seed 1")
    assert read_record(record_path("doubling", tmp_path)).seeds == [0, 2]


def test_every_kind_of_record_says_what_was_measured() -> None:
    for results, places in (
        ({"arms": {"N": {"what": "w", "seeds": {"0": {"top_10": [{}]}}}}}, {"arms N seed 0"}),
        ({"arms": {"N": "w"}, "tasks": {"qed": {"N": [0.1, 0.2]}}}, {"arms N", "tasks qed N 0", "tasks qed N 1"}),
        ({"tasks": {"qed": {"N": {"3": {"auc": 0.1, "draws": {"60": {}}}}}}}, {"tasks qed N seed 3"}),
        ({"cases": {"levy": {"what": "w", "arms": {"N": {"of": {"seeds": [4]}, "regret": [1.0]}}}}},
         {"cases levy N seed 4"}),
        ({"tasks": ["qed"], "kernels": {"rbf": {"0": [{"chosen": 0.1}]}}}, {"tasks qed", "kernels rbf seed 0"}),
        ({"arms": {"N": {"best_three": {"7": 1.0}, "of_start": 0.1}}}, {"arms N best_three seed 7"}),
    ):  # fmt: skip
        assert {" ".join(place) for place in measured(results)} == places


def test_a_method_is_refused_where_there_are_none(doubling: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the benchmark doubling has no methods to choose from; leave 'linear' out"):
        benchmarks.main("doubling", tmp_path, Options(method="linear"))


def test_what_an_earlier_record_has_is_kept_where_the_benchmark_says_so(
    doubling: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Doubling, "merge", lambda old, new: {**old, **new, "was": old["calls"]}, raising=False)
    for calls in (3, 5):
        benchmarks.main("doubling", tmp_path / "records", Options(calls=calls), lambda line: None)
    assert read_record(tmp_path / "records" / "doubling.json").results == {"calls": 10, "was": 6}


def test_pages_of_a_benchmark_lie_beside_the_folder(
    doubling: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Doubling, "pages", lambda records: {"own/page.md": f"{records}"}, raising=False)
    lines: list[str] = []
    benchmarks.main("doubling", tmp_path / "records", Options(calls=3), lines.append)
    assert (tmp_path / "own" / "page.md").read_text() == "{'doubling': {'calls': 6}}"
    assert lines[-1] == f"Wrote {tmp_path}/records/doubling.json, {tmp_path}/records.md, {tmp_path}/own/page.md"


def test_an_unknown_name_is_told_with_those_there_are(tmp_path: Path) -> None:
    names = ", ".join(benchmarks.available())
    with pytest.raises(InputError, match=f"no benchmark 'dmeo'; give one of {names}, or all"):
        benchmarks.main("dmeo", tmp_path)


def test_the_command_says_what_was_given() -> None:
    assert Options().command("demo") == "designloop benchmark demo"
    assert Options(tasks=("qed", "deco_hop")).command("pmo") == "designloop benchmark pmo --tasks qed,deco_hop"
    assert Options(method="linear", seeds=2).command("vae") == "designloop benchmark vae linear --seeds 2"
    options = Options(campaign=Path("my campaign.yaml"), arms=("N", "N0"), seeds=1)
    assert options.command("demo") == "designloop benchmark demo --campaign 'my campaign.yaml' --seeds 1 --arms N,N0"
