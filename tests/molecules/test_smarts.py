"""What a SMARTS says that its writer did not mean."""

from __future__ import annotations

import re

import pytest
from rdkit import Chem

from designloop.molecules.corpus import zinc
from designloop.molecules.smarts import kekule_hint

DRAWN = ["C1=CC=CC=C1", "C1=CC=CN1", "O=C1C=CC=CN1", "C1=CN=CN1", "C1=CC=C2C=CC=CC2=C1", "c1ccc2c(c1)C=CN2"]


@pytest.mark.parametrize("smarts", [*DRAWN, "C1=CSC=C1-c1ccccc1"])
def test_a_ring_drawn_with_double_bonds_matches_nothing_and_what_is_advised_does(smarts: str) -> None:
    molecule = Chem.MolFromSmiles(smarts)
    assert not molecule.HasSubstructMatch(Chem.MolFromSmarts(smarts))
    hint = kekule_hint(smarts)
    assert hint is not None
    (advised,) = re.findall(r"write '(.*)'$", hint)
    assert molecule.HasSubstructMatch(Chem.MolFromSmarts(advised))
    assert kekule_hint(advised) is None


@pytest.mark.parametrize("smarts", ["C1=CC=CC=C1[NX3;H2]", "[CX3]1=[CX3][CX3]=[CX3]S1", "[C,N]1=CC=CC=C1"])
def test_a_pattern_that_is_no_smiles_is_told_what_to_do_in_words(smarts: str) -> None:
    assert str(kekule_hint(smarts)).endswith("write its aromatic atoms in small letters")


@pytest.mark.parametrize(
    "smarts", ["c1ccccc1", "O=C1C=CC(=O)C=C1", "C1=CCCCC1", "C=C", "C1=CC=C1", "C1@=CC=CC=C1", "C1=,:CC=CC=C1", "c1cc"]
)
def test_what_is_not_aromatic_or_takes_either_bond_is_left_alone(smarts: str) -> None:
    assert kekule_hint(smarts) is None


def test_of_zincs_molecules_exactly_those_are_told_of_whose_drawn_form_matches_themselves_no_more() -> None:
    told = 0
    for smiles in zinc()[:60_000:300]:
        molecule = Chem.MolFromSmiles(smiles)
        assert kekule_hint(Chem.MolToSmiles(molecule)) is None
        Chem.Kekulize(molecule, clearAromaticFlags=True)
        drawn = Chem.MolToSmiles(molecule, kekuleSmiles=True)
        matches = Chem.MolFromSmiles(smiles).HasSubstructMatch(Chem.MolFromSmarts(drawn))
        assert (kekule_hint(drawn) is None) == matches, drawn
        told += not matches
    assert told > 100
