"""The best molecules: one a stereo-free parent, near-duplicates collapsed where wanted."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.molecules.chemistry import fingerprints, scaffold, tanimoto
from designloop.tables.best import NEAR_DUPLICATE, BestRow, TopScores, best, course

LEFT, RIGHT = "C[C@H](O)c1ccccc1", "C[C@@H](O)c1ccccc1"


def test_the_highest_scores_come_first_and_equal_ones_in_order():
    assert best(["CO", "CN", "CC", "CF"], [0.5, 0.9, 0.5, None], 10) == [BestRow(1, 0), BestRow(0, 0), BestRow(2, 0)]


def test_no_more_than_wanted():
    assert [best_row.row for best_row in best(["CO", "CN", "CC"], [0.1, 0.2, 0.3], 2)] == [2, 1]
    assert best(["CO"], [0.5], 0) == []
    assert best([], [], 3) == []


def test_stereoisomers_count_once_and_are_counted():
    assert best([LEFT, RIGHT, "CO"], [0.8, 0.9, 0.1], 10) == [BestRow(1, 1), BestRow(2, 0)]


def test_diverse_leaves_out_what_is_close_to_a_better_one():
    smiles = ["CCCCCCCCO", "CCCCCCCCCO", "CCCCCCCCN", "CC(C)(C)C"]
    scores = [0.9, 0.8, 0.7, 0.6]
    similarity = tanimoto(fingerprints(smiles[:1]), fingerprints(smiles[1:]))[0]
    assert similarity[0] > NEAR_DUPLICATE > similarity[1:].max()
    assert best(smiles, scores, 10, diverse=True) == [BestRow(0, 1), BestRow(2, 0), BestRow(3, 0)]
    assert len(best(smiles, scores, 10)) == 4


def test_diverse_leaves_out_the_same_scaffold():
    smiles = ["O=C(Nc1ccccc1)c1ccccc1", "COc1cc(NC(=O)c2ccc(F)cc2Cl)cc(C#N)c1", "CCN"]
    assert scaffold(smiles[0]) == scaffold(smiles[1])
    assert tanimoto(fingerprints(smiles[:1]), fingerprints(smiles[1:2]))[0, 0] < NEAR_DUPLICATE
    assert best(smiles, [0.5, 0.9, 0.1], 10, diverse=True) == [BestRow(1, 1), BestRow(2, 0)]


def test_molecules_without_rings_share_no_scaffold():
    assert len(best(["CCO", "CC(F)(F)C#N"], [0.5, 0.4], 10, diverse=True)) == 2


def test_a_stereoisomer_of_a_near_duplicate_is_collapsed_too():
    smiles = [LEFT.replace("O", "N"), LEFT, RIGHT]
    assert best(smiles, [0.9, 0.8, 0.7], 10, diverse=True) == [BestRow(0, 2)]


def test_the_area_over_fewer_calls_than_were_made_is_of_these_alone():
    rise = course(zip(["CO", "CN", "CC", "CF"], [0.1, 0.2, 0.3, 0.9], strict=True))
    areas = [0.1, (0.1 + 0.15) / 2, (0.1 + 0.15 + 0.2) / 3, (0.1 + 0.15 + 0.2 + 0.375) / 4]
    assert [rise.auc(calls) for calls in range(1, 5)] == pytest.approx(areas)
    assert rise.auc(0) == 0.0
    assert rise.auc(5) == pytest.approx((4 * areas[3] + 0.375) / 5)


@pytest.mark.parametrize("diverse", [False, True])
def test_what_is_picked_is_all_that_could_be_picked(diverse):
    smiles = ["C" * n + "O" for n in range(1, 30)]
    best_rows = best(smiles, [n / 100 for n in range(29)], 100, diverse)
    assert sum(1 + best_row.hides for best_row in best_rows) == 29


def chain(length: int) -> str:
    return "C" * (length + 1)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=40))
def test_the_ten_best_are_those_of_sorting_all(scores: list[float | None]) -> None:
    ten = TopScores()
    for number, score in enumerate(scores):
        ten.add(chain(number), score)
    known = sorted((score for score in scores if score is not None), reverse=True)[:10]
    assert ten.scores == known
    assert ten.mean == (pytest.approx(fsum(known) / len(known)) if known else None)


def test_stereoisomers_count_once_with_the_better_score() -> None:
    ten = TopScores()
    for smiles, score in {"C[C@H](N)O": 0.3, "C[C@@H](N)O": 0.7, "CC(N)O": 0.5, "CCO": 0.1}.items():
        ten.add(smiles, score)
    assert ten.scores == [0.7, 0.1]


def test_the_running_mean_is_that_of_the_best_so_far():
    rng = np.random.default_rng(0)
    scores = [None if rng.random() < 0.2 else float(rng.random()) for _ in range(200)]
    calls = [(chain(number), score) for number, score in enumerate(scores)]
    rise = course(calls)
    for call in range(1, 201):
        so_far = sorted((score for score in scores[:call] if score is not None), reverse=True)
        if so_far:
            assert [best for number, best in rise.best if number <= call][-1] == so_far[0]
            assert [mean for number, mean in rise.mean if number <= call][-1] == pytest.approx(
                np.mean(so_far[:10]), abs=1e-15
            )


def test_stereoisomers_count_once_in_the_running_mean():
    rise = course([("C[C@H](O)F", 0.5), ("C[C@@H](O)F", 0.9), ("CO", 0.1)])
    assert (rise.calls, rise.mean_of) == (3, 2)
    assert rise.best == [(1, 0.5), (2, 0.9), (3, 0.9), (3, 0.9)]
    assert rise.mean == [(1, 0.5), (2, 0.9), (3, 0.5), (3, 0.5)]


@given(st.lists(st.none() | st.floats(0, 1), max_size=25), st.integers(0, 10))
def test_the_auc_is_the_mean_over_all_calls_of_the_mean_so_far(scores: list[float | None], unspent: int) -> None:
    budget = len(scores) + unspent
    means = [0.0]
    for call in range(1, len(scores) + 1):
        known = sorted((score for score in scores[:call] if score is not None), reverse=True)[:10]
        means.append(float(np.mean(known)) if known else 0.0)
    expected = (sum(means[1:]) + unspent * means[-1]) / budget if budget else 0.0
    assert course([(chain(number), score) for number, score in enumerate(scores)]).auc(budget) == pytest.approx(
        expected
    )
