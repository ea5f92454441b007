"""Several properties in latent_bo, traded off or one score: who chooses how, what is refused, what goes on as begun."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from designloop.molecules.chemistry import parse
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement
from designloop.strategies.acquisition.log_nei import LogNoisyExpectedImprovement
from designloop.strategies.base import SCORE_ALONE, KnownObjective, StateError, idle_settings, unchanged, why_unfit
from designloop.strategies.latent_bo import Settings, surrogate_of
from designloop.strategies.search.elections import Directions, GoalElectorate, ScoreElectorate
from designloop.strategies.search.machine import Search
from designloop.strategies.search.voting import MOST_JOINT, BreedByVote
from designloop.strategies.surrogates.base import Posterior
from designloop.strategies.surrogates.committee import Committee
from designloop.strategies.surrogates.committees import Committees, CommitteesModel
from designloop.strategies.surrogates.kernels import KERNELS
from tests.strategies.latent_bo.small_loop import SMALL, Campaign, Make, all_scored, facts, starting

GOALS = KnownObjective(("carbon", "size"), (unchanged, unchanged), lambda rows: rows.mean(1), (0.0, 0.0))
ASKED: dict[str, dict[str, Any]] = {
    "thompson": {"acquisition": "thompson"},
    "ucb": {"acquisition": "ucb"},
    "chains": {"chains": 2.0},
    "regions": {"regions": {"decoded": 1}},
}
"""What goes by one value of a molecule."""


SCORE = replace(GOALS, reference=None)
"""One score of the same two properties."""

ACQUISITIONS = ("votes", "thompson", "qlogei", "qlognei", "ucb", "uniform")


def with_goals(loop: Campaign, **changes: Any) -> Campaign:
    loop.view = replace(loop.view, objective=replace(GOALS, **changes))
    return loop


def settings(**changes: Any) -> Settings:
    return Settings(**{**SMALL.model_dump(), **changes})


def rows_of(candidates: Sequence[Candidate]) -> list[Scored]:
    """The share of carbon, and how small a molecule is."""
    rows = []
    for candidate in candidates:
        mol = parse(candidate.smiles)
        assert mol is not None
        atoms = [atom.GetSymbol() for atom in mol.GetAtoms()]
        known = {"carbon": atoms.count("C") / len(atoms), "size": 1 / len(atoms)}
        results = {name: Result(value) for name, value in known.items()}
        rows.append(Scored(Evaluation(candidate, results), known, sum(known.values()) / 2))
    return rows


# ---- settings


def test_hypervolume_is_sought_unless_something_goes_by_one_value() -> None:
    for acquisition in ("votes", "qlogei", "qlognei", "uniform"):
        assert surrogate_of(settings(acquisition=acquisition), GOALS) == "committees"
    for asked in ASKED.values():
        assert surrogate_of(settings(**asked), GOALS) == "committee"
    assert surrogate_of(settings(trade_offs="chebyshev"), GOALS) == "committee"


@pytest.mark.parametrize("asked", ASKED)
def test_hypervolume_beside_what_goes_by_one_value_is_refused(asked: str) -> None:
    both = settings(trade_offs="hypervolume", **ASKED[asked])
    why = why_unfit("latent_bo", both, GOALS)
    assert why is not None
    assert why.key == "trade_offs"
    assert asked in why.actual
    assert why_unfit("latent_bo", both, SCORE_ALONE) is None
    assert why_unfit("latent_bo", settings(**ASKED[asked]), GOALS) is None
    assert why_unfit("latent_bo", settings(trade_offs="hypervolume"), GOALS) is None


def test_of_one_score_nothing_is_traded_off() -> None:
    assert (
        idle_settings("latent_bo", Settings(), SCORE_ALONE)["trade_offs"] == "it is for `objective.aggregate: pareto`"
    )
    assert "trade_offs" not in idle_settings("latent_bo", Settings(), GOALS)


@pytest.mark.parametrize(
    ("own", "objective", "expected"),
    [
        ({}, SCORE_ALONE, "committee"),
        ({}, SCORE, "committees"),
        ({"surrogate": "committee"}, SCORE, "committee"),
        ({"surrogate": "committees"}, SCORE_ALONE, "committees"),
        ({"chains": 2.0}, SCORE, "committee"),
        ({"regions": {"decoded": 1}}, SCORE, "committee"),
        ({"acquisition": "thompson"}, SCORE, "committees"),
        ({}, GOALS, "committees"),
        ({"surrogate": "committee"}, GOALS, "committee"),
    ],
)
def test_each_property_has_a_committee_unless_one_value_is_gone_by(
    own: dict[str, Any], objective: KnownObjective, expected: str
) -> None:
    assert surrogate_of(settings(**own), objective) == expected


@pytest.mark.parametrize("objective", [SCORE, GOALS], ids=["score", "goals"])
@pytest.mark.parametrize("asked", [*ASKED, "trade_offs: chebyshev"])
def test_committees_beside_what_goes_by_one_value_are_refused(asked: str, objective: KnownObjective) -> None:
    changes = ASKED.get(asked, {"trade_offs": "chebyshev"})
    why = why_unfit("latent_bo", settings(surrogate="committees", **changes), objective)
    if objective is SCORE and asked not in ("chains", "regions"):
        assert why is None, "of a score of several properties these take the whole posterior"
        return
    assert why is not None
    assert why.key == "surrogate"
    assert asked in why.actual
    for surrogate in ("auto", "committee"):
        assert why_unfit("latent_bo", settings(surrogate=surrogate, **changes), objective) is None


def test_one_committee_seeks_no_hypervolume() -> None:
    why = why_unfit("latent_bo", settings(surrogate="committee", trade_offs="hypervolume"), GOALS)
    assert why is not None
    assert (why.key, "surrogate: committee" in why.actual) == ("trade_offs", True)


# ---- the search


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_a_score_of_several_properties_is_foreseen_property_by_property(campaign: Make, acquisition: str) -> None:
    """Whatever chooses; and it goes on after an interruption as it would have."""
    loop, own = with_goals(campaign(), reference=None), settings(acquisition=acquisition)
    strategy = loop.strategy(own)
    strategy.tell(rows_of(starting(20)))
    belief = strategy._fit()
    assert isinstance(belief, CommitteesModel)
    again = loop.strategy(own, strategy.state())
    assert facts(list(islice(strategy.ask(6), 12))) == facts(list(islice(again.ask(6), 12)))
    batch = loop.take(strategy, 6)
    assert all(set(foreseen) == {"score", *GOALS.names} for foreseen in strategy.foresee(batch))
    metrics = strategy.tell(rows_of(batch))
    for goal in GOALS.names:
        shares = [metrics[f"surrogate_share_{name}_{goal}"] for name in (*KERNELS, "latent", "latent_composition")]
        assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("noisy", [False, True])
def test_each_goal_has_a_committee_whose_members_see_latents_too(campaign: Make, noisy: bool) -> None:
    loop = with_goals(campaign(), noisy=noisy)
    strategy = loop.strategy()
    assert isinstance(strategy.surrogate, Committees)
    assert isinstance(strategy.breed, BreedByVote)
    assert isinstance(strategy.breed.electorate, GoalElectorate)
    assert isinstance(strategy.breed.electorate.trade_offs, Directions)
    assert strategy.trade_offs is None
    strategy.tell(rows_of(starting(20)))
    belief = strategy._fit()
    assert isinstance(belief, CommitteesModel)
    members = [*KERNELS, "latent", "latent_composition"]
    assert belief.names == [f"{name} ({goal})" for goal in GOALS.names for name in members]
    batch = loop.take(strategy, 6)
    assert all(re.match(r"for the front, by \w+ \(carbon\), \w+ \(size\) at", strategy.why(row)) for row in batch)
    metrics = strategy.tell(rows_of(batch))
    assert sum(metrics[f"surrogate_share_{name}_size"] for name in members) == pytest.approx(1)


@pytest.mark.parametrize("acquisition", ["votes", "qlogei", "qlognei", "uniform"])
def test_a_front_that_is_gone_on_with_is_the_one_that_never_stopped(campaign: Make, acquisition: str) -> None:
    streams = []
    for resumed in (False, True):
        loop = with_goals(campaign())
        own = settings(acquisition=acquisition)
        strategy = loop.strategy(own)
        strategy.tell(rows_of(starting(20)))
        if resumed:
            strategy = loop.strategy(own, strategy.state())
        streams.append(facts(list(islice(strategy.ask(4), 12))))
    assert streams[0] == streams[1]


def test_goals_that_were_traded_off_by_one_value_go_on_so_and_other_states_are_refused(campaign: Make) -> None:
    loop = with_goals(campaign())
    before = loop.strategy(settings(trade_offs="chebyshev"))
    before.tell(rows_of(starting(20)))
    again = loop.strategy(settings(trade_offs="chebyshev"), before.state())
    assert isinstance(again.surrogate, Committee)
    assert isinstance(again.breed, BreedByVote)
    assert isinstance(again.breed.electorate, ScoreElectorate)
    assert again.trade_offs is not None
    assert facts(list(islice(again.ask(4), 8))) == facts(list(islice(before.ask(4), 8)))
    with pytest.raises(StateError, match="expected committees and credit"):
        loop.strategy(settings(), before.state())


def test_a_score_that_one_committee_foresaw_goes_on_so(campaign: Make) -> None:
    """As it was begun before there were committees of a score."""
    loop = with_goals(campaign(), reference=None)
    before = loop.strategy(settings(surrogate="committee"))
    before.tell(rows_of(starting(20)))
    again = loop.strategy(settings(), before.state())
    assert isinstance(again.surrogate, Committee)
    assert facts(list(islice(again.ask(4), 8))) == facts(list(islice(before.ask(4), 8)))


# ---- what is shown of what was measured


def seen_by(strategy: Search) -> Posterior:
    """What the acquisition of a round's batch is shown."""
    belief = strategy._fit()
    assert belief is not None
    bred = strategy.breed(strategy.archive, belief, 4, strategy._turn(0))
    assert bred is not None
    return strategy._posterior(bred, belief)


