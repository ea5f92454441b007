"""Children hold a part of each parent, with its stereocentres, and are about as large as they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from rdkit import Chem, rdBase

from designloop.molecules.chemistry import canonical, parse
from designloop.molecules.corpus import zinc
from designloop.molecules.graphs import crossover
from designloop.molecules.graphs.crossover import offspring

ROWS = [zinc()[row] for row in np.random.default_rng(1).choice(len(zinc()), size=150, replace=False)]
PAIRS = list(pairwise(ROWS))


@pytest.fixture(autouse=True)
def quiet():
    with rdBase.BlockLogs():
        yield


def atoms(smiles: str) -> int:
    mol = parse(smiles)
    assert mol is not None
    return int(mol.GetNumAtoms())


@pytest.mark.parametrize("ring_share", [0.0, 1.0])
def test_children_are_canonical_new_and_of_their_parents_size(
    ring_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossover, "RING_SHARE", ring_share)
    rng = np.random.default_rng(2)
    made = [(a, b, child) for a, b in PAIRS if (child := offspring(a, b, rng)) is not None]
    assert len(made) > 0.85 * len(PAIRS)
    assert [child for a, b, child in made if child != canonical(child) or child in (a, b)] == []
    strays = [abs(atoms(child) - (atoms(a) + atoms(b)) / 2) for a, b, child in made]
    assert np.mean(strays) < 5


def halves(smiles: str) -> list[list[str]]:
    """What a molecule leaves when one of its acyclic bonds is cut, by RDKit, with a dummy at either side."""
    mol = Chem.MolFromSmiles(smiles)
    cuts = [bond.GetIdx() for bond in mol.GetBonds() if not bond.IsInRing() and bond.GetBondTypeAsDouble() == 1]
    fallen = [Chem.FragmentOnBonds(mol, [cut], dummyLabels=[(0, 0)]) for cut in cuts]
    return [[Chem.MolToSmiles(half) for half in Chem.GetMolFrags(pair, asMols=True)] for pair in fallen]


def test_an_acyclic_cut_joins_a_half_of_each_with_its_stereocentres(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against RDKit's own cutting; without marked double bonds, whose marks go when a neighbour does."""
    monkeypatch.setattr(crossover, "RING_SHARE", 0.0)
    rng = np.random.default_rng(3)
    rows = [smiles for smiles in ROWS if "@" in smiles and "/" not in smiles][:40]
    for a, b in pairwise(rows):
        child = offspring(a, b, rng)
        assert child is not None
        of_a, of_b = ({half for pair in halves(parent) for half in pair} for parent in (a, b))
        pairs = halves(child)
        assert any((x in of_a and y in of_b) or (x in of_b and y in of_a) for x, y in pairs), f"{a} + {b} -> {child}"


def test_halves_of_aromatic_rings_make_aromatic_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossover, "RING_SHARE", 1.0)
    rng = np.random.default_rng(4)
    made = [child for _ in range(100) if (child := offspring("Fc1ccccc1", "Clc1ccncc1", rng)) is not None]
    assert {"Fc1ccccc1Cl", "Fc1ccncc1"} < set(made)
    ring = Chem.MolFromSmarts("[r6]1[r6][r6][r6][r6][r6]1")
    six = [mol for child in made if (mol := Chem.MolFromSmiles(child)).HasSubstructMatch(ring)]
    assert len(six) > 50
    assert [
        Chem.MolToSmiles(mol)
        for mol in six
        if not all(atom.GetIsAromatic() for atom in mol.GetAtoms() if atom.IsInRing())
    ] == []


@pytest.mark.parametrize("keep", ["c1ccccc1", "C(=O)[NX3]"])
def test_all_that_is_kept_comes_from_the_first(keep: str) -> None:
    pattern = Chem.MolFromSmarts(keep)
    rng = np.random.default_rng(5)
    made = 0
    for a, b in PAIRS:
        child = offspring(a, b, rng, (keep,))
        if child is not None:
            made += 1
            before, after = (len(Chem.MolFromSmiles(smiles).GetSubstructMatches(pattern)) for smiles in (a, child))
            assert after >= before > 0
    assert made > 10
    assert offspring("CCCCO", "Cc1ccccc1", rng, ("c1ccccc1",)) is None


def test_molecules_without_a_bond_to_cut_have_no_children() -> None:
    assert offspring("C", "CCO", np.random.default_rng(0)) is None
