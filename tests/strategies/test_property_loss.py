"""The property-loss strategy: who votes and chooses, its elites, and the rollback of bad learning.

That it keeps the contract is tested in ``tests/testing/test_strategy.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from designloop.molecules.chemistry import scaffold, standard_forms
from designloop.molecules.sequence_vae import PRIOR_TEMPERATURE
from designloop.molecules.shipped import PRIOR_NOISE
from designloop.records import ACQUISITION, UNIFORM, Candidate, Result, Scored
from designloop.strategies import random
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.acquisition.votes import FITTED, WIDE, Kappas
from designloop.strategies.archive.archive import Member
from designloop.strategies.base import SCORE_ALONE, Explaining
from designloop.strategies.learning.fine_tuning import forget
from designloop.strategies.learning.learned_prior import CampaignPrior
from designloop.strategies.learning.tuned_model import TunedModel
from designloop.strategies.property_loss import Settings, build
from designloop.strategies.proposers.selfies import SelfiesCrossover
from designloop.strategies.search.elections import (
    Directions,
    GoalElectorate,
    KnownWorth,
    RoundsChebyshev,
    ScoreElectorate,
)
from designloop.strategies.search.machine import Search
from designloop.strategies.search.pool import Turn
from designloop.strategies.search.voting import BreedByVote
from designloop.strategies.surrogates.committees import Committees
from designloop.strategies.surrogates.composite import CompositeSurrogate
from designloop.vae.priors.learned import LearnedPrior
from tests.strategies.small_property_loss import GOALS, LEARNING, NAMES, scored, strategy, view
from tests.tiny import small_molecules


def model_of(search: Search) -> TunedModel:
    model = search.learners["model"]
    assert isinstance(model, TunedModel)
    return model


def elites_of(search: Search) -> list[Member]:
    return model_of(search)._elites(search.archive)


def prior_of(search: Search) -> CampaignPrior:
    prior = search.learners["prior"]
    assert isinstance(prior, CampaignPrior)
    return prior


@pytest.mark.parametrize("noisy", [False, True])
def test_the_doubt_that_is_shown_is_rescaled(noisy: bool) -> None:
    seen = replace(view(), objective=replace(SCORE_ALONE, noisy=noisy))
    settings = Settings(**{"learning": LEARNING, "proposers": ["mutation", "graph_mutation"]})
    search = build(settings, seen, None)
    assert isinstance(search, Search)
    search.tell(scored(small_molecules()[:20]))
    batch = scored([candidate.smiles for candidate in search.campaign.allowed(list(islice(search.ask(15), 15)))])
    told = search.tell(batch)
    assert "interval_coverage" not in told
    again = build(settings, seen, search.state())
    assert isinstance(again, Search)
    assert again.calibration is not None
    assert search.calibration is not None
    assert again.calibration.factor("score") == search.calibration.factor("score") != 1


@pytest.mark.parametrize("surrogate", ["score", "committee"])
def test_some_are_drawn_uniformly_from_the_better_half(surrogate: str) -> None:
    search = strategy(surrogate=surrogate, proposers=["mutation", "graph_mutation"], judged=0.5)
    search.tell(scored(small_molecules()[:20]))
    belief = search._fit()
    assert belief is not None
    bred = search.breed(search.archive, belief, 8, Turn(0, 1))
    assert bred is not None
    stream = list(islice(search.ask(8), 8))
    assert [candidate.chosen for candidate in stream] == [UNIFORM] * 4 + [ACQUISITION] * 4
    assert ["at random from the better half" in search.why(candidate) for candidate in stream] == [True] * 4 + [
        False
    ] * 4
    assert {candidate.smiles for candidate in stream[:4]} <= {bred.pool.candidates[row].smiles for row in bred.better}
    assert len(bred.better) <= len(bred.pool) / 2 + 1
    if surrogate == "score":
        bounds = UpperBound(1.0).bounds(belief(bred.pool.features(slice(None))))
        paid = [row for row, name in enumerate(bred.pool.names) if name in search.archive.smiles]
        assert bounds[bred.better].min() >= np.delete(bounds, [*bred.better, *paid]).max()


@pytest.mark.parametrize(("noisy", "kappas"), [(False, WIDE), (True, FITTED)])
def test_voters_hope_for_more_where_doubt_is_fitted_to_a_noisy_score(noisy: bool, kappas: Kappas) -> None:
    noisy_view = replace(view(), objective=replace(SCORE_ALONE, noisy=noisy))
    search = build(Settings(learning=LEARNING), noisy_view, None)
    assert isinstance(search, Search)
    assert isinstance(search.breed, BreedByVote)
    assert search.breed.electorate == ScoreElectorate(kappas)


@pytest.mark.parametrize(
    ("settings", "trade_offs"),
    [({}, Directions), ({"trade_offs": "chebyshev"}, RoundsChebyshev), ({"surrogate": "committees"}, Directions)],
)
def test_goals_are_voted_on_by_committees(settings: dict[str, Any], trade_offs: type) -> None:
    search = build(Settings(learning=LEARNING, **settings), replace(view(), objective=GOALS), None)
    assert isinstance(search, Search)
    assert isinstance(search.surrogate, Committees)
    assert isinstance(search.breed, BreedByVote)
    assert isinstance(search.breed.electorate, GoalElectorate)
    assert isinstance(search.breed.electorate.trade_offs, trade_offs)


WHY = {
    "one score": ({}, None, r"highest by (ecfp6|features|pairs|composition) at [\d.]+ sd of doubt"),
    "several properties": ({}, replace(GOALS, reference=None), r"highest by the surrogate at 1 sd of doubt"),
    "a front": ({}, GOALS, r"for the front, by \w+ \(a\), \w+ \(b\) at [\d.]+ sd of doubt"),
    "a front, by the composite": ({"surrogate": "composite"}, GOALS, r"for what it may add to the front, by the.*"),
    "a round's trade-off": ({"trade_offs": "chebyshev"}, GOALS, r"highest by \w+ \(a\), \w+ \(b\) at [\d.]+ sd.*"),
    "no surrogate": ({"surrogate": "none"}, None, r"drawn by \w+: no surrogate ranks"),
}


@pytest.mark.parametrize("case", WHY)
def test_it_says_by_what_it_chose(case: str) -> None:
    changes, objective, pattern = WHY[case]
    seen = replace(view(), objective=objective or SCORE_ALONE)
    search = build(
        Settings(learning=LEARNING, proposers=["prior", "mutation", "graph_mutation"], **changes), seen, None
    )
    assert isinstance(search, Search)
    assert isinstance(search, Explaining)
    (drawn,) = islice(search.ask(1), 1)
    assert search.why(drawn).startswith("drawn by prior: ")
    values = dict.fromkeys((objective or SCORE_ALONE).names, 0.5)
    results = {name: Result(value) for name, value in values.items()}
    rows = [replace(row, evaluation=replace(row.evaluation, results=results)) for row in scored(NAMES[:20])]
    search.tell([replace(row, desirability=values) for row in rows])
    given = list(islice(search.ask(3), 3))
    assert len(given) == 3
    for candidate in given:
        assert re.fullmatch(pattern, search.why(candidate))


def test_several_properties_of_one_score_have_committees_on_demand_alone() -> None:
    one_score = replace(view(), objective=replace(GOALS, reference=None))
    by_default = build(Settings(learning=LEARNING), one_score, None)
    asked_for = build(Settings(learning=LEARNING, surrogate="committees"), one_score, None)
    assert isinstance(by_default, Search)
    assert isinstance(by_default.surrogate, CompositeSurrogate)
    assert isinstance(asked_for, Search)
    assert isinstance(asked_for.breed, BreedByVote)
    assert isinstance(asked_for.breed.electorate, GoalElectorate)
    assert isinstance(asked_for.breed.electorate.trade_offs, KnownWorth)


def test_a_front_that_was_sought_before_there_were_committees_is_sought_on_as_it_was() -> None:
    goals = replace(view(), objective=GOALS)
    before = build(Settings(learning=LEARNING, surrogate="composite"), goals, None).state()
    gone_on = build(Settings(learning=LEARNING), goals, before)
    assert isinstance(gone_on, Search)
    assert isinstance(gone_on.surrogate, CompositeSurrogate)
    again = build(Settings(learning=LEARNING), goals, build(Settings(learning=LEARNING), goals, None).state())
    assert isinstance(again, Search)
    assert isinstance(again.surrogate, Committees)


def test_where_nothing_considered_may_be_admitted_the_rest_of_the_better_half_is() -> None:
    """What is paid for already is not considered either, and is no part of that half."""
    refused = set[str]()

    def named(candidates: Sequence[Candidate]) -> list[str | None]:
        return standard_forms([candidate.smiles for candidate in candidates], "parent")

    def allowed(candidates: Sequence[Candidate]) -> list[Candidate]:
        return [item for item, name in zip(candidates, named(candidates), strict=True) if name not in refused]

    search = strategy(allowed, surrogate="score")
    told = scored(NAMES[:20])
    search.tell(told)
    belief, turn = search._fit(), Turn(0, 1)
    assert belief is not None
    bred = search.breed(search.archive, belief, 2, turn)
    assert bred is not None
    considered = {bred.pool.names[row] for row in bred.considered}
    better = {bred.pool.names[row] for row in bred.better}
    assert not {row.smiles for row in told} & (considered | better)
    refused |= considered
    given = list(islice(search._batch(bred, belief, 2, 0, turn), 4))
    assert set(named(given)) <= better - considered
    assert [candidate.chosen for candidate in given] == [ACQUISITION] * 4
    assert "better half" in search.why(given[0])
    refused |= better
    assert next(iter(search._batch(bred, belief, 2, 0, turn))).chosen is None, "the loop counts why"


@pytest.mark.parametrize(("trade_offs", "drawn"), [("chebyshev", 0), ("hypervolume", 3)])
def test_where_no_score_is_foreseen_none_is_drawn_to_judge_that(trade_offs: str, drawn: int) -> None:
    settings = Settings.model_validate(
        {"learning": LEARNING, "surrogate": "composite", "trade_offs": trade_offs, "judged": 0.5}
    )
    search = build(settings, replace(view(), objective=GOALS), None)
    assert isinstance(search, Search)
    values = [dict(zip(GOALS.names, (1 / (1 + row), row / 20), strict=True)) for row in range(20)]
    rows = [
        replace(row, evaluation=replace(row.evaluation, results={k: Result(v) for k, v in of.items()}), desirability=of)
        for row, of in zip(scored(NAMES[:20]), values, strict=True)
    ]
    search.tell(rows)
    assert [candidate.chosen for candidate in islice(search.ask(6), 6)].count(UNIFORM) == drawn


def test_elites_are_the_best_and_no_scaffold_holds_them_all() -> None:
    search = strategy(elites=10, per_scaffold=0.2)
    rings = [f"{'C' * n}c1ccccc1" for n in range(1, 9)]
    search.tell(scored([*rings, "CCC1CCCCC1", "CCCO"]))
    kinds = [scaffold(e.smiles) for e in elites_of(search)]
    assert kinds.count("c1ccccc1") == 2
    assert [e.smiles for e in elites_of(search)][:2] == rings[:2]
    assert {"C1CCCCC1", ""} <= set(kinds)


def test_learning_that_costs_reconstruction_is_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.9, 0.8, 0.88])  # pretrained; after a bad round; after a good one
    monkeypatch.setattr("designloop.strategies.learning.tuned_model.reconstruction", lambda *_: next(shares))
    search = strategy()
    before = {name: value.clone() for name, value in model_of(search).vae.state_dict().items()}
    metrics = search.tell(scored(small_molecules(30)))
    assert metrics["rolled_back"] == 1.0
    assert metrics["reconstruction_rolled_back"] == 0.8
    assert metrics["reconstruction"] == 0.9
    assert search.model_round() == 0
    assert all(torch.equal(value, before[name]) for name, value in model_of(search).vae.state_dict().items())
    metrics = search.tell([])
    assert metrics["rolled_back"] == 0.0
    assert metrics["reconstruction"] == 0.88
    assert search.model_round() == search.rounds_seen == 2
    assert not all(torch.equal(value, before[name]) for name, value in model_of(search).vae.state_dict().items())


def test_the_models_health_is_measured_without_learning_too() -> None:
    search = strategy(learning={"steps": 0})
    metrics = search.tell(scored(small_molecules(30)))
    assert metrics["reconstruction"] == model_of(search).pretrained_reconstruction
    assert 0 <= metrics["prior_allowed"] <= 1
    assert "rolled_back" not in metrics


def test_what_the_alphabet_cannot_express_is_known_but_not_learned_from() -> None:
    search = strategy(learning={"steps": 0})
    search.tell(scored(["CCO", "C" * 40]))
    assert [e.smiles for e in search.archive.members] == ["CCO"]


def test_without_genetic_steps_all_comes_from_the_model() -> None:
    search = strategy(proposers=["prior", "posterior"])
    search.tell(scored(small_molecules(30)))
    drawn = list(islice(search.ask(16), 16))
    assert {c.proposer for c in drawn} <= {"prior", "posterior"}
    assert all(c.model_round == 1 for c in drawn)


def test_learning_that_diverges_is_rolled_back_and_the_campaign_goes_on() -> None:
    search = strategy(learning={**LEARNING, "steps": 8, "learning_rate": 1e30})
    before = {name: value.clone() for name, value in model_of(search).vae.state_dict().items()}
    metrics = search.tell(scored(small_molecules(30)))
    assert metrics["rolled_back"] == 1.0
    assert metrics["reconstruction_rolled_back"] == 0.0
    assert search.model_round() == 0
    assert all(torch.equal(value, before[name]) for name, value in model_of(search).vae.state_dict().items())
    assert search.state().arrays == {}


def test_what_was_learned_fades_towards_the_pretrained_weights() -> None:
    """With nothing more to learn, each round takes the weights a fixed share of the way back."""
    search = strategy(learning={**LEARNING, "kept": 0.75, "tolerance": 1.0})
    search.tell(scored(small_molecules(30)))
    learned, reference = model_of(search).learned(), model_of(search).tuner.reference
    apart = {name: value - reference.state_dict()[name] for name, value in learned.items()}
    assert max(float(value.abs().max()) for value in apart.values()) > 0
    forget(learned, reference, 0.25)
    for name, value in learned.items():
        torch.testing.assert_close(value - reference.state_dict()[name], 0.75 * apart[name], atol=1e-7, rtol=1e-4)


def test_the_prior_can_be_the_models_own_or_learned_or_refitted_to_the_elites() -> None:
    molecules = small_molecules(60)

    def after(kind: str) -> Search:
        search = strategy(prior=kind, learning={"steps": 0})
        search.tell(scored(molecules[:30]))
        return search

    def mean(search: Search) -> torch.Tensor:
        prior = prior_of(search).model.prior
        assert isinstance(prior, LearnedPrior)
        return prior.means

    plain, learned, again = after("standard_normal"), after("learned"), after("refitted")
    assert "prior" not in plain.learners
    assert prior_of(learned).model.decoder is model_of(learned).vae.decoder, "what is learned is drawn from"
    torch.testing.assert_close(mean(learned), mean(strategy(prior="learned")))
    before = mean(again)
    assert not torch.equal(before, mean(learned))
    again.tell([Scored(row.evaluation, {}, 2.0) for row in scored(molecules[30:])])
    assert not torch.equal(mean(again), before)
    back = build(Settings(prior="refitted", learning={"steps": 0}), view(), again.state())
    assert isinstance(back, Search)
    assert torch.equal(mean(back), mean(again))
    drawn = [list(islice((c.smiles for c in search.ask(16)), 16)) for search in (again, back)]
    assert drawn[0] == drawn[1]


def test_before_there_is_anything_to_rank_by_all_is_drawn_from_the_prior() -> None:
    search = strategy()
    assert {c.proposer for c in islice(search.ask(16), 40)} == {"prior"}
    search.tell(scored(["CCO"]))
    assert {c.proposer for c in islice(search.ask(16), 40)} == {"prior"}
    search.tell(scored(small_molecules(8)))
    assert {c.proposer for c in islice(search.ask(16), 40)} > {"mutation", "crossover"}


def test_the_stream_ends_when_the_proposers_have_nothing_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    search = strategy(proposers=["crossover"])
    search.tell(scored(small_molecules(30)))
    monkeypatch.setattr(SelfiesCrossover, "propose", lambda *arguments: [])
    assert list(search.ask(16)) == []


def test_where_nothing_may_be_admitted_the_pool_goes_out_as_it_is() -> None:
    search = strategy(lambda candidates: [], pool=1, generations=2, learning={"steps": 0})
    search.tell(scored(small_molecules(30)))
    assert len(list(islice(search.ask(4), 200))) == 200


def test_the_prior_is_sampled_alike_by_default_everywhere() -> None:
    """Settings are read without torch, so they repeat the model's own defaults."""
    assert (Settings().prior_noise, Settings().temperature) == (PRIOR_NOISE, PRIOR_TEMPERATURE)
    assert (random.Settings().noise, random.Settings().temperature) == (PRIOR_NOISE, PRIOR_TEMPERATURE)
