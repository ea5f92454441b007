"""GuacaMol's tasks against the records of two other implementations, the packages guacamol and PyTDC."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from rdkit import rdBase

from designloop.benchmarks.guacamol.benchmark import GOALS
from designloop.benchmarks.guacamol.scripts import ours as our_side
from designloop.benchmarks.guacamol.scripts import parses
from designloop.molecules.chemistry import without_stereo
from designloop.molecules.corpus import zinc
from designloop.oracles import available, load
from designloop.testing import check_oracle
from tests.oracles.record_guacamol import CASES, TARGETS, Case, analogues, molecules, read_record

TOLERANCE = 1e-6

PMO_TASKS = frozenset(
    "albuterol_similarity amlodipine_mpo celecoxib_rediscovery deco_hop fexofenadine_mpo isomers_c7h8n2o2 "
    "isomers_c9h10n2o2pf2cl median1 median2 mestranol_similarity osimertinib_mpo perindopril_mpo qed ranolazine_mpo "
    "scaffold_hop sitagliptin_mpo thiothixene_rediscovery troglitazone_rediscovery valsartan_smarts "
    "zaleplon_mpo".split()
)
"""Its 23 tasks but for drd2, gsk3b and jnk3, whose models are no part of RDKit."""

FORMULAS = frozenset(
    {"isomers_c7h8n2o2", "isomers_c9h10n2o2pf2cl", "isomers_c11h24", "sitagliptin_mpo", "zaleplon_mpo"}
)
"""Of whose atoms GuacaMol counts dummies too, and PMO's oracles do not."""

NAMES = sorted({case.oracle for case in CASES} - {"qed"})


@cache
def record() -> dict[str, Any]:
    return read_record()


def values(case: Case) -> dict[str, float]:
    answer: dict[str, float] = load(case.oracle, case.params).score(molecules(record()["groups"], case))
    return answer


def different(case: Case, package: str) -> dict[str, tuple[float, float | None]]:
    """Molecule -> our value and the package's, where they differ."""
    ours, smiles = values(case), molecules(record()["groups"], case)
    pairs = zip(smiles, record()["values"][package][str(case)], strict=True)
    return {
        molecule: (ours[molecule], theirs)
        for molecule, theirs in pairs
        if theirs is None or abs(ours[molecule] - theirs) > TOLERANCE
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_are_those_of_both_packages(case: Case) -> None:
    if record()["packages"]["rdkit"] != rdBase.rdkitVersion:
        pytest.skip(f"recorded under RDKit {record()['packages']['rdkit']}, whose release moves values")
    assert set(map(str, CASES)) == set(record()["values"]["guacamol"])
    if case.tdc:
        assert different(case, "PyTDC") == {}
    others = different(case, "guacamol")
    if case.oracle in FORMULAS:
        others = {molecule: pair for molecule, pair in others.items() if "*" not in molecule}
    assert others == {}


def test_where_the_packages_differ_pmo_is_followed() -> None:
    values, place = record()["values"], molecules(record()["groups"], CASES[0]).index("*CC(=O)N*")
    ours = load("isomers_c7h8n2o2").score(["*CC(=O)N*"])["*CC(=O)N*"]
    assert values["PyTDC"]["isomers_c7h8n2o2"][place] == pytest.approx(ours, abs=1e-8)
    assert values["guacamol"]["isomers_c7h8n2o2"][place] > ours + 1e-4


def test_the_record_is_of_enough_molecules() -> None:
    groups = record()["groups"]
    assert set(groups) == {"zinc", "odd", *TARGETS}
    assert len(set(groups["zinc"])) == 1000
    for name, target in TARGETS.items():
        assert groups[name][0] == target
        assert len(set(groups[name])) == 201
    assert {str(case) for case in CASES if case.tdc} == set(record()["values"]["PyTDC"])
    assert PMO_TASKS.issubset(case.oracle for case in CASES if case.tdc)
    assert PMO_TASKS.issubset(card.name for card in available())


@pytest.mark.parametrize("case", [case for case in CASES if case.targets], ids=str)
def test_analogues_have_values_of_many_sizes(case: Case) -> None:
    """Else nothing would be compared but zeros."""
    recorded = record()["values"]["guacamol"][str(case)]
    of_analogues = [value for value in recorded[-201 * len(case.targets) :] if value is not None]
    assert len(set(of_analogues)) > 20
    assert max(of_analogues) - min(of_analogues) > 0.1


def test_analogues_are_drawn_by_their_seed() -> None:
    drawn = analogues(TARGETS["camphor"], 3, number=5)
    assert drawn == analogues(TARGETS["camphor"], 3, number=5)
    assert drawn != analogues(TARGETS["camphor"], 4, number=5)
    assert len(set(drawn)) == 6


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("albuterol_similarity", "albuterol"),
        ("aripiprazole_similarity", "aripiprazole"),
        ("celecoxib_rediscovery", "celecoxib"),
        ("isomers_c7h8n2o2", "isomer of C7H8N2O2"),
        ("isomers_c9h10n2o2pf2cl", "isomer of C9H10N2O2PF2Cl"),
        ("isomers_c11h24", "isomer of C11H24"),
        ("mestranol_similarity", "mestranol"),
        ("thiothixene_rediscovery", "thiothixene"),
        ("troglitazone_rediscovery", "troglitazone"),
    ],
)
def test_what_is_sought_has_the_whole_score(name: str, best: str) -> None:
    assert load(name).score([TARGETS[best]]) == {TARGETS[best]: 1.0}


@pytest.mark.parametrize("name", NAMES)
def test_stereo_marks_change_nothing(name: str) -> None:
    """That is what ``sees_stereo=False`` declares, on which a campaign relies."""
    marked = [smiles for smiles in record()["groups"]["zinc"] if "@" in smiles or "/" in smiles][:40]
    marked += [TARGETS["mestranol"], TARGETS["amlodipine"], TARGETS["valsartan"]]
    oracle = load(name)
    flat = {smiles: without_stereo(smiles) for smiles in marked}
    assert not oracle.sees_stereo
    values = oracle.score([*marked, *flat.values()])
    assert {smiles: values[smiles] for smiles in marked} == pytest.approx(
        {smiles: values[flat[smiles]] for smiles in marked}, abs=1e-9
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_of_oracles_is_kept(name: str) -> None:
    check_oracle(name, skip=[] if name == "fexofenadine_mpo" else ["elsewhere"])  # a process apart takes seconds


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_molecule_has_no_answer(name: str) -> None:
    assert set(load(name).score(["C1CC", "CCO", "", "CCO"])) == {"CCO"}


@pytest.mark.parametrize("task", [goal.task for goal in GOALS.values() if goal.has_bars])
def test_a_task_takes_a_few_times_as_long_as_parsing(task: str) -> None:
    """1.4 to 3.9 times when it was measured (``designloop benchmark guacamol``); a machine that does other things has
    more time."""
    drawn = random.Random(20123).sample(zinc(), 2400)
    turns = [{"task": task, "smiles": drawn[start : start + 50]} for start in range(2000, 2400, 50)]
    given = {"others": drawn[:2000], "turns": turns}
    parsing, ours = parses.prepare(given), our_side.prepare(given)
    ratios = [ours(turn)["seconds"] / parsing(turn)["seconds"] for turn in range(len(turns))]
    assert min(ratios) < 7
