"""Values against RDKit asked directly, and against formulas spelled out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, Lipinski, rdMolDescriptors

from designloop.oracles import load
from tests.oracles.record_values import molecules

SMILES = molecules()
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def values(reference: str, **params: Any) -> dict[str, float]:
    answer: dict[str, float] = load(reference, params).score(SMILES)
    return answer


def direct(function: Callable[[Any], float]) -> dict[str, float]:
    return {smiles: function(Chem.MolFromSmiles(smiles)) for smiles in SMILES}


DIRECT: Mapping[str, Callable[[Any], float]] = {
    "qed": QED.qed,
    "logp": Crippen.MolLogP,
    "tpsa": rdMolDescriptors.CalcTPSA,
    "molecular_weight": Descriptors.MolWt,
    "hbd": Lipinski.NumHDonors,
    "hba": Lipinski.NumHAcceptors,
    "rotatable_bonds": Lipinski.NumRotatableBonds,
}


@pytest.mark.parametrize("reference", DIRECT)
def test_rdkits_own_function_gives_the_same(reference: str) -> None:
    assert values(reference) == direct(DIRECT[reference])


def test_esol_is_delaneys_equation() -> None:
    def delaney(mol: Any) -> float:
        aromatic = mol.GetSubstructMatches(Chem.MolFromSmarts("[a]"))
        proportion = len(aromatic) / mol.GetNumHeavyAtoms() if mol.GetNumHeavyAtoms() else 0.0
        return float(
            0.16
            - 0.63 * Crippen.MolLogP(mol)
            - 0.0062 * Descriptors.MolWt(mol)
            + 0.066 * rdMolDescriptors.CalcNumRotatableBonds(mol)
            - 0.74 * proportion
        )

    assert values("esol") == pytest.approx(direct(delaney), abs=1e-9)


def is_aromatic(mol: Any, ring: tuple[int, ...]) -> bool:
    return all(mol.GetBondBetweenAtoms(a, b).GetIsAromatic() for a, b in zip(ring, ring[1:] + ring[:1], strict=True))


def is_saturated(mol: Any, ring: tuple[int, ...]) -> bool:
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return all(mol.GetBondBetweenAtoms(a, b).GetBondType() == Chem.BondType.SINGLE for a, b in pairs)


def has_heteroatom(mol: Any, ring: tuple[int, ...]) -> bool:
    return any(mol.GetAtomWithIdx(atom).GetAtomicNum() != 6 for atom in ring)


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("all", lambda mol, ring: True),
        ("aromatic", is_aromatic),
        ("aliphatic", lambda mol, ring: not is_aromatic(mol, ring)),
        ("saturated", is_saturated),
        ("heterocycles", has_heteroatom),
    ],
)
def test_rings_are_counted_by_kind(kind: str, counts: Callable[[Any, tuple[int, ...]], bool]) -> None:
    expected = direct(lambda mol: sum(counts(mol, ring) for ring in mol.GetRingInfo().AtomRings()))
    assert values("rings", kind=kind) == expected
    assert max(expected.values()) >= 2


def test_all_rings_are_the_default() -> None:
    assert values("rings") == values("rings", kind="all")


@pytest.mark.parametrize(
    ("reference", "value"),
    # Aspirin, from the literature: C9H8O4, and Wildman & Crippen, Ertl and Lipinski counted by hand.
    [("molecular_weight", 180.159), ("tpsa", 63.60), ("hbd", 1.0), ("rings", 1.0), ("logp", 1.3101)],
)
def test_known_values_of_aspirin(reference: str, value: float) -> None:
    assert load(reference).score([ASPIRIN])[ASPIRIN] == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("reference", [*DIRECT, "esol", "rings", "sa_score", "alerts"])
def test_a_molecule_that_is_none_has_no_answer(reference: str) -> None:
    answers = load(reference).answers(["C1CC", ASPIRIN, ""])
    assert answers[ASPIRIN].error is None
    assert answers["C1CC"].error == answers[""].error == "no answer for this molecule"
