"""The speed of GuacaMol's tasks, with a stand-in for the package: nothing is installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from designloop.api import InputError
from designloop.benchmarks.common.options import Options
from designloop.benchmarks.guacamol import benchmark as guacamol
from designloop.benchmarks.guacamol.benchmark import GOALS, DifferentValuesError, make_row
from designloop.benchmarks.guacamol.scripts import ours, package, parses
from designloop.benchmarks.peers import environments
from designloop.benchmarks.peers.environments import InstallError, install_alone
from designloop.molecules.corpus import zinc
from designloop.oracles import load

SIDE = """
import json
def prepare(task):
    def run(turn):
        return {{"seconds": {seconds}, "value": {value}}}
    return run
"""


def silent(line: str) -> None:
    pass


def seconds(*, parses: float, ours: float, package: float) -> dict[str, list[float]]:
    return {"parses": [parses] * 3, "ours": [ours, ours, 9 * ours], "package": [package] * 3}


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three sides that say how long they took: RDKit 1 s, ours 2 s, the package 8 s."""
    (tmp_path / "parses.py").write_text(SIDE.format(seconds=1.0, value="len(task['turns'][turn]['smiles'])"))
    (tmp_path / "ours.py").write_text(SIDE.format(seconds=2.0, value=0.5))
    (tmp_path / "package.py").write_text(SIDE.format(seconds=8.0, value=0.5))
    monkeypatch.setattr(guacamol, "SCRIPTS", tmp_path)
    monkeypatch.setattr(guacamol, "install_alone", lambda requirement, folder, say: tmp_path)
    return tmp_path


def test_ratios_are_medians_of_turns_and_have_bars() -> None:
    row = make_row(GOALS["zaleplon_mpo"], seconds(parses=1, ours=4, package=12))
    assert (row["of_parses"], row["of_package"]) == (0.25, 3.0)
    assert (row["holds_parses"], row["holds_package"]) == (True, True), "a bar is held where it is met"
    row = make_row(GOALS["zaleplon_mpo"], seconds(parses=1, ours=4.1, package=12))
    assert (row["holds_parses"], row["holds_package"]) == (False, False)
    row = make_row(GOALS["median1"], seconds(parses=1, ours=9, package=12))
    assert (row["holds_parses"], row["holds_package"]) == (None, None), "its bars are of tasks of several properties"


def test_the_sides_take_turns_and_the_page_shows_their_speeds(stand_ins: Path) -> None:
    tasks = ("median1", "zaleplon_mpo")
    results = guacamol.run(Options(seeds=2, tasks=tasks, work=stand_ins / "work"), silent)
    json.dumps(results)
    assert [row["task"] for row in results["rows"]] == ["zaleplon_mpo", "median1"]
    assert results["rows"][0]["seconds"] == {"parses": [1.0] * 2, "ours": [2.0] * 2, "package": [8.0] * 2}
    page = guacamol.report(results)
    expected = "| zaleplon_mpo | 100 | 50 | 12 | 0.500 | 0.50–0.50 | ≥ 0.25 | yes | 4.000 | 4.00–4.00 | ≥ 3 | yes |"
    assert expected in page
    assert "| median1 | 100 | 50 | 12 | 0.500 | 0.50–0.50 |  |  | 4.000 | 4.00–4.00 |  |  |" in page


def test_no_turn_has_a_molecule_that_another_has(stand_ins: Path) -> None:
    guacamol.run(Options(seeds=2, tasks=("median1", "zaleplon_mpo"), work=stand_ins / "work"), silent)
    task = json.loads((stand_ins / "work" / "guacamol" / "task.json").read_text())
    drawn = [text for turn in task["turns"] for text in turn["smiles"]] + task["others"]
    assert len(set(drawn)) == len(drawn) == 4 * guacamol.MOLECULES + guacamol.OTHERS
    assert [turn["task"] for turn in task["turns"]] == ["zaleplon_mpo", "median1"] * 2
    assert task["goals"] == {"zaleplon_mpo": "zaleplon_with_other_formula", "median1": "median_camphor_menthol"}


