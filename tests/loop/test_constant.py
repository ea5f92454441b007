"""An oracle that says the same of every molecule is told of, and no other is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from designloop import api
from designloop.loop import constant, passing, preflight
from designloop.loop.campaign.campaign import load_campaign
from designloop.tables.ledger import Ledger
from tests.campaigns import write_campaign

DECLARED = """
from designloop.oracles import oracle

@oracle(costly={costly})
def score(smiles, fails=""):
    return {{molecule: {value} for molecule in smiles}}
"""


@pytest.mark.parametrize(
    ("value", "costly", "changes", "asked", "said"),
    [
        ("0.5", False, {}, "aspirin, caffeine, ibuprofen", True),
        ("0.5", False, {"reference": {"lead": "CCO"}}, "lead, aspirin, caffeine, ibuprofen", True),
        ("0.5", False, {"starting_molecules": ["CCO", "CCN"]}, "CCO, CCN, aspirin, caffeine, ibuprofen", True),
        ("float(len(molecule))", False, {}, "", False),
        ("float(len(molecule))", False, {"reference": ["CCO"]}, "", False),
        ("1.0 if molecule[0] == 'C' else None", False, {}, "aspirin, caffeine, ibuprofen", True),
        (
            "1.0 if molecule[0] == 'C' and '1' in molecule[:3] else None",
            False,
            {"reference": ["CCO", "C1CC1"]},
            "",
            False,
        ),
        ("1.0 if molecule == 'CCO' else None", False, {"reference": ["CCO"]}, "", False),
        ("None", False, {}, "", False),
        ("0.5", True, {}, "", False),
    ],
)
def test_the_same_value_for_all_is_remarked(
    tmp_path: Path, tiny_model: Path, value: str, costly: bool, changes: Mapping[str, object], asked: str, said: bool
) -> None:
    path = write_campaign(tmp_path, tiny_model, changes)
    (tmp_path / "my_oracle.py").write_text(DECLARED.format(value=value, costly=costly))
    campaign = load_campaign(path)
    with Ledger(None) as ledger:
        sentences = constant.find_constant(campaign, preflight.check_oracles(campaign, ledger), ledger)
    assert bool(sentences) is said
    for sentence in sentences:
        constant_value = "1" if value.startswith("1.0") else "0.5"
        assert sentence.startswith(f"property 'carbons': its oracle gives {constant_value} for each of {asked}: no mol")


def test_what_is_built_in_is_not_remarked(tmp_path: Path, tiny_model: Path) -> None:
    changes = {"objective.properties.0.oracle": "alerts", "objective.properties.0.params": {}}
    campaign = load_campaign(write_campaign(tmp_path, tiny_model, changes))
    with Ledger(None) as ledger:
        checks = [preflight.Check("carbons", name, 0.0, 0.0, None, 0.1) for name in ("a", "b")]
        assert constant.find_constant(campaign, checks, ledger) == []


def test_validate_and_run_say_it(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "SAMPLE", 20)
    path = write_campaign(tmp_path, tiny_model, {"budget": {"oracle_calls": 2}, "batch_size": 2})
    (tmp_path / "my_oracle.py").write_text(DECLARED.format(value=0.5, costly=False))
    (remark,) = api.validate(path).remarks
    said: list[str] = []
    api.run(path, say=said.append)
    assert said.count(remark) == 1
    assert "property 'carbons': its oracle gives 0.5 for each of aspirin, caffeine, ibuprofen" in remark
