"""Scores of disentanglement on codes and importances whose score is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.metrics import mutual_info_score

from designloop.vae.disentanglement.scores import (
    dci,
    dci_of,
    factor_vae_score,
    importances,
    mig,
    mutual_information,
    sap,
)
from designloop.vae.errors import ShapeError, VAEError

RNG = np.random.default_rng(0)
AMOUNTS = RNG.uniform(-1, 1, (1500, 4))
LABELS = RNG.integers(0, 4, (1500, 4))

# ---- DCI of given importances


def test_each_code_for_one_factor_is_one() -> None:
    result = dci_of(np.eye(6))
    assert (result.disentanglement, result.completeness) == pytest.approx((1, 1), abs=1e-12)
    turned = dci_of(np.eye(6)[RNG.permutation(6)] * RNG.uniform(1, 9, 6))
    assert (turned.disentanglement, turned.completeness) == pytest.approx((1, 1), abs=1e-12)


def test_five_codes_each_for_two_of_ten_factors() -> None:
    result = dci_of(np.repeat(np.eye(5), 2, axis=1))
    assert result.disentanglement == pytest.approx(1 - math.log(2) / math.log(10), abs=1e-12)
    assert result.completeness == pytest.approx(1, abs=1e-12)
    other = dci_of(np.repeat(np.eye(5), 2, axis=1).T)
    assert other.disentanglement == pytest.approx(1, abs=1e-12)
    assert other.completeness == pytest.approx(1 - math.log(2) / math.log(10), abs=1e-12)


def test_a_code_without_importance_weighs_zero_and_nothing_at_all_is_zero() -> None:
    result = dci_of(np.vstack([np.eye(3), np.zeros((2, 3))]))
    assert result.disentanglement == pytest.approx(1, abs=1e-12)
    assert dci_of(np.zeros((3, 4))).disentanglement == 0
    assert dci_of(np.zeros((3, 4))).completeness == 0


def test_codes_weigh_as_much_as_they_are_important() -> None:
    result = dci_of(np.array([[3.0, 0.0], [0.5, 0.5]]))
    assert result.disentanglement == pytest.approx(3 / 4 * 1 + 1 / 4 * 0, abs=1e-12)


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10_000))
def test_scores_of_importances_are_shares_whatever_the_order_and_unit(codes: int, factors: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.exponential(size=(codes, factors)) * (rng.random((codes, factors)) < 0.7)
    result = dci_of(matrix)
    assert -1e-12 <= result.disentanglement <= 1 + 1e-12
    turned = dci_of(5 * matrix[rng.permutation(codes)][:, rng.permutation(factors)])
    assert turned.disentanglement == pytest.approx(result.disentanglement, abs=1e-9)
    assert turned.completeness == pytest.approx(result.completeness, abs=1e-9)


# ---- fitted


@pytest.mark.parametrize("factors", [AMOUNTS, LABELS], ids=["amounts", "labels"])
def test_codes_that_are_the_factors(factors: np.ndarray) -> None:
    codes = factors[:, ::-1].astype(float)
    result = dci(codes, factors, trees=8)
    assert min(result.disentanglement, result.completeness) >= 0.95
    assert (importances(codes, factors, trees=8)[1] > 0.95).all()
    assert mig(codes, factors) >= 0.9
    assert factor_vae_score(codes, factors, np.random.default_rng(1)) == 1
    # Of a label the best other code is right by chance, so that the gap is 1 − 1/4.
    assert sap(codes, factors) >= (0.9 if factors is AMOUNTS else 0.7)


@pytest.mark.parametrize("factors", [AMOUNTS, LABELS], ids=["amounts", "labels"])
def test_codes_that_are_zero(factors: np.ndarray) -> None:
    codes = np.zeros((1500, 4))
    assert dci(codes, factors, trees=8).disentanglement <= 0.2
    assert mig(codes, factors) <= 0.2
    assert sap(codes, factors) <= 0.2
    assert factor_vae_score(codes, factors, np.random.default_rng(1)) <= 0.2


@pytest.mark.parametrize("factors", [AMOUNTS, LABELS], ids=["amounts", "labels"])
def test_a_code_that_is_there_twice_has_no_gap(factors: np.ndarray) -> None:
    codes = np.repeat(factors, 2, axis=1).astype(float)
    assert mig(codes, factors) <= 0.1
    assert sap(codes, factors) <= 0.1
    assert dci(codes, factors, trees=8).disentanglement >= 0.95  # each still is for one factor


def test_turned_codes_score_less() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((4, 4)))
    codes = AMOUNTS @ turn
    assert mig(codes, AMOUNTS) < 0.4
    assert sap(codes, AMOUNTS) < 0.6
    assert dci(codes, AMOUNTS, trees=8).disentanglement < 0.6


def test_sap_of_amounts_is_the_gap_of_squared_correlations() -> None:
    rng = np.random.default_rng(4)
    factors = rng.standard_normal((500, 2))
    codes = factors @ np.array([[1, 0.4, 0.2], [0.3, 1, 0.1]]) + 0.5 * rng.standard_normal((500, 3))
    gaps = []
    for factor in factors.T:
        shares = sorted(pearsonr(code, factor).statistic ** 2 for code in codes.T)
        gaps.append(shares[-1] - shares[-2])
    assert sap(codes, factors) == pytest.approx(np.mean(gaps), abs=1e-12)


def test_information_is_scikit_learns() -> None:
    first, second = LABELS[:, 0], (LABELS[:, 0] + LABELS[:, 1] // 2) % 3
    assert mutual_information(first, second) == pytest.approx(mutual_info_score(first, second), abs=1e-12)
    assert mutual_information(first, first) == pytest.approx(math.log(4), abs=0.01)


def test_what_cannot_be_scored_is_told() -> None:
    with pytest.raises(ShapeError, match=r"importances has shape \(3, 1\), expected \(codes, factors\), two or more"):
        dci_of(np.ones((3, 1)))
    with pytest.raises(VAEError, match="importances has entries that are negative or not finite"):
        dci_of(np.array([[1.0, -1.0], [0.0, 1.0]]))
    with pytest.raises(ShapeError, match=r"codes has shape \(1500, 1\), expected \(rows, two codes or more\)"):
        mig(AMOUNTS[:, :1], AMOUNTS)
    with pytest.raises(ShapeError, match=r"factors has shape \(10, 4\), expected \(1500, factors\)"):
        sap(AMOUNTS, AMOUNTS[:10])
    with pytest.raises(VAEError, match="factor 1 is constant or not finite, so that nothing can be told of it"):
        mig(AMOUNTS, np.column_stack([LABELS[:, 0], np.ones(1500, int)]))
