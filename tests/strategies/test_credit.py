"""Proposers' shares: who brings elites, what is told again, and what failed."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from designloop.records import Candidate, Evaluation, Scored
from designloop.strategies.proposers.weighted import shares_of
from designloop.strategies.search.credit import FIRST_CREDIT, Credit
from designloop.strategies.search.machine import Search
from tests.strategies.small_property_loss import NAMES, failed, scored, strategy
from tests.tiny import small_molecules


def credit_of(search: Search) -> dict[str, float]:
    credit = search.learners["credit"]
    assert isinstance(credit, Credit)
    return credit.credit


def test_credit_follows_what_a_proposer_brings_over_its_share() -> None:
    search = strategy(proposers=["prior", "mutation"], learning={"steps": 0})
    molecules = small_molecules(40)
    search.tell(scored(molecules[:20]))
    assert credit_of(search) == {"prior": FIRST_CREDIT, "mutation": FIRST_CREDIT}
    best = [Scored(row.evaluation, {}, 2.0) for row in scored(molecules[20:30], "mutation")]
    metrics = search.tell(best)
    assert metrics["elites_by_mutation"] == 10
    assert metrics["proposer_share_mutation"] == shares_of(credit_of(search))["mutation"] > 0.5
    kept = 0.8**0.1  # of ten calls, where a hundred keep 0.8
    assert credit_of(search)["prior"] == pytest.approx(kept * FIRST_CREDIT)
    assert credit_of(search)["mutation"] == pytest.approx(kept * FIRST_CREDIT + (1 - kept) * (10 / 0.1) / 0.5)


def test_a_round_that_one_proposer_drew_alone_says_nothing_of_shares() -> None:
    """At the beginning, and after a restart, which leaves no elites to breed from."""
    search = strategy(proposers=["prior", "mutation"], learning={"steps": 0}, restart_after=20)
    even = {"prior": FIRST_CREDIT, "mutation": FIRST_CREDIT}
    for first in (0, 20):
        drawn = list(islice(search.ask(20), 20))
        assert {candidate.proposer for candidate in drawn} == {"prior"}
        search.tell([Scored(Evaluation(Candidate(name, "prior"), {}), {}, 1.0) for name in NAMES[first : first + 20]])
        assert credit_of(search) == even, "each elite came from the prior, as nobody else was asked"
        search.tell([failed(name, "mutation") for name in NAMES[40 + first : 60 + first]])  # and no gain: a restart
        assert credit_of(search) == even, "failures teach nothing but how to foresee failures"
    assert search.restarts is not None
    assert search.restarts.beginnings == 2


def test_what_is_told_again_brings_no_elites_again() -> None:
    search = strategy(proposers=["prior", "mutation"], learning={"steps": 0})
    search.tell(scored(NAMES[:20]))
    search.tell(scored(NAMES[20:30], "mutation"))
    before = dict(credit_of(search))
    again = [replace(row, score=3.0, told_before=True) for row in scored(NAMES[20:30], "mutation")]
    assert search.tell(again)["elites_by_mutation"] == 0
    assert credit_of(search) == before


def test_a_correction_of_what_the_search_has_forgotten_moves_no_shares() -> None:
    search = strategy(proposers=["prior", "mutation"], learning={"steps": 0})
    search.tell(scored(NAMES[:20]))
    before = dict(credit_of(search))
    search.tell([replace(row, told_before=True, scored_before=True) for row in scored(NAMES[20:30], "mutation")])
    assert credit_of(search) == before


def test_what_failed_counts_once_it_has_a_score() -> None:
    """A molecule that is tried again brings as much as one that did not fail."""
    earned = []
    for fails in (False, True):
        search = strategy(proposers=["prior", "mutation"], learning={"steps": 0})
        search.tell(scored(NAMES[:20]))
        if fails:
            search.tell([failed(name, "mutation") for name in NAMES[20:30]])
        search.tell([replace(row, told_before=fails) for row in scored(NAMES[20:30], "mutation")])
        earned.append(credit_of(search))
    assert earned[0] == earned[1]
    assert earned[0]["mutation"] != FIRST_CREDIT
