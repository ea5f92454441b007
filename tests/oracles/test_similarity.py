"""Similarities against Tanimoto in plain Python over fingerprints made afresh."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator as generators
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D
from rdkit.DataStructs import TanimotoSimilarity

from designloop.oracles import load
from tests.oracles.record_values import BICALUTAMIDE, molecules

SMILES = molecules()
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
L_ALANINE, D_ALANINE = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"


def features() -> Any:
    return generators.GetMorganFeatureAtomInvGen()


MADE_AFRESH: dict[str, Callable[[], Any]] = {
    "ecfp4": lambda: generators.GetMorganGenerator(radius=2, fpSize=2048),
    "ecfp6": lambda: generators.GetMorganGenerator(radius=3, fpSize=2048),
    "fcfp4": lambda: generators.GetMorganGenerator(radius=2, fpSize=2048, atomInvariantsGenerator=features()),
    "fcfp6": lambda: generators.GetMorganGenerator(radius=3, fpSize=2048, atomInvariantsGenerator=features()),
    "atom_pair": lambda: generators.GetAtomPairGenerator(fpSize=2048),
}
CHIRAL: dict[str, Callable[[], Any]] = {
    "ecfp4": lambda: generators.GetMorganGenerator(radius=2, includeChirality=True),
    "ecfp6": lambda: generators.GetMorganGenerator(radius=3, includeChirality=True),
    "fcfp4": lambda: generators.GetMorganGenerator(radius=2, includeChirality=True, atomInvariantsGenerator=features()),
    "fcfp6": lambda: generators.GetMorganGenerator(radius=3, includeChirality=True, atomInvariantsGenerator=features()),
    "atom_pair": lambda: generators.GetAtomPairGenerator(includeChirality=True),
}


def folded(smiles: str, generator: Any) -> set[int]:
    return set(generator.GetFingerprint(Chem.MolFromSmiles(smiles)).GetOnBits())


def unfolded(smiles: str, generator: Any) -> set[int]:
    return set(generator.GetSparseFingerprint(Chem.MolFromSmiles(smiles)).GetOnBits())


def tanimoto(first: set[int], second: set[int]) -> float:
    return len(first & second) / len(first | second) if first | second else 0.0


def expected(generator: Any, reference: str, bits_of: Callable[[str, Any], set[int]] = folded) -> dict[str, float]:
    wanted = bits_of(reference, generator)
    return {smiles: tanimoto(bits_of(smiles, generator), wanted) for smiles in SMILES}


@pytest.mark.parametrize("kind", MADE_AFRESH)
def test_it_is_tanimotos_coefficient_of_the_bits(kind: str) -> None:
    scores = load("similarity", {"reference": BICALUTAMIDE, "fingerprint": kind}).score(SMILES)
    assert scores == pytest.approx(expected(MADE_AFRESH[kind](), BICALUTAMIDE), abs=1e-12)
    assert scores[BICALUTAMIDE] == 1.0


def test_pharmacophores_are_those_of_rdkit() -> None:
    wanted = Generate.Gen2DFingerprint(Chem.MolFromSmiles(BICALUTAMIDE), Gobbi_Pharm2D.factory)
    some = [BICALUTAMIDE, CAFFEINE, *SMILES[:20]]
    scores = load("similarity", {"reference": BICALUTAMIDE, "fingerprint": "pharmacophore"}).score(some)
    for smiles in some:
        bits = Generate.Gen2DFingerprint(Chem.MolFromSmiles(smiles), Gobbi_Pharm2D.factory)
        assert scores[smiles] == pytest.approx(TanimotoSimilarity(wanted, bits), abs=1e-12)
    assert scores[BICALUTAMIDE] == 1.0
    assert scores[CAFFEINE] < 0.5


def test_pharmacophores_know_no_configuration() -> None:
    oracle = load("similarity", {"reference": L_ALANINE, "fingerprint": "pharmacophore", "chirality": True})
    with pytest.raises(ValueError, match="no configuration; leave chirality out"):
        oracle.score([D_ALANINE])


@pytest.mark.parametrize("kind", CHIRAL)
def test_chirality_is_a_feature_when_asked_for(kind: str) -> None:
    chiral = load("similarity", {"reference": L_ALANINE, "fingerprint": kind, "chirality": True})
    flat = load("similarity", {"reference": L_ALANINE, "fingerprint": kind})
    assert chiral.score(SMILES) == pytest.approx(expected(CHIRAL[kind](), L_ALANINE, unfolded), abs=1e-12)
    assert flat.score([L_ALANINE, D_ALANINE]) == {L_ALANINE: 1.0, D_ALANINE: 1.0}
    assert chiral.score([L_ALANINE, D_ALANINE])[D_ALANINE] < 1.0


@pytest.mark.parametrize(("aggregate", "of"), [("max", max), ("mean", mean), ("min", min)])
def test_several_references_are_aggregated(aggregate: str, of: Callable[[list[float]], float]) -> None:
    references = [BICALUTAMIDE, CAFFEINE, L_ALANINE]
    separate = [load("similarity", {"reference": reference}).score(SMILES) for reference in references]
    together = load("similarity", {"reference": references, "aggregate": aggregate}).score(SMILES)
    assert together == pytest.approx({smiles: of([scores[smiles] for scores in separate]) for smiles in SMILES})


def test_a_reference_is_taken_as_it_is_written() -> None:
    salt = load("similarity", {"reference": "CC(=O)[O-].[Na+]"}).score(["CC(=O)O", "CC(=O)[O-].[Na+]"])
    assert salt["CC(=O)[O-].[Na+]"] == 1.0
    assert salt["CC(=O)O"] < 1.0


def test_invalid_molecules_have_no_answer_and_an_empty_batch_an_empty_one() -> None:
    oracle = load("similarity", {"reference": CAFFEINE})
    assert oracle.score(["C1CC", CAFFEINE]) == {CAFFEINE: 1.0}
    assert oracle.score(["C1CC"]) == oracle.score([]) == {}
