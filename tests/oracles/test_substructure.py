from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from designloop.oracles import load
from designloop.oracles.substructure import parse_formula
from tests.oracles.record_values import molecules

SMILES = molecules()
BIPHENYL, ACETANILIDE, ETHANOL = "c1ccc(-c2ccccc2)cc1", "CC(=O)Nc1ccccc1", "CCO"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        ("any", {BIPHENYL: 1.0, ACETANILIDE: 1.0, ETHANOL: 0.0}),
        ("all", {BIPHENYL: 0.0, ACETANILIDE: 1.0, ETHANOL: 0.0}),
        ("patterns", {BIPHENYL: 1.0, ACETANILIDE: 2.0, ETHANOL: 0.0}),
        ("matches", {BIPHENYL: 2.0, ACETANILIDE: 2.0, ETHANOL: 0.0}),
    ],
)
def test_patterns_are_found_and_counted(count: str, expected: dict[str, float]) -> None:
    oracle = load("substructure", {"smarts": ["c1ccccc1", "C(=O)N"], "count": count})
    assert oracle.score(list(expected)) == expected


def test_one_pattern_needs_no_list() -> None:
    assert load("substructure", {"smarts": "[OX2H]"}).score([ETHANOL, BIPHENYL]) == {ETHANOL: 1.0, BIPHENYL: 0.0}


def test_more_matches_than_rdkit_lists_by_default_are_counted() -> None:
    chain = "C" * 1500
    assert load("substructure", {"smarts": "C", "count": "matches"}).score([chain]) == {chain: 1500.0}


def test_chirality_matches_when_asked_for() -> None:
    left, right = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"
    both = load("substructure", {"smarts": left}).score([left, right])
    one = load("substructure", {"smarts": left, "chirality": True}).score([left, right])
    assert both == {left: 1.0, right: 1.0}
    assert one == {left: 1.0, right: 0.0}


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [
        ("C9H10N2O2PF2Cl", {"C": 9, "H": 10, "N": 2, "O": 2, "P": 1, "F": 2, "Cl": 1}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
        ("CH3CH2OH", {"C": 2, "H": 6, "O": 1}),
    ],
)
def test_a_formula_is_read(formula: str, atoms: dict[str, int]) -> None:
    assert parse_formula(formula) == atoms


@pytest.mark.parametrize("formula", ["", "c9", "C9H10+", "C-9", "(CH3)2", "Xx", "C0H4", "C 9", "9C"])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match="a formula such as C9H10N2O2PF2Cl"):
        parse_formula(formula)


def guacamol(smiles: str, formula: dict[str, int]) -> float:
    """GuacaMol's IsomerScoringFunction by its definition.

    The geometric mean of GaussianModifier(mu=n, sigma=1) of the number of atoms of each element of the formula, and of
    GaussianModifier(mu=N, sigma=2) of the number of all atoms, in the molecule with hydrogens added.
    """
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    counts = Counter(atom.GetSymbol() for atom in mol.GetAtoms())
    parts = [np.exp(-0.5 * np.power((counts[element] - number) / 1.0, 2)) for element, number in formula.items()]
    parts.append(np.exp(-0.5 * np.power((mol.GetNumAtoms() - sum(formula.values())) / 2.0, 2)))
    return float(np.prod(parts) ** (1 / len(parts)))


@pytest.mark.parametrize("formula", ["C9H10N2O2PF2Cl", "C7H8N2O2", "C11H24", "C20H24N4O2"])
def test_the_isomer_score_is_guacamols(formula: str) -> None:
    found = load("isomer", {"formula": formula}).score(SMILES)
    wanted = parse_formula(formula)
    # GuacaMol multiplies first, so that far from the formula it underflows to 0 where the score is but very small.
    assert found == pytest.approx({smiles: guacamol(smiles, wanted) for smiles in SMILES}, rel=1e-9, abs=1e-40)


def test_an_isomer_scores_one_however_its_hydrogens_are_written() -> None:
    isomers: list[Any] = ["CCO", "COC", "[H]OCC", "[2H]OCC"]
    assert load("isomer", {"formula": "C2H6O"}).score(isomers) == dict.fromkeys(isomers, 1.0)
    assert load("isomer", {"formula": "C2H6O"}).score(["CCCCN"])["CCCCN"] < 0.1
