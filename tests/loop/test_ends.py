"""Every reason why a campaign ends, and none too early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from designloop.loop.campaign.campaign import Budget
from designloop.loop.ends import End, rounds_without_gain, take_of, why_it_ends
from designloop.tables.manifest import RoundInfo

GOOD: Mapping[str, float] = {"wanted": 100, "drawn": 120, "admitted": 100, "refused_alerts": 20, "ok": 100}


def rounds(*metrics: Mapping[str, Any], start: bool = False) -> list[RoundInfo]:
    """Committed rounds of 100 rows, or of as many as were admitted, with these metrics."""
    infos, calls = [], 0
    for number, changes in enumerate(metrics, 0 if start else 1):
        said = {**GOOD, **changes}
        calls += int(said["admitted"])
        infos.append(
            RoundInfo(
                campaign="",
                number=number,
                kind="start" if number == 0 else "round",
                rows=int(said["admitted"]),
                calls=calls,
                asked={},
                metrics=said,
                digest_before="",
                digest="",
                committed="",
                files={},
            )
        )
    return infos


def reason(
    infos: Sequence[RoundInfo], asked: Mapping[str, int] | None = None, after: int = -1, **budget: Any
) -> str | None:
    end = why_it_ends(Budget(**{"oracle_calls": 10_000, **budget}), infos, asked or {}, after)
    return None if end is None else end.reason


def test_a_campaign_without_rounds_goes_on() -> None:
    assert reason([]) is None


def test_a_spent_budget_of_calls_ends_it_and_a_raised_one_does_not() -> None:
    assert reason(rounds({}, {}), oracle_calls=200) == "oracle_calls"
    assert reason(rounds({}, {}), oracle_calls=201) is None


def test_the_round_of_starting_molecules_is_none_of_the_budgets_rounds() -> None:
    assert reason(rounds({}, {}, start=True), rounds=2) is None
    assert reason(rounds({}, {}, {}, start=True), rounds=2) == "rounds"


def test_hours_are_summed_over_all_runs_of_the_campaign() -> None:
    assert reason(rounds({"seconds": 1800.0}, {"seconds": 1799.0}), hours=1.0) is None
    assert reason(rounds({"seconds": 1800.0}, {"seconds": 1800.0}), hours=1.0) == "hours"


def test_a_spent_oracle_ends_it() -> None:
    assert reason(rounds({}), {"qed": 100}, per_oracle={"qed": 100}) == "per_oracle"
    assert reason(rounds({}), {"qed": 99}, per_oracle={"qed": 100}) is None


@pytest.mark.parametrize(
    ("means", "stale"),
    [([], 0), ([0.1, 0.2, 0.3], 0), ([0.1, 0.1005, 0.101], 2), ([0.1, 0.2, 0.2, 0.2], 2), ([0.5, 0.5, 0.502], 0)],
)
def test_patience_counts_rounds_without_a_gain_of_more_than_a_thousandth(means: list[float], stale: int) -> None:
    assert rounds_without_gain(rounds(*({"mean_top_10": mean} for mean in means))) == stale


def test_where_all_scores_are_faint_gains_count_in_proportion() -> None:
    climbing = rounds(*({"mean_top_10": 1e-80 * 10.0**step} for step in range(60)))
    assert rounds_without_gain(climbing) == 0
    assert rounds_without_gain(rounds(*({"mean_top_10": mean} for mean in (1e-9, 1.005e-9, 1.009e-9)))) == 2
    assert rounds_without_gain(rounds(*({"mean_top_10": 0.0} for _ in range(4)))) == 3


def test_a_slow_creep_of_small_gains_is_a_gain_in_the_end() -> None:
    creep = rounds(*({"mean_top_10": 0.5 + 0.0006 * step} for step in range(5)))
    assert rounds_without_gain(creep) == 0


@pytest.mark.parametrize(("patience", "ends"), [(3, True), (4, False), (0, False), (None, False)])
def test_patience_ends_it_and_0_switches_it_off(patience: int | None, ends: bool) -> None:
    stuck = rounds(*({"mean_top_10": 0.5} for _ in range(4)))
    assert (reason(stuck, patience=patience) == "patience") == ends


def test_by_default_ten_rounds_without_a_gain_end_it() -> None:
    stuck = rounds(*({"mean_top_10": 0.5} for _ in range(11)))
    assert reason(stuck) == "patience"
    assert reason(stuck[:-1]) is None
    assert reason(stuck, patience=0) is None


def test_an_amendment_is_charged_to_no_budget_and_no_patience() -> None:
    best = rounds({"mean_top_10": 0.5, "seconds": 1800})
    amended = [*best, replace(best[0], number=2, kind="amendment")]
    assert rounds_without_gain(amended) == 0
    assert reason(amended, hours=0.9) is None
    assert reason(amended, rounds=2) is None
    better = replace(amended[1], metrics={"mean_top_10": 0.6})
    stale = replace(best[0], number=3, metrics={**GOOD, "mean_top_10": 0.6})
    assert rounds_without_gain([*best, better, stale]) == 1, "what an amendment brings is the mark to beat"


def test_in_a_laboratory_a_batch_of_molecules_counts_as_a_round_however_it_is_told() -> None:
    singly = rounds({"mean_top_10": 0.5}, *[{"mean_top_10": 0.5, "admitted": 1}] * 25)
    assert rounds_without_gain(singly) == 25
    assert rounds_without_gain(singly, batch=8) == 3
    gain = rounds({"mean_top_10": 0.5}, *[{"mean_top_10": 0.5, "admitted": 7}] * 3, {"mean_top_10": 0.6, "admitted": 1})
    assert rounds_without_gain(gain, batch=8) == 0
    assert why_it_ends(Budget(oracle_calls=10_000, patience=3), singly, {}, batch=9) is None
    end = why_it_ends(Budget(oracle_calls=10_000, patience=3), singly, {}, batch=8)
    assert end is not None
    assert end.reason == "patience"


def test_a_history_without_a_score_is_no_search_that_stood_still() -> None:
    begun = rounds({"ok": 0}, start=True)
    assert rounds_without_gain(begun, batch=8) == 0
    assert rounds_without_gain([*begun, *rounds({"ok": 0}, {"ok": 0})], batch=8) == 0, "nothing is known to beat"
    scores = [{"mean_top_10": 0.5}, {"mean_top_10": 0.5}]
    assert rounds_without_gain([*begun, *rounds(*scores)]) == 1


@pytest.mark.parametrize("measure", ["mean_top_10", "hypervolume"])
def test_what_was_no_gain_beside_a_wrong_value_may_have_been_one(measure: str) -> None:
    *told, amended, after = rounds(*({measure: value} for value in (0.33, 0.405, 0.405, 0.35, 0.352)))
    corrected = [*told, replace(amended, kind="amendment"), after]
    assert rounds_without_gain(told) == 1
    assert rounds_without_gain(corrected) == 0
    assert rounds_without_gain([*corrected, replace(after, metrics={**GOOD, measure: 0.352})]) == 1


def test_a_front_is_judged_by_its_volume_alone() -> None:
    """Amendments of earlier releases do not tell it; the mean of the ten best is another, greater number."""
    first, *more = rounds(*({"hypervolume": volume, "mean_top_10": 0.4} for volume in (0.1, 0.12, 0.14)))
    amended = replace(first, kind="amendment", metrics={**GOOD, "mean_top_10": 0.9})
    assert rounds_without_gain([first, amended, *more]) == 0


def test_the_mean_of_fewer_than_ten_starting_molecules_is_no_mark_to_beat() -> None:
    few = rounds({"admitted": 3, "mean_top_10": 0.9}, {"mean_top_10": 0.4}, {"mean_top_10": 0.5}, start=True)
    assert rounds_without_gain(few) == 0


def test_a_stream_that_ends_with_nothing_admitted_is_exhausted() -> None:
    assert reason(rounds({}, {"drawn": 7, "admitted": 0, "ok": 0})) == "exhausted"
    assert reason(rounds({}, {"drawn": 7, "admitted": 1, "ok": 1})) is None
    assert reason(rounds({"drawn": 3, "admitted": 0, "ok": 0}, start=True)) is None, "starting molecules are no stream"


def test_two_meagre_rounds_running_are_stagnation_and_one_is_not() -> None:
    meagre = {"drawn": 5000, "admitted": 9, "ok": 9, "refused_known": 4991}
    assert reason(rounds({}, meagre)) is None
    assert reason(rounds(meagre, {}, meagre)) is None
    assert reason(rounds({}, meagre, meagre)) == "stagnated"
    assert reason(rounds({}, meagre, {**meagre, "admitted": 10})) is None


def test_three_rounds_without_one_good_result_end_it() -> None:
    bad = {"ok": 0}
    assert reason(rounds(bad, bad)) is None
    assert reason(rounds(bad, bad, bad)) == "no_results"
    assert reason(rounds({}, bad, {"ok": 1}, bad, bad)) is None


def test_bad_rounds_count_from_the_resumption_so_that_a_mended_oracle_goes_on() -> None:
    bad = [{"ok": 0}] * 5
    assert reason(rounds(*bad), after=3) is None
    assert reason(rounds(*bad), after=2) == "no_results"


def test_the_end_of_a_barren_stream_says_how_many_were_refused_and_why() -> None:
    end = why_it_ends(Budget(oracle_calls=100), rounds({"drawn": 7, "admitted": 0, "ok": 0, "refused_alerts": 7}), {})
    assert end is not None
    assert "7 drawn" in end.message
    assert "alerts 7" in end.message


@pytest.mark.parametrize(
    ("refused", "advice"),
    [
        ({"per_scaffold": 6, "alerts": 1}, "loosen `diversity.per_scaffold` and `filters.alerts`, and begin"),
        ({"batch_distance": 7}, "loosen `diversity.batch`, and begin"),
        ({"known": 7}, "give the strategy more to draw from, and begin"),
        (
            {"known": 5, "repeat": 1, "alerts": 1},
            "give the strategy more to draw from, or loosen `filters.alerts`, and",
        ),
        ({"invalid": 7}, "give the strategy more to draw from, and begin"),
        ({"require_smarts": 7}, "molecules that hold what `filters.require_smarts` asks for, or loosen `filters.req"),
    ],
)
def test_what_is_advised_is_what_would_help(refused: dict[str, int], advice: str) -> None:
    counts = {"drawn": sum(refused.values()), "admitted": 0, "ok": 0, "refused_alerts": 0}
    counts |= {f"refused_{reason}": count for reason, count in refused.items()}
    end = why_it_ends(Budget(oracle_calls=100), rounds(counts), {})
    assert end is not None
    assert advice in end.message


def test_a_stream_that_gives_nothing_needs_more_to_draw_from() -> None:
    end = why_it_ends(Budget(oracle_calls=100), rounds({"drawn": 0, "admitted": 0, "ok": 0, "refused_alerts": 0}), {})
    assert end is not None
    assert "give the strategy more to draw from, and begin anew" in end.message


def test_a_take_comes_back_from_the_metrics_of_its_round() -> None:
    (info,) = rounds({"drawn": 4000, "admitted": 60, "refused_known": 3000, "refused_starting": "CC (known: twin)"})
    take = take_of(info)
    assert (take.wanted, take.drawn, take.admitted, take.ended) == (100, 4000, 60, True)
    assert take.reasons == {"alerts": 20, "known": 3000}


def test_an_end_comes_back_from_its_text() -> None:
    end = End("rounds", "all 3 rounds are run: raise it")
    assert End.parse(str(end)) == end
