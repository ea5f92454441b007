"""The best molecules: one a stereo-free parent, near-duplicates collapsed where wanted."""

from __future__ import annotations

import pytest

from designloop.molecules.chemistry import fingerprints, scaffold, tanimoto
from designloop.tables.best import NEAR_DUPLICATE, Pick, best

LEFT, RIGHT = "C[C@H](O)c1ccccc1", "C[C@@H](O)c1ccccc1"


def test_the_highest_scores_come_first_and_equal_ones_in_order():
    assert best(["CO", "CN", "CC", "CF"], [0.5, 0.9, 0.5, None], 10) == [Pick(1, 0), Pick(0, 0), Pick(2, 0)]


def test_no_more_than_wanted():
    assert [pick.row for pick in best(["CO", "CN", "CC"], [0.1, 0.2, 0.3], 2)] == [2, 1]
    assert best(["CO"], [0.5], 0) == []
    assert best([], [], 3) == []


def test_stereoisomers_count_once_and_are_counted():
    assert best([LEFT, RIGHT, "CO"], [0.8, 0.9, 0.1], 10) == [Pick(1, 1), Pick(2, 0)]


def test_diverse_leaves_out_what_is_close_to_a_better_one():
    smiles = ["CCCCCCCCO", "CCCCCCCCCO", "CCCCCCCCN", "CC(C)(C)C"]
    scores = [0.9, 0.8, 0.7, 0.6]
    similarity = tanimoto(fingerprints(smiles[:1]), fingerprints(smiles[1:]))[0]
    assert similarity[0] > NEAR_DUPLICATE > similarity[1:].max()
    assert best(smiles, scores, 10, diverse=True) == [Pick(0, 1), Pick(2, 0), Pick(3, 0)]
    assert len(best(smiles, scores, 10)) == 4


def test_diverse_leaves_out_the_same_scaffold():
    smiles = ["O=C(Nc1ccccc1)c1ccccc1", "COc1cc(NC(=O)c2ccc(F)cc2Cl)cc(C#N)c1", "CCN"]
    assert scaffold(smiles[0]) == scaffold(smiles[1])
    assert tanimoto(fingerprints(smiles[:1]), fingerprints(smiles[1:2]))[0, 0] < NEAR_DUPLICATE
    assert best(smiles, [0.5, 0.9, 0.1], 10, diverse=True) == [Pick(1, 1), Pick(2, 0)]


def test_molecules_without_rings_share_no_scaffold():
    assert len(best(["CCO", "CC(F)(F)C#N"], [0.5, 0.4], 10, diverse=True)) == 2


def test_a_stereoisomer_of_a_near_duplicate_is_collapsed_too():
    smiles = [LEFT.replace("O", "N"), LEFT, RIGHT]
    assert best(smiles, [0.9, 0.8, 0.7], 10, diverse=True) == [Pick(0, 2)]


@pytest.mark.parametrize("diverse", [False, True])
def test_what_is_picked_is_all_that_could_be_picked(diverse):
    smiles = ["C" * n + "O" for n in range(1, 30)]
    picks = best(smiles, [n / 100 for n in range(29)], 100, diverse)
    assert sum(1 + pick.hides for pick in picks) == 29
