"""Campaigns whose oracles give several numbers a molecule, declared or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop import api
from designloop.loop import passing
from tests.campaigns import write_campaign
from tests.commands import succeeds

UNDECLARED = "def score(smiles):\n    return {m: {'x': 0.5, 'y': 0.1} for m in smiles}\n"
DECLARED = f"from designloop.oracles import oracle\n\n@oracle(outputs={{'x': 'kcal/mol', 'y': ''}})\n{UNDECLARED}"


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of filters from a few molecules will do."""
    monkeypatch.setattr(passing, "SAMPLE", 20)


def write(folder: Path, model: Path, source: str) -> Path:
    changes = {
        "objective.properties.0.oracle": "./multi.py:score",
        "objective.properties.0.output": "x",
        "budget.oracle_calls": 3,
    }
    (folder / "multi.py").write_text(source)
    return write_campaign(folder, model, changes)


def test_a_campaign_of_an_output_that_is_not_declared_runs(tmp_path: Path, tiny_model: Path) -> None:
    outcome = api.run(write(tmp_path, tiny_model, UNDECLARED))
    assert [molecule.properties["carbons"].value for molecule in outcome.best] == [0.5] * 3
    assert {molecule.properties["carbons"].unit for molecule in outcome.best} == {""}


def test_the_plan_has_the_unit_of_the_output(tmp_path: Path, tiny_model: Path) -> None:
    (line,) = [
        line for line in succeeds("validate", write(tmp_path, tiny_model, DECLARED)).splitlines() if "linear" in line
    ]
    assert "kcal/mol" in line
