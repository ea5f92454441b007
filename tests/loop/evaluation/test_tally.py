"""What is told within a round of how many molecules are scored."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from designloop.loop.evaluation.tally import Tally
from designloop.records import Status


@given(st.lists(st.lists(st.sampled_from(["ok", "failed", "timeout"]), min_size=2, max_size=2)), st.randoms())
def test_molecules_count_once_all_their_oracles_have_answered(verdicts: list[list[Status]], rng: random.Random) -> None:
    molecules = [f"molecule {number}" for number in range(len(verdicts))]
    tally = Tally(dict.fromkeys(molecules, 2))
    answers = [(row, oracle) for row in range(len(verdicts)) for oracle in range(2)]
    rng.shuffle(answers)
    for count, (row, oracle) in enumerate(answers, 1):
        tally.settle(molecules[row], verdicts[row][oracle])
        whole = [
            verdicts[number] for number in range(len(verdicts)) if {(number, 0), (number, 1)} <= {*answers[:count]}
        ]
        assert tally.scored == sum(verdict == ["ok", "ok"] for verdict in whole)
        assert tally.scored + tally.failed == len(whole)
    assert tally.scored + tally.failed == tally.wanted == len(verdicts)
