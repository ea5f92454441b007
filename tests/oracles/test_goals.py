"""The parts that goals are made of, against closed forms and against RDKit asked molecule by molecule."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from rdkit.Chem import rdMolDescriptors
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

from designloop.oracles import goals
from designloop.oracles.goals import Batch, Modifier
from tests.oracles.record_values import BICALUTAMIDE, molecules

SCORES = st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("modifier", "values"),
    [
        (goals.unchanged, {0.3: 0.3}),
        (goals.clipped(0.8), {0.0: 0.0, 0.4: 0.5, 0.8: 1.0, 0.9: 1.0}),
        (goals.bell(2, 0.5), {2: 1.0, 2.5: math.exp(-0.5), 1.0: math.exp(-2)}),
        (goals.at_most(4, 2), {-9: 1.0, 4: 1.0, 6: math.exp(-0.5)}),
        (goals.at_least(90, 10), {200: 1.0, 90: 1.0, 70: math.exp(-2)}),
    ],
)
def test_modifiers_are_lines_and_gaussians(modifier: Modifier, values: dict[float, float]) -> None:
    assert {value: modifier(value) for value in values} == pytest.approx(values)


@given(SCORES)
def test_the_geometric_mean_is_a_root_of_the_product(scores: list[float]) -> None:
    assert goals.geometric_mean(scores) == pytest.approx(math.prod(scores) ** (1 / len(scores)))
    assert goals.geometric_mean([*scores, 0.0]) == 0.0
    assert goals.geometric_mean([score * 1e-200 for score in scores]) > 0


@given(SCORES)
def test_the_arithmetic_mean_lies_above_the_geometric(scores: list[float]) -> None:
    assert goals.arithmetic_mean(scores) == pytest.approx(sum(scores) / len(scores))
    assert goals.arithmetic_mean(scores) >= goals.geometric_mean(scores) - 1e-12


def counted(mol: Chem.Mol, features: goals.Features) -> dict[int, int]:
    """RDKit's older functions, which GuacaMol calls."""
    old = {
        "ecfp4": lambda: rdMolDescriptors.GetMorganFingerprint(mol, 2),
        "ecfp6": lambda: rdMolDescriptors.GetMorganFingerprint(mol, 3),
        "fcfp4": lambda: rdMolDescriptors.GetMorganFingerprint(mol, 2, useFeatures=True),
        "atom_pair": lambda: rdMolDescriptors.GetAtomPairFingerprint(mol, maxLength=10),
    }
    if features == "pharmacophore":
        return dict.fromkeys(Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory).GetOnBits(), 1)
    return dict(old[features]().GetNonzeroElements())


@pytest.mark.parametrize("features", ["ecfp4", "ecfp6", "fcfp4", "atom_pair", "pharmacophore"])
def test_likeness_is_the_sum_of_minima_over_that_of_maxima(features: goals.Features) -> None:
    smiles = [*[molecule for molecule in molecules() if len(molecule) < 60][:80], BICALUTAMIDE]
    target = counted(Chem.MolFromSmiles(BICALUTAMIDE), features)

    def tanimoto(counts: dict[int, int]) -> float:
        keys = counts.keys() | target.keys()
        least = sum(min(counts.get(key, 0), target.get(key, 0)) for key in keys)
        return least / sum(max(counts.get(key, 0), target.get(key, 0)) for key in keys)

    expected = [tanimoto(counted(Chem.MolFromSmiles(molecule), features)) for molecule in smiles]
    assert list(goals.likeness(BICALUTAMIDE, features)(Batch.read(smiles))) == pytest.approx(expected, abs=1e-9)
    assert expected[-1] == 1.0


def test_a_batch_has_each_valid_molecule_once_and_makes_fingerprints_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = goals.fingerprints

    def watched(mols: Sequence[Chem.Mol], features: goals.Features) -> list[DataStructs.ULongSparseIntVect]:
        made.append(len(mols))
        return make(mols, features)

    monkeypatch.setattr(goals, "fingerprints", watched)
    batch = Batch.read(["CCO", "C1CC", "CCO", "CCN", ""])
    assert batch.smiles == ["CCO", "CCN"]
    assert batch.fingerprints("ecfp4") is batch.fingerprints("ecfp4")
    fewer = batch.where([False, True])
    assert fewer.smiles == ["CCN"]
    assert list(fewer.fingerprints("ecfp4")) == [batch.fingerprints("ecfp4")[1]]
    assert batch.where([True, True]) is batch
    assert made == [2]
    assert Batch.read([]).fingerprints("ecfp6") == []


def test_what_is_zero_already_is_not_asked_further() -> None:
    asked: list[str] = []

    def costly(batch: Batch) -> list[float]:
        asked.extend(batch.smiles)
        return [0.25] * len(batch.smiles)

    smiles = ["CCO", "CCN", "C1CC"]
    assert goals.mean_of(smiles, goals.present("O"), costly) == pytest.approx({"CCO": 0.5, "CCN": 0.0})
    assert asked == ["CCO"]
    arithmetic = goals.mean_of(smiles, goals.absent("O"), costly, mean="arithmetic")
    assert arithmetic == pytest.approx({"CCO": 0.125, "CCN": 0.625})
    assert asked == ["CCO", "CCO", "CCN"]


def test_more_molecules_than_are_looked_at_at_once_are_all_answered() -> None:
    smiles = ["C" * length for length in range(1, 60)] * 2
    expected = {molecule: 1.0 / len(molecule) for molecule in smiles}
    assert goals.mean_of(smiles, goals.number(lambda mol: 1.0 / mol.GetNumAtoms())) == pytest.approx(expected)


def test_elements_are_counted_and_hydrogens_stand_anywhere() -> None:
    assert goals.element("F")(Chem.MolFromSmiles("FC(F)(F)CCl")) == 3
    scores = goals.isomer_of("C2H6O")(Batch.read(["CCO", "[2H]C([2H])([2H])CO", "CO"]))
    assert scores == pytest.approx([1.0, 1.0, (math.exp(-0.5) * math.exp(-2) * math.exp(-9 / 8)) ** (1 / 4)])
    assert goals.isomer_of("C2H6O", "arithmetic")(Batch.read(["CO"])) == pytest.approx(
        [(math.exp(-0.5) + math.exp(-2) + 1 + math.exp(-9 / 8)) / 4]
    )


def test_dummy_atoms_are_not_counted_among_a_formulas_atoms() -> None:
    assert goals.isomer_of("CH3")(Batch.read(["*C"])) == pytest.approx([1.0])
