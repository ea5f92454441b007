"""Scores of disentanglement on codes and importances whose score is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr
from sklearn.metrics import mutual_info_score

from designloop.vae.disentanglement.scores import (
    Binning,
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


# ---- tables of any kind, and bins


def tables(codes: np.ndarray, factors: np.ndarray) -> dict[str, tuple[object, object]]:
    return {
        "tensors": (torch.from_numpy(codes).requires_grad_(), torch.from_numpy(factors)),
        "frames": (pd.DataFrame(codes), pd.DataFrame(factors, columns=[f"f{i}" for i in range(factors.shape[1])])),
        "lists": (codes.tolist(), factors.tolist()),
        "text": (codes, np.char.add("level ", factors.astype(str))) if factors.dtype.kind == "i" else (codes, factors),
    }


@pytest.mark.parametrize("kind", ["tensors", "frames", "lists", "text"])
@pytest.mark.parametrize("factors", [LABELS, AMOUNTS], ids=["labels", "amounts"])
def test_scores_are_the_same_of_every_kind_of_table(factors: np.ndarray, kind: str) -> None:
    codes = np.random.default_rng(0).standard_normal((len(factors), 3)) + factors[:, :1]
    other_codes, other_factors = tables(codes, factors)[kind]
    assert mig(other_codes, other_factors) == pytest.approx(mig(codes, factors))
    assert sap(other_codes, other_factors) == pytest.approx(sap(codes, factors))
    assert dci(other_codes, other_factors, trees=3).disentanglement == pytest.approx(
        dci(codes, factors, trees=3).disentanglement
    )
    scores = [
        factor_vae_score(c, f, np.random.default_rng(1), votes=100)
        for c, f in ((other_codes, other_factors), (codes, factors))
    ]
    assert scores[0] == scores[1]


def test_the_columns_of_a_frame_are_each_of_their_own_kind() -> None:
    codes = np.column_stack([AMOUNTS[:, 0], LABELS[:, 0].astype(float)])
    frame = pd.DataFrame({"amount": AMOUNTS[:, 0], "label": np.where(LABELS[:, 0] == 0, "no", "yes")})
    columns = np.column_stack([AMOUNTS[:, 0], (LABELS[:, 0] != 0).astype(float)])
    assert sap(codes, frame) != pytest.approx(sap(codes, columns))  # a label is told by accuracy, an amount by R²
    frame["label"] = frame["label"] == "yes"
    assert 0 <= sap(codes, frame) <= 1


def test_one_outlier_changes_nothing_in_bins_of_equal_numbers_and_much_in_bins_of_equal_width() -> None:
    codes = AMOUNTS + 0.05 * np.random.default_rng(0).standard_normal(AMOUNTS.shape)
    far = codes.copy()
    far[0] *= 1e3
    assert mig(far, AMOUNTS) == pytest.approx(mig(codes, AMOUNTS), abs=0.01)
    assert mig(far, AMOUNTS, binning="width") < 0.5 * mig(codes, AMOUNTS, binning="width")
    monotone = np.exp(3 * codes)  # ranks are all that counts
    assert mig(monotone, np.exp(AMOUNTS)) == pytest.approx(mig(codes, AMOUNTS))
    tied = np.where(np.median(AMOUNTS) > AMOUNTS, 0.0, AMOUNTS)
    assert 0 <= mig(tied, tied) <= 1
    with pytest.raises(VAEError, match="binning is 'size', expected 'quantile' or 'width'"):
        mig(codes, AMOUNTS, binning="size")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_amounts_that_are_mostly_one_value_are_told_by_a_code_that_is_theirs(seed: int) -> None:
    """96 % are 0, or the greatest there is: the gap is that of scikit-learn's information about such a factor."""
    rng = np.random.default_rng(seed)
    for factor in (rng.exponential(size=2000), -rng.exponential(size=2000)):
        factor[rng.random(2000) < 0.96] = 0.0
        noise = rng.standard_normal(2000)
        score = mig(np.column_stack([factor, noise]), factor[:, None])
        labels = (factor != 0).astype(int)
        twentieth = np.argsort(np.argsort(noise)) // 100
        assert score == pytest.approx(
            1 - mutual_info_score(labels, twentieth) / mutual_info_score(labels, labels), abs=1e-9
        )
        assert score > 0.8


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, 1e6]), min_size=3, max_size=60), st.integers(2, 20),
    st.sampled_from(["quantile", "width"]), st.integers(0, 100),
)  # fmt: skip
def test_the_gap_is_a_share_however_many_values_there_are(
    values: list[float], bins: int, binning: Binning, seed: int
) -> None:
    factor = np.array([*values, -2.0, 3.0])
    noise = np.random.default_rng(seed).standard_normal(len(factor))
    both = mig(np.column_stack([factor, noise]), factor[:, None], bins, binning)
    assert -1e-9 <= both <= 1 + 1e-9
    assert mig(np.column_stack([factor, 0 * noise]), factor[:, None], bins, binning) == pytest.approx(1)
    with pytest.raises(VAEError, match="bins is 1, expected at least 2; 20 are usual"):
        mig(np.column_stack([factor, noise]), factor[:, None], 1, binning)
