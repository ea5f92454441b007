"""A search that stands still begins anew; what it found stands aside until both are searched together."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from designloop.molecules.chemistry import standard_forms
from designloop.records import MEASURED, START, Candidate, Evaluation, Result, Scored
from designloop.strategies import latent_bo
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import SCORE_ALONE, CampaignView, KnownObjective
from designloop.strategies.learning.settings import FineTuning
from designloop.strategies.property_loss import Settings, build
from designloop.strategies.search.machine import Search
from designloop.strategies.search.restarts import BEST, GAIN, Restarts, best_mean
from designloop.testing.rehearsal import same_state, through_files
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

NAMES = small_molecules(60)


def members(*scores: float, first: int = 0) -> list[Member]:
    return [Member(name, name, score) for name, score in zip(NAMES[first:], scores, strict=False)]


class Model:
    """Counts how often it forgot."""

    def __init__(self) -> None:
        self.forgot = 0

    def forget(self) -> None:
        self.forgot += 1


def restarts(patience: int, model: Model | None = None) -> Restarts:
    return Restarts(patience, (model or Model()).forget, Archive())


def test_a_search_that_gains_goes_on() -> None:
    model, archive = Model(), Archive()
    kept = restarts(4, model)
    for row in range(30):
        archive = archive.add(members(row * GAIN * 1.01 + GAIN, first=row))
        # The mean of the ten best grows by half of what the best does while there are fewer than ten.
        assert kept.archive_after(archive, 1) is archive
    assert (model.forgot, kept.beginnings, len(kept.aside)) == (0, 0, 0)


def test_a_search_whose_faint_scores_grow_by_their_own_measure_goes_on() -> None:
    model, archive = Model(), Archive()
    kept = restarts(4, model)
    for row in range(40):
        archive = archive.add(members(1e-80 * 100.0**row, first=row))
        assert kept.archive_after(archive, 1) is archive
    assert kept.beginnings == 0
    for row in range(40, 44):
        archive = archive.add(members(1e-90, first=row))
        after = kept.archive_after(archive, 1)
    assert (len(after), kept.beginnings) == (0, 1), "nothing was gained in four calls"


def test_patience_counts_what_was_paid_for_since_the_last_gain() -> None:
    model, archive = Model(), Archive().add(members(0.5))
    kept = restarts(10, model)
    assert kept.archive_after(archive, 6) is archive
    assert kept.archive_after(archive, 6) is archive  # 6 since the gain
    assert kept.metrics() == {"restarts": 0.0, "calls_since_gain": 6.0}
    emptied = kept.archive_after(archive, 4)
    assert len(emptied) == 0
    assert kept.aside.smiles == archive.smiles
    assert kept.metrics() == {"restarts": 1.0, "calls_since_gain": 0.0}
    assert model.forgot == 1


@pytest.mark.parametrize(
    ("settings", "objective"),
    [
        ({"restart_after": 0}, SCORE_ALONE),
        ({"proposers": ("screen",)}, SCORE_ALONE),
        ({}, replace(SCORE_ALONE, reference=(0.0,))),
    ],
    ids=["of a search that never does", "of a screen, which draws nothing", "of trade-offs"],
)
def test_nothing_begins_anew(settings: dict[str, Any], objective: KnownObjective) -> None:
    search = build(Settings(**settings), replace(view(), objective=objective), None)
    assert isinstance(search, Search)
    assert search.restarts is None


def test_a_second_search_that_found_one_of_the_ten_best_is_joined_with_the_first() -> None:
    model = Model()
    kept = restarts(1, model)
    first = Archive().add(members(*[0.5] * 12))
    kept.archive_after(first, 1)
    second = kept.archive_after(first, 1).add(members(0.6, first=20))
    assert kept.archive_after(second, 1) is second  # its first gain
    together = kept.archive_after(second, 1)
    assert set(together.smiles) == {*first.smiles, *second.smiles}
    assert (len(kept.aside), kept.beginnings, model.forgot) == (0, 1, 1)
    assert len(kept.archive_after(together, 1)) == 0  # together they stand still as well
    assert (set(kept.aside.smiles), kept.beginnings, model.forgot) == (set(together.smiles), 2, 2)


def test_a_second_search_that_found_nothing_stands_aside_as_well() -> None:
    kept = restarts(1)
    first = Archive().add(members(*[0.5] * 12))
    kept.archive_after(first, 1)
    second = kept.archive_after(first, 1).add(members(0.4, first=20))
    kept.archive_after(second, 1)
    assert len(kept.archive_after(second, 1)) == 0
    assert (set(kept.aside.smiles), kept.beginnings) == ({*first.smiles, *second.smiles}, 2)


def test_what_is_told_again_or_withdrawn_stands_aside_no_more() -> None:
    kept = restarts(1)
    first = Archive().add(members(0.5, 0.4, 0.3))
    kept.archive_after(first, 1)
    now = kept.archive_after(first, 1).add(members(0.1))
    kept.archive_after(now, 1, withdrawn={NAMES[2]})
    assert kept.aside.smiles == [NAMES[1]]


def test_it_begins_with_what_the_user_began_with() -> None:
    kept = restarts(1)
    start, found = members(0.9, 0.2), members(*[0.5] * 12, first=20)
    first = Archive().add([*start, *found])
    kept.archive_after(first, 14, start)
    anew = kept.archive_after(first, 1)
    assert anew.smiles == [member.smiles for member in start]
    assert kept.aside.smiles == [member.smiles for member in found]
    second = anew.add(members(0.1, first=40))
    assert kept.archive_after(second, 1) is second  # there are not ten yet
    assert kept.archive_after(second, 1).smiles == anew.smiles  # that the start is good is nothing that it found
    assert len(kept.aside) == 13
    kept.archive_after(anew, 1, withdrawn={NAMES[0]})
    assert kept.start.smiles == [NAMES[1]]


@pytest.mark.parametrize("proposer", [START, MEASURED])
def test_a_strategy_begins_anew_with_its_starting_molecules(proposer: str) -> None:
    search = build(SETTINGS, view(), None)
    assert isinstance(search, Search)
    search.tell([Scored(Evaluation(Candidate(name, proposer), {}), {}, 0.5) for name in NAMES[:20]])
    told(search, 0.1)
    told(search, 0.1)
    assert search.restarts is not None
    assert (search.archive.smiles, search.restarts.beginnings) == (NAMES[:20], 1)


def scored(
    names: list[str], score: float | None, proposer: str = "prior", *, told_before: bool = False
) -> list[Scored]:
    results = {"toy": Result(score) if score is not None else Result(None, "failed", "no value")}
    return [Scored(Evaluation(Candidate(name, proposer), results), {}, score, told_before) for name in names]


def test_calls_are_counted_and_nothing_else() -> None:
    """A failure is a call; neither what the user gave values of nor what is told again is."""
    search = build(SETTINGS, view(), None)
    assert isinstance(search, Search)
    assert search.restarts is not None
    search.tell(scored(NAMES[:10], 0.2, MEASURED))
    assert search.restarts.metrics()["calls_since_gain"] == 0
    search.tell([*scored(NAMES[10:14], 0.2), *scored(NAMES[14:20], None)])
    assert search.restarts.metrics()["calls_since_gain"] == 10
    corrected = scored(NAMES[10:14], 0.201, told_before=True)
    search.tell([*corrected, *scored(NAMES[14:20], None, told_before=True)])
    assert search.restarts.metrics() == {"restarts": 0, "calls_since_gain": 10}
    search.tell(scored(NAMES[20:30], None))
    assert search.restarts.metrics() == {"restarts": 1, "calls_since_gain": 0}, "20 calls, of which 16 failed"


def test_a_search_that_gains_from_one_good_molecule_on_is_no_search_that_stands_still() -> None:
    """The mean of fewer than ten falls as others join them, though each round finds better ones."""
    model, archive = Model(), Archive().add(members(0.8))
    kept = restarts(30, model)
    for row in range(1, 50):
        archive = archive.add(members(0.3 + 0.01 * row, first=row))
        assert kept.archive_after(archive, 10) is archive
    assert model.forgot == 0


def test_after_a_correction_gains_count_from_what_is_left() -> None:
    model, archive = Model(), Archive().add(members(*[0.5] * 12))
    kept = restarts(3, model)
    kept.archive_after(archive, 1)
    low = archive.add(members(*[0.2] * 12))
    for row in range(12, 40):
        kept.archive_after(low, 1)
        low = low.add(members(0.3 + 0.02 * (row - 12), first=row))
    assert model.forgot == 0


@given(st.lists(st.floats(0, 1), max_size=40))
def test_the_mean_is_of_the_ten_best(scores: list[float]) -> None:
    expected = float(np.mean(sorted([*scores, *[0.0] * BEST])[-BEST:]))
    assert best_mean(members(*scores)) == pytest.approx(expected)


def view() -> CampaignView:
    return CampaignView(
        seed=0,
        allowed=list,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=tiny_vae,
        load_replay=tiny_corpus,
    )


SETTINGS = Settings(
    restart_after=20,
    proposers=("prior", "posterior", "mutation", "crossover"),
    learning={"property": {"every": 10, "updates": 1, "wide": 2, "group": 4, "families": 6}},
)


def told(search: Search, score: float) -> None:
    """One round of ten."""
    batch = list(islice(search.ask(10), 10))
    search.tell([Scored(Evaluation(candidate, {}), {}, score) for candidate in batch])


def test_a_strategy_begins_anew_with_the_pretrained_model() -> None:
    search = build(SETTINGS, view(), None)
    assert isinstance(search, Search)
    start = [Scored(Evaluation(Candidate(name, "prior"), {}), {}, 0.5) for name in NAMES[:20]]
    search.tell(start)
    assert search.model_round() == 1
    told(search, 0.1)
    learned_from = len(search.archive)
    assert 20 < learned_from <= 30, "but for what the small model cannot write"
    told(search, 0.1)
    assert (len(search.archive), search.model_round()) == (0, 0)
    assert search.restarts is not None
    assert learned_from < len(search.restarts.aside) <= 40
    pretrained = tiny_vae().state_dict()
    learner = search.learners["property"]
    assert all(torch.equal(value, pretrained[name]) for name, value in learner.vae.state_dict().items())  # type: ignore[attr-defined]
    assert {candidate.proposer for candidate in islice(search.ask(10), 10)} == {"prior"}


@pytest.mark.parametrize("rounds", [1, 2, 4], ids=["before", "at", "after a restart"])
def test_a_search_goes_on_from_its_state_around_a_restart(rounds: int) -> None:
    search = build(SETTINGS, view(), None)
    assert isinstance(search, Search)
    search.tell([Scored(Evaluation(Candidate(name, "start"), {}), {}, 0.5) for name in NAMES[:20]])
    for _ in range(rounds):
        told(search, 0.1)
    again = build(SETTINGS, view(), through_files(search.state()))
    assert isinstance(again, Search)
    told(search, 0.2)
    told(again, 0.2)
    assert same_state(search.state(), again.state())


@pytest.mark.parametrize(
    ("prior", "learning"),
    [("refitted", {"steps": 0}), ("learned", {"property": {"every": 10, "updates": 1, "evidence": 3}})],
    ids=["a prior that follows the elites", "a prior of a corpus, and an encoder that learns"],
)
def test_a_learned_prior_goes_on_as_it_was(prior: str, learning: dict[str, Any]) -> None:
    """Also behind a restart, which its elites are no part of any more."""
    settings = SETTINGS.model_copy(update={"prior": prior, "learning": FineTuning.model_validate(learning)})
    search = build(settings, view(), None)
    assert isinstance(search, Search)
    search.tell([Scored(Evaluation(Candidate(name, "start"), {}), {}, 0.5) for name in NAMES[:20]])
    for _ in range(4):
        told(search, 0.1)
        again = build(settings, view(), through_files(search.state()))
        assert isinstance(again, Search)
        models = [part.learners["prior"].model for part in (search, again)]  # type: ignore[attr-defined]
        draws = [model.draw_latents(50, torch.Generator().manual_seed(0), 0.5) for model in models]
        torch.testing.assert_close(draws[0], draws[1], rtol=0, atol=0)


def test_latent_bo_begins_anew_as_well() -> None:
    settings = latent_bo.Settings(restart_after=20, dimensions=4, effort="low", screen=False)
    search = latent_bo.build(settings, view(), None)
    assert isinstance(search, Search)
    search.tell([Scored(Evaluation(Candidate(name, "prior"), {}), {}, 0.5) for name in NAMES[:20]])
    told(search, 0.1)
    assert len(search.archive) == 30
    told(search, 0.1)
    assert len(search.archive) == 0
    assert {candidate.proposer for candidate in islice(search.ask(10), 10)} == {"prior"}
