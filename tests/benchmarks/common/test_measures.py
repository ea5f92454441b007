from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_rel

from designloop.benchmarks.common.measures import (
    FEWEST,
    PAIRED_COLUMNS,
    Call,
    Criterion,
    average_over_seeds,
    interval,
    measure_calls,
    paired,
    paired_row,
    signed_rank_p,
)
from designloop.benchmarks.common.page import PENDING


def calls(*scores: float | None) -> list[Call]:
    """Chains of carbon that grow."""
    return [Call("C" * length, score, "prior") for length, score in enumerate(scores, 1)]


def test_the_mean_is_of_the_ten_best() -> None:
    measured = measure_calls(calls(*[0.1] * 5, *[n / 10 for n in range(10)], None), budget=20)
    assert measured["calls"] == 16
    assert measured["failed"] == 1
    assert measured["best"] == 0.9
    assert measured["mean_top_10"] == pytest.approx(0.46)  # 0.9 … 0.2, and 0.1 twice
    assert [molecule["score"] for molecule in measured["top_10"]][:3] == [0.9, 0.8, 0.7]


def test_the_area_is_that_of_the_curve_over_the_whole_budget() -> None:
    # The mean is 0.5 after the first call, 0.75 after the second, and stays so to the end of the budget.
    assert measure_calls(calls(0.5, 1.0, 0.0), budget=3)["auc_top_10"] == pytest.approx((0.5 + 0.75 + 0.5) / 3)
    assert measure_calls(calls(0.5, 1.0), budget=10)["auc_top_10"] == pytest.approx((0.5 + 9 * 0.75) / 10)


def test_stereoisomers_count_once() -> None:
    twins = [Call("C[C@H](O)F", 1.0, "prior"), Call("C[C@@H](O)F", 0.9, "mutation"), Call("CO", 0.5, "start")]
    measured = measure_calls(twins, budget=3)
    assert measured["mean_top_10"] == pytest.approx(0.75)
    assert measured["proposers"] == {"prior": 0.5, "start": 0.5}


def test_a_search_without_any_score_has_measures() -> None:
    measured = measure_calls(calls(None, None), budget=2)
    assert (measured["best"], measured["mean_top_10"], measured["auc_top_10"], measured["proposers"]) == (
        None,
        0.0,
        0.0,
        {},
    )


def search_result(mean: float, **proposers: float) -> dict[str, object]:
    return {"mean_top_10": mean, "auc_top_10": mean / 2, "best": mean + 0.1, "seconds": 1.0, "proposers": proposers}


def test_seeds_are_averaged() -> None:
    of_all = average_over_seeds({0: search_result(0.5, prior=1.0), 1: search_result(0.7, prior=0.5, start=0.5)})
    assert of_all["mean_top_10"] == pytest.approx(0.6)
    assert of_all["standard_error"] == pytest.approx(0.1)
    assert of_all["proposers"] == {"prior": 0.75, "start": 0.25}
    assert list(of_all["seeds"]) == ["0", "1"]
    assert average_over_seeds({0: search_result(0.5)})["standard_error"] is None


