from __future__ import annotations

import pytest

from designloop.benchmarks.common.measures import Call, Criterion, average_over_seeds, measure_calls


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
    arms = {
        "a": average_over_seeds({0: search_result(above[0]), 1: search_result(above[1])}),
        "b": average_over_seeds({0: search_result(0.5), 1: search_result(0.5)}),
    }
    judged = criterion.judge(arms)
    assert judged is not None
    assert judged["holds"] is holds
    other = 0.6 if criterion.than_best else 0.5
    assert judged["differences"] == pytest.approx({"0": above[0] - other, "1": above[1] - other})


def test_a_criterion_without_its_arms_is_not_judged() -> None:
    assert Criterion("a", "b").judge({"a": average_over_seeds({0: search_result(0.5)})}) is None


def test_criteria_are_told_in_words() -> None:
    assert str(Criterion("full", "zinc", by=0.05)) == "full at least 0.05 above zinc in the mean"
    assert str(Criterion("full", "zinc", than_best=True)) == "full above the best of zinc in the mean"
    assert str(Criterion("N", "random", on_each_seed=True)) == "N above random on each seed"
