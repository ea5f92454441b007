"""How many of a batch are drawn uniformly, and what is said by them of foresight: against closed forms and scipy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from designloop.records import ACQUISITION, UNIFORM, Candidate, Chosen, Evaluation, Scored, State
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.judged import Judged
from designloop.strategies.surrogates.calibration import LATEST

RNG = np.random.default_rng(0)


def row(
    number: int,
    score: float | None = 0.5,
    said: tuple[float, float] | None = (0.5, 0.1),
    chosen: Chosen | None = UNIFORM,
    proposer: str = "mutation",
) -> Scored:
    mean, deviation = said or (None, None)
    candidate = Candidate(f"m{number}", proposer, chosen=chosen, predicted_mean=mean, predicted_sd=deviation)
    return Scored(Evaluation(candidate, {}), {}, score)


def told(rows: Sequence[Scored], before: Sequence[str] = ()) -> ToldRound:
    good = [row for row in rows if row.score is not None]
    failed = [row for row in rows if row.score is None]
    archive = Archive().add([Member(name, "[C]") for name in before])
    return ToldRound(1, good, good, archive, archive, None, failed)


@settings(max_examples=100, deadline=None)
@given(
    rate=st.integers(0, 20).map(lambda twentieths: twentieths / 20),
    batches=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), max_size=30),
)
def test_the_share_holds_over_any_sequence_of_batches(rate: float, batches: list[tuple[int, int]]) -> None:
    """Also where a batch is asked for in two parts, the second while the first is pending."""
    judged, drawn, paid = Judged(rate), 0, 0
    for batch, more in batches:
        parts = [judged.wanted(batch), judged.wanted(more, pending=batch)]
        assert 0 <= parts[0] <= batch
        assert 0 <= parts[1] <= more
        assert sum(parts) == judged.wanted(batch + more)
        judged.learn(told([row(paid + place) for place in range(batch + more)]))
        drawn, paid = drawn + sum(parts), paid + batch + more
        assert drawn == int(round(20 * rate) * paid // 20), "to the molecule, whatever the batches were"
        judged = Judged(rate, State(data=json.loads(json.dumps(judged.state().data))))


def test_single_picks_are_drawn_once_in_ten_rounds() -> None:
    judged, drawn = Judged(0.1), []
    for number in range(40):
        drawn.append(judged.wanted(1))
        judged.learn(told([row(number)]))
    assert [place for place, count in enumerate(drawn) if count] == [9, 19, 29, 39]
    assert not any(Judged(0.0, judged.state()).wanted(batch) for batch in range(1, 500))


def test_what_was_known_or_failed_or_begun_with_counts_for_nothing() -> None:
    judged = Judged(1.0)
    judged.learn(told([row(0, proposer="start"), row(1, proposer="measured"), row(2, None), row(3)], before=["m3"]))
    assert judged.state().data["paid"] == 0
    judged.learn(told([row(4)]))
    judged.learn(told([row(4)]))
    assert judged.state().data["paid"] == 1, "told twice"
    again = row(5, chosen=None)
    judged.learn(told([again]))
    judged.learn(told([replace(again, score=0.7, told_before=True, scored_before=True)]))
    assert judged.state().data["paid"] == 2, "and a correction of what the search has forgotten"
    judged.learn(told([row(6, None)]))
    judged.learn(told([replace(row(6), told_before=True)]))
    assert judged.state().data["paid"] == 3, "what failed counts once it has a score"


def test_the_measures_are_the_textbooks() -> None:
    mean, deviation, score = RNG.random(30), RNG.uniform(0.05, 0.3, 30), RNG.random(30)
    said = list(zip(mean.tolist(), deviation.tolist(), strict=True))
    judged = Judged(0.1)
    judged.learn(told([row(place, score[place], said[place]) for place in range(12)]))
    metrics = judged.learn(told([row(place, score[place], said[place]) for place in range(12, 30)]))
    assert metrics == {
        "judged_molecules": 30,
        "judged_rank_correlation": pytest.approx(spearmanr(mean, score).statistic),
        "judged_coverage": pytest.approx(np.mean(np.abs(score - mean) / deviation < 1.6448536)),
    }


@pytest.mark.parametrize(
    "other", [{"chosen": ACQUISITION}, {"chosen": None}, {"said": None}, {"score": None}], ids="".join
)
def test_nothing_is_judged_by_what_was_chosen_or_of_which_nothing_was_said(other: dict[str, None]) -> None:
    judged = Judged(0.1)
    assert judged.learn(told([row(1, **other)])) == {}  # type: ignore[arg-type]
    judged.learn(told([row(2, 0.1), row(3, 0.9)]))
    assert judged.learn(told([row(4, 0.0, (0.9, 0.1), **{"chosen": ACQUISITION})]))["judged_molecules"] == 2


def test_a_correction_is_the_last_word_and_what_is_withdrawn_is_none() -> None:
    judged = Judged(0.1)
    assert judged.learn(told([row(1, 0.5), row(2, 0.9)]))["judged_coverage"] == 0.5
    assert judged.learn(told([row(2, 0.5)], before=["m1", "m2"]))["judged_coverage"] == 1
    assert judged.learn(told([row(2, None)], before=["m1", "m2"]))["judged_molecules"] == 1


def test_the_latest_count() -> None:
    judged = Judged(0.1)
    judged.learn(told([row(place, 0.9) for place in range(LATEST)]))
    metrics = judged.learn(told([row(LATEST + place, 0.5) for place in range(50)]))
    assert metrics == {"judged_molecules": LATEST, "judged_coverage": 50 / LATEST}, "all were expected alike"
