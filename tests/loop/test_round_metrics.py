"""The best ten of a campaign, and where a round's seconds went."""

from __future__ import annotations

from dataclasses import replace

import pytest

from designloop.loop.round_metrics import Clock, TopTen
from designloop.records import Candidate, Evaluation, Result, Scored


def scored(smiles: str, score: float | None) -> Scored:
    result = Result(score) if score is not None else Result(None, "failed", "broken")
    return Scored(Evaluation(Candidate(smiles, "prior"), {"x": result}), {"x": score}, score)


def chain(length: int) -> str:
    return "C" * (length + 1)


def test_a_round_adds_to_what_is_committed() -> None:
    top_ten = TopTen({"CC": 0.2, "CCC": None})
    metrics = top_ten.after([scored("CCCC", 0.6), scored("CCCCC", None)])
    assert metrics == {"ok": 1, "best": 0.6, "mean_top_10": pytest.approx(0.4), "mean_of": 2}


def test_a_mean_of_ten_is_not_said_to_be_of_fewer() -> None:
    top_ten = TopTen({chain(number): 0.1 for number in range(8)})
    assert top_ten.after([scored(chain(8), 0.1)])["mean_of"] == 9
    assert "mean_of" not in top_ten.after([scored(chain(9), 0.1)])


def test_what_a_filter_refuses_is_counted_but_not_among_the_best() -> None:
    row = scored("CCCC", 0.9)
    refused = replace(row, evaluation=replace(row.evaluation, candidate=replace(row.candidate, allowed=False)))
    assert TopTen({}).after([refused]) == {"ok": 1}
    assert TopTen({"CC": 0.2}).after([refused]) == {"ok": 1, "best": 0.2, "mean_top_10": 0.2, "mean_of": 1}


def test_there_is_no_best_without_a_score() -> None:
    assert TopTen({}).after([scored("CC", None)]) == {"ok": 0}


def test_a_lap_has_each_part_and_all_of_the_time_and_starts_anew() -> None:
    clock = Clock()
    with clock("oracle"):
        pass
    with pytest.raises(RuntimeError), clock("learn"):
        raise RuntimeError
    lap = clock.lap()
    assert set(lap) == {"oracle_seconds", "learn_seconds", "seconds"}
    assert lap["seconds"] >= lap["oracle_seconds"] + lap["learn_seconds"] >= 0
    assert set(clock.lap()) == {"seconds"}
