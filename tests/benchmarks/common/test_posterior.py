from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from designloop.benchmarks.common.posterior import NOISE, Screen, TanimotoProcess
from designloop.molecules.chemistry import canonical
from designloop.molecules.corpus import zinc
from designloop.molecules.count_prints import MOST, Bank, Prints, prints_of, units_of

SMILES = tuple(dict.fromkeys(form for text in zinc()[:120] if (form := canonical(text)) is not None))

TWINS = ("C[C@H](N)C(=O)Nc1ccccc1", "C[C@@H](N)C(=O)Nc1ccccc1")
"""Two molecules of one fingerprint."""


def rdkit_similarity(some: tuple[str, ...], others: tuple[str, ...]) -> np.ndarray:
    """RDKit's own similarity of counts."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=2048)
    prints = [[generator.GetCountFingerprint(Chem.MolFromSmiles(text)) for text in side] for side in (some, others)]
    return np.array([[DataStructs.TanimotoSimilarity(a, b) for b in prints[1]] for a in prints[0]])


def process_of(smiles: tuple[str, ...], values: np.ndarray, capacity: int = 60) -> TanimotoProcess:
    process = TanimotoProcess(capacity)
    for text, value in zip(smiles, values, strict=True):
        process.add(units_of(Chem.MolFromSmiles(text)), float(value))
    return process


def test_shared_units_give_rdkits_similarity_of_counts() -> None:
    expected = rdkit_similarity(SMILES[:20], SMILES)
    prints = prints_of(SMILES)
    bank = Bank(SMILES, prints)
    for row in range(20):
        assert bank.similarity(prints.row(row)) == pytest.approx(expected[row], abs=1e-6)
    process = process_of(SMILES[:20], np.zeros(20))
    assert process.kernel(prints) == pytest.approx(expected, abs=1e-6)


def test_units_are_told_apart_up_to_a_number_and_are_none_of_an_empty_molecule() -> None:
    units = units_of(Chem.MolFromSmiles("C" * 1200))
    assert max(np.unique(units // MOST, return_counts=True)[1]) == MOST
    assert len(units_of(Chem.Mol())) == 0
    assert len(np.unique(units)) == len(units)
    assert len(Prints.joined([])) == 0


def test_the_posterior_is_that_of_the_textbook() -> None:
    known = SMILES[:30] + TWINS
    values = np.random.default_rng(0).random(len(known))
    asked = SMILES[20:70]
    covariance = rdkit_similarity(known, known) + NOISE * np.eye(len(known))
    across = rdkit_similarity(known, asked)
    mean = across.T @ np.linalg.solve(covariance, values)
    variance = 1 - (across * np.linalg.solve(covariance, across)).sum(0)
    own_mean, own_deviation = process_of(known, values).predict(prints_of(asked))
    assert own_mean == pytest.approx(mean, abs=1e-4)
    assert own_deviation == pytest.approx(np.sqrt(variance), abs=1e-4)


def test_a_screen_keeps_the_posterior_over_a_bank_up_to_date() -> None:
    prints = prints_of(SMILES)
    bank = Bank(SMILES, prints)
    process, screen = TanimotoProcess(40), Screen(bank, 40)
    assert screen.mean.tolist() == [0.0] * len(bank)
    assert screen.deviation.tolist() == [1.0] * len(bank)
    for row, value in enumerate(np.random.default_rng(1).random(40)):
        process.add(prints.row(row), float(value))
        screen.take_in(process, prints.row(row))
        if row in (0, 39):
            mean, deviation = process.predict(prints)
            assert screen.mean == pytest.approx(mean, abs=1e-3)
            assert screen.deviation == pytest.approx(deviation, abs=1e-3)


def test_a_bank_shares_what_two_molecules_share_however_often_a_feature_is_there() -> None:
    smiles = ["C" * 400, "C" * 390, "CCO", "c1ccccc1O", *["CCCC"] * 20]  # common units, more than a byte counts
    prints = prints_of(smiles)
    bank = Bank(smiles, prints)
    units = prints.row(0)
    for row in range(len(smiles)):
        shared = len(np.intersect1d(units, prints.row(row)))
        either = len(np.union1d(units, prints.row(row)))
        assert bank.similarity(units)[row] == np.float32(shared) / np.float32(either)
    assert bank.similarity(units)[0] == 1
