"""PMO's measures against the formula of its own code, and the strict figure against all that it must not tell apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from designloop.benchmarks.common import pmo_measures as pmo
from designloop.benchmarks.common.pmo_measures import HIGHEST, auc_top_10, compound, curve, is_solved, mean_top_10

SCORES = st.integers(0, 2**32 - 1).map(np.random.default_rng)
LENGTHS = st.integers(1, 700)


def as_mol_opt_does(scores: list[float], budget: int) -> float:
    """Sorts at each hundredth call, adds up trapezoids, and pads after an early stop, as ``top_auc`` of its code."""
    total = previous = 0.0
    called = 0
    for index in range(100, min(len(scores), budget), 100):
        now = float(np.mean(sorted(scores[:index], reverse=True)[:10]))
        total += 100 * (now + previous) / 2
        previous, called = now, index
    now = float(np.mean(sorted(scores, reverse=True)[:10]))
    total += (len(scores) - called) * (now + previous) / 2
    return (total + max(budget - len(scores), 0) * now) / budget


def charged(scores: list[float]) -> list[pmo.Paid]:
    """Molecules of ever longer names."""
    return [(f"molecule {number}", score) for number, score in enumerate(scores)]


@given(SCORES, LENGTHS, st.integers(0, 500))
@example(np.random.default_rng(0), 100, 0)
@example(np.random.default_rng(0), 200, 300)
@example(np.random.default_rng(0), 1, 0)
@example(np.random.default_rng(0), 99, 401)
def test_the_area_is_that_of_pmos_own_code(rng: np.random.Generator, length: int, unspent: int) -> None:
    scores = np.round(rng.random(length), 2).tolist()  # with equal ones among them
    assert auc_top_10(charged(scores), length + unspent) == pytest.approx(
        as_mol_opt_does(scores, length + unspent), abs=1e-12
    )


@given(SCORES, LENGTHS, LENGTHS)
def test_what_comes_after_the_budget_does_not_count(rng: np.random.Generator, budget: int, more: int) -> None:
    calls = charged(rng.random(budget + more).tolist())
    assert auc_top_10(calls, budget) == auc_top_10(calls[:budget], budget)
    assert mean_top_10(calls, budget) == mean_top_10(calls[:budget], budget)


@given(SCORES, LENGTHS, st.integers(1, 40))
def test_of_molecules_with_one_key_the_best_counts(rng: np.random.Generator, length: int, keys: int) -> None:
    names = rng.integers(keys, size=length)
    scores = rng.random(length)
    calls = [
        (f"{name} {number}", score) for number, (name, score) in enumerate(zip(names, scores.tolist(), strict=True))
    ]
    points = curve(calls, length, lambda smiles: smiles.split()[0])
    for call, mean in points[1:]:
        best = [scores[:call][names[:call] == name].max() for name in set(names[:call])]
        assert mean == pytest.approx(np.mean(sorted(best, reverse=True)[:10]))


@given(SCORES, LENGTHS)
def test_the_curve_has_a_point_every_hundred_calls_and_rises(rng: np.random.Generator, length: int) -> None:
    points = curve(charged(rng.random(length).tolist()), length)
    assert [call for call, _ in points] == [*range(0, length, 100), length]
    assert all(later >= mean for (_, mean), (_, later) in pairwise(points))


def test_a_flat_search_has_the_first_interval_halved() -> None:
    assert auc_top_10(charged([0.8] * 1000), 1000) == pytest.approx(0.8 * 0.95)
    assert auc_top_10(charged([0.8] * 250), 1000) == pytest.approx(0.8 * 0.95)
    assert auc_top_10(charged([0.8] * 50), 1000) == pytest.approx(0.8 * 0.975)


def test_a_failure_is_charged_and_scores_nothing() -> None:
    failed = [("C", 0.5), ("CC", None)]
    assert mean_top_10(failed, 2) == 0.25
    assert auc_top_10(failed, 2) == 0.125


def test_a_search_without_calls_has_no_area() -> None:
    assert auc_top_10([], 100) == mean_top_10([], 100) == 0.0


@pytest.mark.parametrize(
    ("molecule", "twins"),
    [
        ("CC(N)C(=O)O", ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC([NH3+])C(=O)[O-]", "CC(N)C(=O)[O-].[Na+]"]),
        ("Cc1c[nH]cn1", ["Cc1cnc[nH]1", "[2H]C([2H])([2H])c1c[nH]cn1"]),
        ("CC=CCO", ["C/C=C/CO", "C/C=C\\CO"]),
    ],
)
def test_a_compound_is_one_however_it_is_written(molecule: str, twins: list[str]) -> None:
    assert len(compound(molecule)) == 14
    assert {compound(twin) for twin in twins} == {compound(molecule)}
    assert compound(molecule) != compound(f"C{molecule}")


def test_a_molecule_without_a_key_counts_for_itself() -> None:
    assert compound("*C") == "*C"


def test_the_strict_figure_takes_one_a_compound() -> None:
    calls: list[pmo.Paid] = [("C[C@H](N)C(=O)O", 1.0), ("C[C@@H](N)C(=O)O", 0.9), ("CO", 0.5)]
    measures = pmo.pmo_measures(calls, 3)
    assert measures["top10"] == pytest.approx(0.8)
    assert measures["strict_top10"] == pytest.approx(0.75)
    assert measures["auc_top10"] == pytest.approx(0.4)
    assert measures["strict_auc_top10"] == pytest.approx(0.375)


def test_keys_are_made_of_few_molecules_only() -> None:
    keyed: list[str] = []

    def key(smiles: str) -> str:
        keyed.append(smiles)
        return smiles

    calls = charged(np.linspace(1, 0, 1000).tolist())
    assert mean_top_10(calls, 1000, key) == pytest.approx(np.mean(np.linspace(1, 0, 1000)[:10]))
    assert len(keyed) == 10


def test_a_search_is_solved_by_ten_compounds_that_nothing_is_above() -> None:
    rest = [("N" + "C" * size, 0.5) for size in range(1, 200)]
    chains = [("C" * size, HIGHEST) for size in range(1, 11)]
    assert is_solved([*chains, *rest[:90]])
    assert not is_solved([*chains, *rest[:89]]), "before the curve has a point that says so"
    assert not is_solved([*chains[:9], *rest[:91], chains[9]])
    assert not is_solved([*chains[:9], ("CO", 0.999), ("CN", None), *rest[:90]])
    assert not is_solved([*chains[:8], ("C[C@H](N)CC", HIGHEST), ("C[C@@H](N)CC", HIGHEST), *rest[:90]])
    for key in (pmo.as_written, compound):
        areas = [auc_top_10([*chains, *rest[:more]], 1000, key) for more in (90, 97, 190)]
        assert areas == pytest.approx([areas[0]] * 3)