def test_without_the_package_the_page_says_why(stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(requirement: str, folder: Path, say: Any) -> Path:
        raise InstallError("no matching distribution")

    monkeypatch.setattr(guacamol, "install_alone", fail)
    results = guacamol.run(Options(seeds=1, tasks=("perindopril_mpo",), work=stand_ins / "work"), silent)
    (row,) = results["rows"]
    assert (row["of_parses"], row["of_package"], row["holds_package"]) == (0.5, None, None)
    page = guacamol.report(results)
    assert "**guacamol==0.5.5 could not be installed: no matching distribution**" in page
    assert "| perindopril_mpo | 100 | 50 |  | 0.500 | 0.50–0.50 | ≥ 0.25 | yes |  |  | ≥ 3 |  |" in page


def test_values_that_differ_end_it(stand_ins: Path) -> None:
    (stand_ins / "package.py").write_text(SIDE.format(seconds=8.0, value=0.50001))
    with pytest.raises(DifferentValuesError, match=r"mean of 100 values is 0\.500000000 by ours and 0\.50001"):
        guacamol.run(Options(seeds=1, tasks=("zaleplon_mpo",), work=stand_ins / "work"), silent)


def test_what_rdkit_cannot_parse_ends_it(stand_ins: Path) -> None:
    (stand_ins / "parses.py").write_text(SIDE.format(seconds=1.0, value=99))
    with pytest.raises(DifferentValuesError, match="RDKit parsed 99 of 100 molecules"):
        guacamol.run(Options(seeds=1, tasks=("zaleplon_mpo",), work=stand_ins / "work"), silent)


def test_tasks_that_are_not_run_again_stay_as_they_were(stand_ins: Path) -> None:
    earlier = guacamol.run(Options(seeds=1, tasks=("median1", "amlodipine_mpo"), work=stand_ins / "work"), silent)
    now = guacamol.run(Options(seeds=2, tasks=("median1",), work=stand_ins / "work"), silent)
    rows = guacamol.merge(earlier, now)["rows"]
    assert [(row["task"], len(row["seconds"]["ours"])) for row in rows] == [("amlodipine_mpo", 1), ("median1", 2)]


def test_an_unknown_task_is_told_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no task 'qed'; give some of amlodipine_mpo, fexofenadine_mpo"):
        guacamol.run(Options(tasks=("qed",)), silent)


# ---- the sides


def given(tasks: Sequence[str]) -> dict[str, Any]:
    smiles = zinc()[:60]
    turns = [{"task": task, "smiles": smiles[10 * number : 10 * number + 10]} for number, task in enumerate(tasks)]
    return {"others": smiles[50:], "turns": turns}


def test_ours_answers_with_the_mean_of_the_oracle() -> None:
    task = given(["median1", "zaleplon_mpo"])
    run = ours.prepare(task)
    values = load("zaleplon_mpo").score(task["turns"][1]["smiles"])
    answer = run(1)
    assert answer["value"] == pytest.approx(sum(values.values()) / 10)
    assert answer["seconds"] > 0
    assert parses.prepare(task)(1)["value"] == 10


def test_the_package_is_asked_by_its_own_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of the package, which wants what the package wants: ``fcd``, and SciPy's ``histogram``."""
    (tmp_path / "guacamol").mkdir()
    (tmp_path / "guacamol" / "__init__.py").touch()
    (tmp_path / "guacamol" / "standard_benchmarks.py").write_text(
        "from types import SimpleNamespace\n"
        "from fcd import anything\n"
        "from scipy import histogram\n"
        "def perindopril_rings():\n"
        "    return SimpleNamespace(objective=SimpleNamespace(score_list=lambda smiles: [len(smiles)] * len(smiles)))\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("scipy.histogram", None, raising=False)
    for name in ("guacamol", "guacamol.standard_benchmarks", "fcd"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, name)
    task = given(["perindopril_mpo"]) | {"site": str(tmp_path), "goals": {"perindopril_mpo": "perindopril_rings"}}
    assert package.prepare(task)(0)["value"] == 10


def test_a_package_is_installed_alone_once_and_anew_for_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []

    def call(command: list[str]) -> None:
        called.append(command)
        if "venv" in command:
            (tmp_path / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages").mkdir(
                parents=True, exist_ok=True
            )

    monkeypatch.setattr(environments, "_call", call)
    for requirement, calls in (("one==1.0", 2), ("one==1.0", 2), ("one==1.1", 4)):
        assert install_alone(requirement, tmp_path, silent).name == "site-packages"
        assert len(called) == calls
    assert called[1][-2:] == ["--no-deps", "one==1.0"]
