"""What is looked at before the first paid call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from designloop.loop import passing, preflight
from designloop.loop.campaign.campaign import load_campaign
from designloop.loop.evaluation.child import side_by_side
from designloop.loop.preflight import KNOWN_MOLECULES, Check, Estimate, find_broken
from designloop.molecules.chemistry import standard_form
from designloop.tables.ledger import Ledger
from designloop.tables.manifest import RoundInfo
from tests.campaigns import write_campaign


def check(name: str, molecule: str, value: float | None, error: str | None = None) -> Check:
    return Check(name, molecule, value, value, error, 0.0)


def test_an_oracle_is_broken_that_has_no_value_for_any_known_molecule() -> None:
    good = [check("good", molecule, 1.0 if molecule == "aspirin" else None, "too big") for molecule in KNOWN_MOLECULES]
    bad = [check("bad", molecule, None, "no licence") for molecule in KNOWN_MOLECULES]
    (sentence,) = find_broken([*good, *bad])
    assert "'bad'" in sentence
    assert sentence.count("no licence") == 1, "the same words once"


def test_an_error_that_differs_in_the_molecule_only_is_told_once() -> None:
    said = {"aspirin": "no 'CCO' here", "caffeine": "no 'CCC' here", "ibuprofen": "too big"}
    (sentence,) = find_broken([check("bad", molecule, None, error) for molecule, error in said.items()])
    assert sentence.endswith("it says: no 'CCO' here / too big")


def test_a_folder_of_other_things_is_found_before_a_run(tmp_path: Path, tiny_model: Path) -> None:
    campaign = load_campaign(write_campaign(tmp_path, tiny_model))
    assert preflight.find_unwritable(campaign) == []
    campaign.output_folder.mkdir()
    (campaign.output_folder / "thesis.tex").touch()
    (sentence,) = preflight.find_unwritable(campaign)
    assert "found thesis.tex" in sentence


def test_the_known_molecules_are_in_standard_form() -> None:
    assert {standard_form(smiles) for smiles in KNOWN_MOLECULES.values()} == set(KNOWN_MOLECULES.values())


def test_oracles_are_tried_on_what_the_user_gave_and_on_known_molecules_only_where_there_is_nothing(
    tmp_path: Path, tiny_model: Path
) -> None:
    own = {"starting_molecules": ["CCO", "CCN", "CCC", "CCF"], "reference": {"drug": "CCCl", "twin": "CCO"}}
    for changes, tried in (
        ({}, dict(KNOWN_MOLECULES)),
        (own, {"drug": "CCCl", "twin": "CCO", "CCN": "CCN", "CCC": "CCC"}),
        ({"starting_molecules": own["starting_molecules"]}, {"CCO": "CCO", "CCN": "CCN", "CCC": "CCC"}),
        ({"reference": {"a salt": "[Na+].CC([O-])=O"}}, {"a salt": "CC(=O)O"}),
    ):
        campaign = load_campaign(write_campaign(tmp_path, tiny_model, changes))
        assert preflight.trial_molecules(campaign) == tried
        with Ledger(None) as ledger:
            assert [check.molecule for check in preflight.check_oracles(campaign, ledger)] == list(tried)
            assert {run.smiles for run in ledger.runs()} == set(tried.values())


def test_a_cheap_oracle_that_the_score_leaves_out_is_tried_beside_a_costly_one(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = write_campaign(tmp_path, tiny_model, {"objective.properties.0.weight": 0})
    (tmp_path / "costly.py").write_text(
        "from designloop.oracles import oracle\n\n@oracle(costly=True)\ndef score(smiles):\n    return {}\n"
    )
    costly = "  properties:\n  - {name: dear, oracle: ./costly.py:score, transform: {type: linear, low: 0, high: 1}}\n"
    path.write_text(path.read_text().replace("  properties:\n", costly))
    with Ledger(None) as ledger:  # a mean of weights that are all 0 would warn
        checks = preflight.check_oracles(load_campaign(path), ledger)
    assert {check.property for check in checks} == {"carbons"}
    assert all(check.value is not None for check in checks)


def test_two_molecules_of_one_name_are_told_apart(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mine.smi").write_text("CCO lead\nCCN lead\n")
    campaign = load_campaign(write_campaign(tmp_path, tiny_model, {"starting_molecules": "mine.smi"}))
    assert preflight.trial_molecules(campaign) == {"lead (CCO)": "CCO", "lead (CCN)": "CCN"}


def test_a_wrong_filter_stands_in_the_way_of_a_plan(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "SAMPLE", 20)
    changes = {"starting_molecules": ["CC(=O)Nc1ccc(O)cc1"], "filters": {"require_smarts": ["S(=O)(=O)N"]}}
    with Ledger(None) as ledger:
        planned = preflight.plan(load_campaign(write_campaign(tmp_path, tiny_model, changes)), ledger)
    assert not planned.ready
    (problem,) = planned.problems
    assert "none of your own molecules passes" in problem
    assert "require_smarts refuses 1: CC(=O)Nc1ccc(O)cc1 (no S(=O)(=O)N)" in problem


def test_checks_are_recorded_as_such_and_not_run_twice_when_they_went_well(tmp_path: Path, tiny_model: Path) -> None:
    campaign = load_campaign(write_campaign(tmp_path, tiny_model, {"objective.properties.0.params": {"fails": "n"}}))
    with Ledger(None) as ledger:
        for _ in range(2):
            checks = preflight.check_oracles(campaign, ledger)
        runs = ledger.runs()
    assert {check.molecule: check.value for check in checks} == {"aspirin": 0.9, "caffeine": None, "ibuprofen": 1.3}
    assert {run.purpose for run in runs} == {"check"}
    assert len([run for run in runs if run.status == "ok"]) == 2, "aspirin and ibuprofen, once each"


def test_a_bill_without_an_oracles_time_has_no_total() -> None:
    assert Estimate(100, 1, {"a": 0.5, "b": 1.5}, 4).oracle_seconds == pytest.approx(50)
    assert Estimate(100, 1, {"a": 0.5, "b": None}, 4).oracle_seconds is None


def test_proposing_and_learning_are_estimated_from_the_rounds_of_the_campaign(tmp_path: Path, tiny_model: Path) -> None:
    campaign = load_campaign(write_campaign(tmp_path, tiny_model))
    spent = [
        ({}, 0),
        ({"propose_seconds": 1.0, "learn_seconds": 2.0}, 1),
        ({"propose_seconds": 3.0, "learn_seconds": 4.0}, 2),
    ]
    rounds = [
        RoundInfo("c", number, "round" if number else "start", 5, 5 * (number + 1), {}, metrics, "", "", "", {})
        for metrics, number in spent
    ]
    with Ledger(None) as ledger:
        assert preflight.estimate(campaign, ledger).own_seconds is None
        bill = preflight.estimate(campaign, ledger, rounds)
    assert (bill.calls, bill.rounds) == (30, 2)
    assert bill.own_seconds == pytest.approx(2 * 5.0)


@pytest.mark.parametrize(
    ("budget", "bill"),
    [
        ({}, (50, 5)),
        ({"budget.rounds": 3}, (32, 3)),
        ({"budget.per_oracle": {"carbons": 21}}, (21, 2)),
        ({"budget.per_oracle": {"carbons": 21}, "budget.rounds": 1}, (12, 1)),
        ({"budget.per_oracle": {"carbons": 2}}, (2, 0)),
    ],
)
def test_the_bill_is_of_the_cap_that_is_reached_first(
    budget: dict[str, Any], bill: tuple[int, int], tmp_path: Path, tiny_model: Path
) -> None:
    given = {"budget.oracle_calls": 50, "batch_size": 10, "starting_molecules": ["CCO", "CCN"], **budget}
    with Ledger(None) as ledger:
        estimate = preflight.estimate(load_campaign(write_campaign(tmp_path, tiny_model, given)), ledger)
    assert (estimate.calls, estimate.rounds) == bill


def test_the_bill_of_what_is_left_counts_calls_of_each_oracle_and_rounds_that_were_run(
    tmp_path: Path, tiny_model: Path
) -> None:
    given = {"budget.oracle_calls": 50, "batch_size": 10, "budget.rounds": 4, "budget.per_oracle": {"carbons": 28}}
    campaign = load_campaign(write_campaign(tmp_path, tiny_model, given))
    rounds = [
        RoundInfo("c", 0, "start", 2, 2, {"carbons": 2}, {}, "", "", "", {}),
        RoundInfo("c", 1, "round", 10, 12, {"carbons": 10}, {}, "", "", "", {}),
        RoundInfo("c", 2, "amendment", 2, 12, {"carbons": 2}, {}, "", "", "", {}),
    ]
    with Ledger(None) as ledger:
        bill = preflight.estimate(campaign, ledger, rounds)
    assert (bill.calls, bill.rounds) == (16, 2)


def test_two_properties_of_one_oracle_are_billed_once(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    twin = path.read_text().replace(
        "- name: carbons",
        "- name: twin\n    oracle: ./my_oracle.py:score\n    weight: 0.0\n    "
        "transform: {type: linear, low: 0, high: 3}\n  - name: carbons",
    )
    path.write_text(twin)
    with Ledger(None) as ledger:
        bill = preflight.estimate(load_campaign(path), ledger)
    assert list(bill.seconds) == ["twin"]


SHARING = """
from pathlib import Path
from designloop.oracles import oracle