@pytest.mark.parametrize(
    ("criterion", "above", "holds"),
    [
        (Criterion("a", "b"), (0.6, 0.5), True),
        (Criterion("a", "b"), (0.5, 0.5), False),
        (Criterion("a", "b", by=0.05), (0.54, 0.55), False),
        (Criterion("a", "b", by=0.05), (0.55, 0.56), True),
        (Criterion("a", "b", on_each_seed=True), (0.9, 0.5), False),
        (Criterion("a", "b", on_each_seed=True), (0.51, 0.51), True),
        (Criterion("a", "b", by=0.05, than_best=True), (0.64, 0.65), False),
        (Criterion("a", "b", by=0.05, than_best=True), (0.66, 0.65), True),
    ],
)
def test_a_criterion_holds_or_not(criterion: Criterion, above: tuple[float, float], holds: bool) -> None:
    values = [*above * (FEWEST // 2), fmean(above)]
    arms = {
        "a": average_over_seeds({seed: search_result(value) for seed, value in enumerate(values)}),
        "b": average_over_seeds({seed: search_result(0.5) for seed in range(FEWEST)}),
    }
    judged = criterion.judge(arms)
    assert judged is not None
    assert judged["holds"] is holds
    other = 0.6 if criterion.than_best else 0.5
    assert judged["differences"] == pytest.approx({str(seed): value - other for seed, value in enumerate(values)})
    fewer = criterion.judge({**arms, "b": average_over_seeds({seed: search_result(0.5) for seed in range(FEWEST - 1)})})
    assert fewer is not None
    fails = criterion.on_each_seed and not holds
    assert fewer["holds"] is (False if fails else None), "what has to hold on each seed fails with one"


def test_a_criterion_without_its_arms_is_not_judged() -> None:
    one, other = ({"a": average_over_seeds({seed: search_result(0.5)})} for seed in (0, 1))
    assert Criterion("a", "b").judge(one) is None
    assert Criterion("a", "b").judge({**one, "b": other["a"]}) is None, "no seed in common"


def test_criteria_are_told_in_words() -> None:
    assert str(Criterion("full", "zinc", by=0.05)) == "full at least 0.05 above zinc in the mean"
    assert str(Criterion("full", "zinc", than_best=True)) == "full above the best of zinc in the mean"
    assert str(Criterion("N", "random", on_each_seed=True)) == "N above random on each seed"


PAIRS = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=30)


@given(PAIRS)
def test_pairs_are_judged_as_scipy_judges_them(pairs: list[tuple[float, float]]) -> None:
    own, theirs = map(list, zip(*pairs, strict=True))
    bar = paired("a above b", own, theirs)
    assert bar["value"] == pytest.approx(np.mean(own) - np.mean(theirs))
    assert bar["won"] == sum(a > b for a, b in pairs)
    if np.ptp(np.subtract(own, theirs)) > 1e-6:
        assert bar["p"] == pytest.approx(ttest_rel(own, theirs, alternative="greater").pvalue)
        assert bar["holds"] == (None if len(pairs) < FEWEST else bar["p"] < 0.05)


def test_the_interval_of_a_mean_difference_is_scipys() -> None:
    differences = np.random.default_rng(0).normal(0.02, 0.05, 25).tolist()
    for share in (0.8, 0.95):
        theirs = ttest_1samp(differences, 0).confidence_interval(share)
        assert interval(differences, share) == pytest.approx((theirs.low, theirs.high))
    assert interval([0.1, 0.1]) is None
    assert interval([0.1]) is None


@pytest.mark.parametrize("gaps", [[0.1], [0.1, 0.1], [0.9 - 0.8, 0.8 - 0.7], [1e-308, 2e-308]])
def test_equal_or_single_differences_prove_nothing(gaps: list[float]) -> None:
    bar = paired("a above b", gaps, [0.0] * len(gaps))
    assert (bar["p"], bar["holds"]) == (None, None)
    assert paired_row(bar)[-1] == PENDING


def test_a_single_pair_proves_nothing_by_its_rank_nor_do_pairs_without_a_difference() -> None:
    for gaps in ([0.1], [0.0], [0.0, 0.0]):
        assert paired("a above b", gaps, [0.0] * len(gaps), chance=signed_rank_p)["holds"] is None
    falls = [-0.1, -0.2, -0.3, -0.1, -0.4]
    assert paired("a above b", falls, [0.0] * 5, chance=signed_rank_p)["holds"] is False


def test_whether_a_bar_holds_is_said_of_five_pairs_and_more() -> None:
    gaps = [0.1, 0.11, 0.12, 0.13, 0.14]
    few, enough = paired("a above b", gaps[:4], [0.0] * 4), paired("a above b", gaps, [0.0] * 5)
    assert (few["won"], few["p"] < 0.01, few["holds"], paired_row(few)[-1]) == (4, True, None, PENDING)
    assert (enough["won"], enough["holds"]) == (5, True)


def test_no_pairs_are_an_error() -> None:
    with pytest.raises(ValueError, match="a above b: no pairs"):
        paired("a above b", [], [])


def test_a_row_of_pairs_has_the_columns_and_a_small_p_is_not_shown_as_none() -> None:
    bar = paired("a above b", [1.0, 1.1, 1.05, 1.02], [0.0, 0.0, 0.0, 0.0])
    row = dict(zip(PAIRED_COLUMNS, paired_row(bar), strict=True))
    assert (row["won"], row["by pair"]) == ("4 of 4", "+1.000 +1.100 +1.050 +1.020")
    assert 0 < float(str(row["one-sided p"])) < 1e-3
