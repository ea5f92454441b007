"""The best ten of a campaign, and where a round's seconds went."""

from __future__ import annotations

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.loop.round_metrics import BestTen, Clock, Standing
from designloop.records import Candidate, Evaluation, Result, Scored


def scored(smiles: str, score: float | None) -> Scored:
    result = Result(score) if score is not None else Result(None, "failed", "broken")
    return Scored(Evaluation(Candidate(smiles, "prior"), {"x": result}), {"x": score}, score)


def chain(length: int) -> str:
    return "C" * (length + 1)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=40))
def test_the_ten_best_are_those_of_sorting_all(scores: list[float | None]) -> None:
    ten = BestTen()
    for number, score in enumerate(scores):
        ten.add(chain(number), score)
    known = sorted((score for score in scores if score is not None), reverse=True)[:10]
    assert ten.scores == known
    assert ten.mean == (pytest.approx(fsum(known) / len(known)) if known else None)


def test_stereoisomers_count_once_with_the_better_score() -> None:
    ten = BestTen()
    for smiles, score in {"C[C@H](N)O": 0.3, "C[C@@H](N)O": 0.7, "CC(N)O": 0.5, "CCO": 0.1}.items():
        ten.add(smiles, score)
    assert ten.scores == [0.7, 0.1]


def test_a_round_adds_to_what_is_committed() -> None:
    standing = Standing({"CC": 0.2, "CCC": None})
    metrics = standing.after([scored("CCCC", 0.6), scored("CCCCC", None)])
    assert metrics == {"ok": 1, "best": 0.6, "mean_top_10": pytest.approx(0.4), "mean_of": 2}


def test_a_mean_of_ten_is_not_said_to_be_of_fewer() -> None:
    standing = Standing({chain(number): 0.1 for number in range(8)})
    assert standing.after([scored(chain(8), 0.1)])["mean_of"] == 9
    assert "mean_of" not in standing.after([scored(chain(9), 0.1)])


def test_there_is_no_best_without_a_score() -> None:
    assert Standing({}).after([scored("CC", None)]) == {"ok": 0}


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
