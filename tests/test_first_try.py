"""A costly oracle is tried on one molecule before a campaign spends anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from designloop import api
from designloop.loop.preflight import BrokenOracle
from designloop.tables.ledger_reading import read_runs
from tests.campaigns import write_campaign
from tests.commands import ASPIRIN, fails, succeeds

FIRST, SECOND = "CCOC(=O)c1ccccc1", "CCOC(=O)c1ccncc1"
PARAMS = "objective.properties.0.params"


def write_costly(folder: Path, model: Path, changes: Mapping[str, Any] | None = None) -> Path:
    path = write_campaign(folder, model, {"budget.oracle_calls": 3, **(changes or {})})
    oracle = folder / "my_oracle.py"
    oracle.write_text(oracle.read_text().replace('version="1"', "costly=True"))
    return path


@pytest.mark.parametrize(
    ("molecules", "tried", "what"),
    [
        ({"starting_molecules": [FIRST, SECOND], "reference": [ASPIRIN]}, FIRST, "the first starting molecule"),
        ({"reference": [SECOND, ASPIRIN]}, SECOND, "the first reference"),
        ({}, ASPIRIN, "aspirin"),
    ],
)
def test_one_molecule_is_tried_first_which_is_said_beforehand_and_paid_once(
    tmp_path: Path, tiny_model: Path, molecules: Mapping[str, Any], tried: str, what: str
) -> None:
    path = write_costly(tmp_path, tiny_model, molecules)
    lines = succeeds("run", path).splitlines()
    (line,) = [line for line in lines if line.startswith("carbons: costly")]
    assert f"{what} ({tried})" in line
    assert lines.index(line) < lines.index("starting")
    runs = read_runs(tmp_path / "small.ledger.sqlite")
    assert min(runs, key=lambda run: run.finished or 0).smiles == tried
    assert len({run.smiles for run in runs}) == len(runs), "nothing was paid for twice"
    assert "carbons: costly" not in succeeds(
        "run", write_costly(tmp_path, tiny_model, {**molecules, "budget.oracle_calls": 5})
    )


def test_a_failure_stops_before_anything_else_is_spent_with_the_reason(tmp_path: Path, tiny_model: Path) -> None:
    changes = {PARAMS: {"raises": True}, "starting_molecules": [FIRST, SECOND], "reference": [ASPIRIN]}
    path = write_costly(tmp_path, tiny_model, changes)
    said = fails(2, "run", path)
    assert "no licence left" in said
    assert "--no-try" in said
    assert {run.smiles for run in read_runs(tmp_path / "small.ledger.sqlite")} == {FIRST}
    assert api.status(path).calls == 0
    assert "no licence left" in fails(2, "run", path), "a failed try is tried anew"
    assert api.run(path, try_costly=False).summary.calls == 3


def test_no_try_and_validate_run_nothing_first(tmp_path: Path, tiny_model: Path) -> None:
    path = write_costly(tmp_path, tiny_model, {"starting_molecules": [FIRST], "budget.oracle_calls": 1})
    assert "`run` first gives each one molecule" in succeeds("validate", path)
    assert not read_runs(tmp_path / "small.ledger.sqlite")
    assert "costly" not in succeeds("run", path, "--no-try")
    (run,) = read_runs(tmp_path / "small.ledger.sqlite")
    assert run.purpose == "round"


def test_a_broken_cheap_oracle_costs_no_run_of_a_costly_one(tmp_path: Path, tiny_model: Path) -> None:
    path = write_costly(tmp_path, tiny_model, {"starting_molecules": [FIRST]})
    (tmp_path / "cheap.py").write_text("def score(smiles):\n    raise RuntimeError('no model')\n")
    cheap = "  properties:\n  - {name: cheap, oracle: './cheap.py:score', transform: {type: linear, low: 0, high: 1}}\n"
    path.write_text(path.read_text().replace("  properties:\n", cheap))
    with pytest.raises(BrokenOracle, match="no model"):
        api.run(path)
    cheap_alone = api.load_campaign(path).oracles["cheap"].fingerprint
    assert {run.fingerprint for run in read_runs(tmp_path / "small.ledger.sqlite")} == {cheap_alone}