@oracle({declared})
def score(smiles, fails=""):
    values = {{}}
    for molecule in smiles:
        Path({place!r}, "ligand.smi").write_text(molecule)
        values[molecule] = Path({place!r}, "ligand.smi").read_text().count("C") / 10
    return values
"""


@pytest.mark.parametrize(
    ("place", "declared", "is_disturbed"), [("/", "", True), ("", "", False), ("/", "costly=True", False)]
)
def test_an_oracle_that_two_workers_cannot_share_stands_in_the_way_of_a_run(
    tmp_path: Path, tiny_model: Path, place: str, declared: str, is_disturbed: bool
) -> None:
    path = write_campaign(tmp_path, tiny_model)
    folder = place and str(tmp_path)
    (tmp_path / "my_oracle.py").write_text(SHARING.format(place=folder, declared=declared))
    with Ledger(None) as ledger:
        sentences = preflight.find_disturbed(load_campaign(path), ledger)
    assert bool(sentences) is is_disturbed
    for sentence in sentences:
        assert sentence.startswith("property 'carbons': ")
        assert f"(both write to {tmp_path}/ligand.smi); what it writes by a relative name" in sentence
        assert sentence.endswith("use the working folder or tempfile instead, or evaluation: {workers: 1}")


COUNTING = """
def score(smiles, fails=""):
    with open({place!r}, "a") as file:
        file.write("\\n".join([*smiles, ""]))
    return {{molecule: 1.0 for molecule in smiles}}
