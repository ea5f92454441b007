"""Drawings of one sheet that lie alike."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor

from designloop.molecules.chemistry import require
from designloop.molecules.corpus import zinc
from designloop.report.alignment import parts_of, place, shared_atoms

DRUG = "CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1"


def placed(*smiles: str) -> list[Chem.Mol]:
    molecules = [Chem.Mol(require(molecule)) for molecule in smiles]
    place(molecules)
    return molecules


def points(mol: Chem.Mol) -> np.ndarray:
    coordinates: np.ndarray = mol.GetConformer().GetPositions()[:, :2]
    return coordinates


@pytest.mark.parametrize(
    ("smiles", "shared"),
    [
        (DRUG, 16),
        ("N#Cc1cnc(N(CCO)Cc2ccncn2)cc1C(F)(F)F", 14),  # ring, nitrile, CF3 and nitrogen; the pyridine for the benzene
        ("Cc1ccccc1", 6),
        ("c1ccncc1", 6),
        ("C1CCCCC1", 0),
        ("CCO", 0),
    ],
)
def test_what_is_shared_with_the_first_lies_as_it_lies_there(smiles: str, shared: int) -> None:
    first, other = placed(DRUG, smiles)
    pairs = shared_atoms(parts_of(first), other)
    assert len(pairs) == shared
    assert len({atom for atom, _ in pairs}) == len({atom for _, atom in pairs}) == len(pairs)
    for atom, its in pairs:
        assert points(other)[its] == pytest.approx(points(first)[atom], abs=0.05)


def test_what_shares_nothing_and_the_first_lie_as_rdkit_lays_them() -> None:
    for mol, smiles in zip(placed(DRUG, "CCCO"), (DRUG, "CCCO"), strict=True):
        alone = Chem.Mol(require(smiles))
        rdDepictor.Compute2DCoords(alone)
        assert points(mol) == pytest.approx(points(alone))


def test_a_small_ring_turns_nothing() -> None:
    first, other = placed("C1CC1", "OCC1CC1")
    assert shared_atoms(parts_of(first), other) == []


def test_any_molecules_can_be_placed_and_keep_the_length_of_bonds() -> None:
    for start in range(0, 4000, 500):
        for mol in placed(*zinc()[start : start + 12]):
            ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()])
            lengths = np.linalg.norm(points(mol)[ends[:, 0]] - points(mol)[ends[:, 1]], axis=1)
            assert np.median(lengths) == pytest.approx(1.5, abs=0.05)
