"""The benchmark of robustness on parts that take no time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from designloop.api import InputError
from designloop.benchmarks import Options
from designloop.benchmarks.robustness import benchmark, parts
from designloop.benchmarks.robustness.parts import Faults, Part, fault_of_form, of_smiles


def broken(trial: int, folder: Path) -> tuple[int, Faults]:
    """Ten cases, of which one is wrong in each trial but the first."""
    assert folder.is_dir()
    return 10, iter([(f"case {trial}", "silent: it is é")] if trial else [])


@pytest.fixture
def two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = (Part("smiles", 2, lambda trial, folder: (50_000, iter(()))), Part("some files", 3, broken))
    for module in (benchmark, parts):
        monkeypatch.setattr(module, "PARTS", chosen)


def test_cases_and_faults_of_all_trials_are_counted(two_parts: None, tmp_path: Path) -> None:
    results = benchmark.run(Options(work=tmp_path), lambda line: None)
    files = results["parts"]["some files"]
    assert (files["cases"], files["silent"], files["traceback"]) == (30, 2, 0)
    assert files["faults"] == [{"case": f"'case {n}'", "fault": "silent: it is \\xe9"} for n in (1, 2)]
    assert [(bar["found"], bar["holds"]) for bar in results["bars"]] == [
        (100_000, True),
        (30, False),
        (0, True),
        (2, False),
        (0, True),
        (0, True),
    ]
    report = benchmark.report(results)
    assert "| silent changes, at most | 0 | 2 | **no** |" in report
    assert "- some files: `'case 1'`: silent: it is \\xe9" in report


def test_a_part_that_is_tried_alone_takes_the_place_of_its_earlier_self(two_parts: None, tmp_path: Path) -> None:
    smiles, files = (
        benchmark.run(Options(work=tmp_path, tasks=(task,)), lambda line: None) for task in ("smiles", "some files")
    )
    old = {**files, "parts": {"some files": {**files["parts"]["some files"], "cases": 7}, "gone": {}}}
    merged = benchmark.merge(benchmark.merge(old, smiles), files)
    assert list(merged["parts"]) == ["smiles", "some files"]
    assert merged["parts"]["some files"]["cases"] == 30
    assert [bar["found"] for bar in merged["bars"]] == [100_000, 30, 0, 2, 0, 0]
    assert "| some files | 30 | 0 | 2 | 0 | 0 |  | " in benchmark.report(merged)


def test_the_record_names_the_commit_and_whether_code_has_changed_since(tmp_path: Path) -> None:
    assert benchmark.commit_of(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "code.py").write_text("1\n")
    for words in (["init", "-q"], ["add", "code.py"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    clean = benchmark.commit_of(tmp_path)
    assert len(clean) == 12
    (tmp_path / "code.py").write_text("2\n")
    assert benchmark.commit_of(tmp_path) == f"{clean} with changes"


def test_seeds_are_those_of_what_is_drawn() -> None:
    seeds = {part.name: part.seeds for part in parts.PARTS if part.seeds}
    assert seeds == {"damages": [0, 1, 2, 3], "smiles": list(range(10_000, 10_101))}


def test_what_was_tried_is_not_tried_again(two_parts: None, tmp_path: Path) -> None:
    lines: list[str] = []
    for _ in range(2):
        benchmark.run(Options(work=tmp_path, tasks=("some files",)), lines.append)
    assert [line.split(";")[0] for line in lines if "to run" in line] == [
        "3 of 3 trials to run",
        "0 of 3 trials to run",
    ]


def test_a_part_that_there_is_not_is_told(two_parts: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no task 'smile'; give some of smiles, some files"):
        benchmark.run(Options(work=tmp_path, tasks=("smile",)), lambda line: None)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("parent: raised ValueError: x", "traceback"),
        ("parent: the error does not name it: x", "message"),
        ("none: 'CC' is no fixed point", "silent"),
    ],
)
def test_the_kind_of_a_fault_of_a_standard_form(fault: str, kind: str) -> None:
    assert fault_of_form(fault) == f"{kind}: {fault}"


def test_a_trial_of_a_real_part_has_no_faults(tmp_path: Path) -> None:
    count, faults = of_smiles(0, tmp_path, count=100)
    assert (count, list(faults)) == (100, [])