"""


@pytest.mark.parametrize(("slow", "molecules"), [(False, preflight.SIDE_BY_SIDE), (True, 2)])
def test_an_oracle_known_to_be_slow_is_run_on_two_molecules(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, slow: bool, molecules: int
) -> None:
    monkeypatch.setattr(preflight, "SLOW_SECONDS", -1.0 if slow else 1000.0)
    campaign_file = write_campaign(tmp_path, tiny_model)
    (tmp_path / "my_oracle.py").write_text(COUNTING.format(place=str(tmp_path / "asked.txt")))
    campaign = load_campaign(campaign_file)
    with Ledger(None) as ledger:
        preflight.check_oracles(campaign, ledger)
        (tmp_path / "asked.txt").unlink()
        assert preflight.find_disturbed(campaign, ledger) == []
    asked = set((tmp_path / "asked.txt").read_text().split()) - set(side_by_side.PROBES)
    assert len(asked) == molecules


def test_what_takes_long_is_tried_once_at_once_and_no_more(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "ENOUGH_SECONDS", -1.0)
    campaign_file = write_campaign(tmp_path, tiny_model)
    (tmp_path / "my_oracle.py").write_text(COUNTING.format(place=str(tmp_path / "asked.txt")))
    with Ledger(None) as ledger:
        assert preflight.find_disturbed(load_campaign(campaign_file), ledger) == []
    asked = (tmp_path / "asked.txt").read_text().split()
    assert len(asked) == 2 * preflight.SIDE_BY_SIDE, "once alone, once both at once"
