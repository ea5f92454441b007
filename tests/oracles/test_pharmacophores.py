"""The pharmacophoric fingerprint against RDKit's own loops."""

from __future__ import annotations

import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

from designloop.oracles.pharmacophores import _FAMILIES, _patterns, pharmacophores
from designloop.testing.oracle import MOLECULES, ODD
from tests.oracles.record_guacamol import TARGETS, analogues
from tests.oracles.record_values import molecules

SMALL = [smiles for smiles in molecules() if len(smiles) < 45][:60]


def test_bits_are_those_of_rdkit_under_other_numbers() -> None:
    smiles = [*SMALL, *MOLECULES, *ODD, *analogues(TARGETS["hopped"], 1, number=8), *TARGETS.values()]
    mols = [Chem.MolFromSmiles(text) for text in smiles]
    ours = [pharmacophores(mol) for mol in mols]
    theirs = [Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory) for mol in mols]
    assert [bits.GetNumOnBits() for bits in ours] == [bits.GetNumOnBits() for bits in theirs]
    for own, other in zip(ours, theirs, strict=True):
        similarities = DataStructs.BulkTanimotoSimilarity(other, theirs)
        assert DataStructs.BulkTanimotoSimilarity(own, ours) == pytest.approx(similarities, abs=1e-12)


def test_features_are_single_atoms_of_eight_families() -> None:
    assert len(_patterns()) == _FAMILIES == len(Gobbi_Pharm2D.factory.GetFeatFamilies())
    assert {query.GetNumAtoms() for query in _patterns()} == {1}


@pytest.mark.parametrize(("smiles", "bits"), [("C", 0), ("CCO", 0), ("NCCO", 1), ("NCCCCCCCCCCO", 1), ("CCN.CCO", 0)])
def test_known_numbers_of_bits(smiles: str, bits: int) -> None:
    """An amine, donor and basic, with an alcohol, donor and acceptor: more than these are their triples."""
    fingerprint = pharmacophores(Chem.MolFromSmiles(smiles))
    expected = Generate.Gen2DFingerprint(Chem.MolFromSmiles(smiles), Gobbi_Pharm2D.factory).GetNumOnBits()
    assert fingerprint.GetNumOnBits() == expected
    assert bool(bits) == bool(expected)
