"""Values that lie far from all others are told, and taken."""

from __future__ import annotations

import numpy as np
import pytest

from designloop.loop.campaign.known_values import Reading
from designloop.loop.laboratory.far_off import FEWEST, describe_far_off, is_far_off
from designloop.records import Candidate
from designloop.tables.suggestions import Suggestion

KNOWN = np.array([4.4, 4.6, 4.9, 5.0, 5.1, 5.2, 5.4, 5.6, 6.5])

JUDGED = {8.0: False, 5.0: False, 3.0: False, 500.0: True, 0.0005: True, -7.0: True}
"""A potency beside those that are known: a hit of a hundred times the best is none that is far off."""


@pytest.mark.parametrize("value", JUDGED)
def test_another_unit_is_far_off_and_a_hit_is_not(value: float) -> None:
    assert is_far_off(value, KNOWN) == JUDGED[value]
    assert is_far_off(1000 * value, 1000 * KNOWN) == JUDGED[value]
    assert is_far_off(1000 - value, 1000 - KNOWN) == JUDGED[value]


def test_nothing_is_far_from_few_values_or_from_one_that_most_have() -> None:
    assert not is_far_off(500.0, KNOWN[: FEWEST - 1])
    assert not is_far_off(500.0, np.full(20, 5.0))


def test_it_is_said_of_which_molecules_and_not_judged_by_what_it_takes_the_place_of() -> None:
    before = {f"{'C' * n}O": {"potency": Reading((value,))} for n, value in enumerate(KNOWN.tolist(), 1)}
    before |= {"CN": {"potency": Reading((700.0,))}, "CS": {"potency": Reading((), "lost")}}
    told = [Suggestion(f"M{n}", Candidate(smiles, "file"), 1) for n, smiles in enumerate(("CN", "CCN", "CCCN"))]
    readings = {
        "CN": {"potency": Reading((750.0,)), "solubility": Reading((1e9,))},
        "CCN": {"potency": Reading((5.5,))},
        "CCCN": {"potency": Reading((), "could not be made")},
    }
    (sentence,) = describe_far_off(told, readings, before)
    assert sentence.startswith("potency of M0 (750) lies far from the 9 measured before (4.4 to 6.5)")
    assert describe_far_off(told[1:], readings, before) == []