@pytest.mark.parametrize("pending", [0, 2])
def test_noisy_improvement_is_shown_what_was_measured_and_no_other_is(campaign: Make, pending: int) -> None:
    loop = campaign()
    loop.view = replace(loop.view, pending=tuple(starting(25)[20 : 20 + pending]))
    strategy = loop.strategy(settings(acquisition="qlognei"))
    assert isinstance(strategy.acquisition, LogNoisyExpectedImprovement)
    assert isinstance(strategy.breed, BreedByVote)
    assert strategy.breed.most + strategy.archive.limit <= MOST_JOINT
    strategy.tell(all_scored(starting(20)))
    posterior = seen_by(strategy)
    assert posterior.measured == 20 + pending, "what is under way follows what was measured"
    assert posterior.free > 0
    of_measured = posterior.moments()[0][posterior.free : posterior.free + 20]
    np.testing.assert_allclose(of_measured, strategy.archive.scores, atol=0.02)
    other = loop.strategy(settings(acquisition="qlogei"))
    other.tell(all_scored(starting(20)))
    assert seen_by(other).measured == 0
    assert "whichever of the measured that is" in strategy.why(next(strategy.ask(4)))


def test_a_front_by_noisy_improvement_is_shown_what_was_measured(campaign: Make) -> None:
    strategy = with_goals(campaign(), noisy=True).strategy(settings(acquisition="qlognei"))
    assert isinstance(strategy.acquisition, HypervolumeImprovement)
    strategy.tell(rows_of(starting(20)))
    assert seen_by(strategy).measured == 20
    assert len(list(islice(strategy.ask(4), 4))) == 4
