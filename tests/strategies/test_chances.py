"""Chances to give a value at all: every acquisition that looks weighs by them, and every search has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from designloop.molecules.chemistry import standard_forms
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies import base
from designloop.strategies.acquisition.base import Acquisition, worth
from designloop.strategies.acquisition.goal_votes import FrontVotes, GoalVoter
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement, draw_directions
from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
from designloop.strategies.acquisition.log_nei import LogNoisyExpectedImprovement
from designloop.strategies.acquisition.thompson import Thompson
from designloop.strategies.acquisition.uniform import Uniform
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.acquisition.votes import Voter, Votes
from designloop.strategies.base import SCORE_ALONE, CampaignView, KnownObjective, unchanged
from designloop.strategies.learning.feasibility import Feasibility
from designloop.strategies.search.machine import Search
from designloop.strategies.search.pool import Turn
from designloop.strategies.surrogates.base import Goals, Posterior
from designloop.strategies.surrogates.committee import CommitteePosterior
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

# ---- what is made of them


@given(st.lists(st.tuples(st.floats(-1, 2), st.floats(0, 1)), min_size=1, max_size=20))
def test_a_chance_makes_no_molecule_better(pairs: list[tuple[float, float]]) -> None:
    bounds, chances = (np.array(column) for column in zip(*pairs, strict=True))
    assert (worth(bounds, chances) <= bounds).all()
    assert np.array_equal(worth(bounds, np.ones(len(bounds))), bounds)
    assert worth(bounds, None) is bounds
    halved, order = worth(np.abs(bounds), np.full(len(bounds), 0.5)), np.argsort(np.abs(bounds))
    assert (np.diff(halved[order]) >= 0).all()
    if np.abs(bounds[bounds != 0]).min(initial=1.0) > np.finfo(float).tiny * 2:  # what is less may be halved to nothing
        assert np.argsort(halved).tolist() == order.tolist()


def values(means: Sequence[float], doubt: float = 1e-4) -> Posterior:
    """Independent values (m,), above a best of .5."""
    n, variance = len(means), doubt**2
    return Posterior([np.array(means)], lambda: [np.full(n, variance)], lambda: [variance * np.eye(n)], [0.0], 0.5)


def goals(means: Sequence[float]) -> CommitteePosterior:
    """Two goals that are alike."""
    alone = values(means)
    return CommitteePosterior(
        [alone.means[0]] * 2,
        lambda: [*alone.variances()] * 2,
        lambda: [*alone.covariances()] * 2,
        [0.0] * 2,
        0.5,
        goals=Goals(lambda draws: np.stack(draws, -1), np.full((1, 2), 0.3)),
        members=[alone, alone],
    )


FRONT = HypervolumeImprovement((0.1, 0.1), 1.0)
DIRECTIONS = draw_directions(np.random.default_rng(0), 3, np.zeros((0, 2)), (0.1, 0.1))
MEANS = [0.9, 0.8, 0.7]
LOOKING: dict[str, tuple[Acquisition, Posterior]] = {
    "votes": (Votes([Voter(0, 0.1)]), values(MEANS)),
    "votes on goals": (FrontVotes([GoalVoter((0, 1), 0.1, own) for own in DIRECTIONS], FRONT), goals(MEANS)),
    "thompson": (Thompson(), values(MEANS)),
    "qlogei": (LogExpectedImprovement(), values(MEANS)),
    "qlognei": (LogNoisyExpectedImprovement(), replace(values([*MEANS, 0.5]), measured=1)),
    "ucb": (UpperBound(0.1), values(MEANS)),
    "hypervolume": (FRONT, goals(MEANS)),
    "hypervolume, beside what was measured": (FRONT, replace(goals([*MEANS, 0.3]), measured=1)),
}


@pytest.mark.parametrize("name", LOOKING)
def test_who_looks_does_not_begin_with_what_will_fail(name: str) -> None:
    acquisition, posterior = LOOKING[name]

    def chosen(chances: list[float] | None) -> list[int]:
        known = None if chances is None else np.array(chances)
        return list(acquisition.select(posterior, 3, 0, lambda row: True, known))

    assert chosen(None) == chosen([1, 1, 1])
    assert chosen(None)[0] == 0
    assert chosen([0.05, 0.9, 0.9])[0] == 1


def test_the_control_does_not_look() -> None:
    posterior = values(MEANS)
    orders = [list(Uniform().select(posterior, 3, 7, chances=chances)) for chances in (None, np.array([0, 0.5, 1]))]
    assert orders[0] == orders[1]


@pytest.mark.parametrize("acquisition", [LogExpectedImprovement(), LogNoisyExpectedImprovement()])
@pytest.mark.parametrize("seed", range(4))
def test_an_expected_improvement_is_worth_its_chance(
    acquisition: LogExpectedImprovement | LogNoisyExpectedImprovement, seed: int
) -> None:
    """Against the closed form, of independent values and a best that is sure."""
    rng = np.random.default_rng(seed)
    means, doubts, chances = rng.random(30), 0.05 + 0.3 * rng.random(30), rng.random(30)
    everything = [np.append(means, 0.5)], np.append(np.square(doubts), 1e-12)
    if isinstance(acquisition, LogExpectedImprovement):
        everything = [means], np.square(doubts)
    mean, variance = everything
    posterior = Posterior(mean, lambda: [variance], lambda: [np.diag(variance)], [0.0], 0.5)
    posterior = replace(posterior, measured=len(variance) - 30)
    z = (means - 0.5) / doubts
    expected = chances * doubts * (norm.pdf(z) + z * norm.cdf(z))
    row = next(acquisition.select(posterior, 1, seed, chances=chances))
    assert expected[row] > 0.9 * expected.max()
    certain = chances * doubts * (norm.pdf(z) + z * norm.cdf(z)) / np.maximum(chances, 1e-12)
    assert next(acquisition.select(posterior, 1, seed)) == np.argmax(certain)


def test_bounds_of_what_may_fail_reach_less_far_from_the_reference() -> None:
    posterior, chances = goals([0.9, 0.05, 0.6]), np.array([0.5, 0.5, 1.0])
    certain, weighed = FRONT.bounds(posterior), FRONT.bounds(posterior, chances)
    np.testing.assert_allclose(weighed[0] - 0.1, (certain[0] - 0.1) / 2)
    np.testing.assert_array_equal(weighed[1:], certain[1:], "what is below it, or surely gives a value, stays")
    np.testing.assert_allclose(UpperBound(1.0).bounds(values([0.8]), np.array([0.5])), 0.4, atol=1e-3)


def test_what_may_fail_is_drawn_towards_the_reference_that_has_moved() -> None:
    """Draws towards the first one would put what may dominate all behind what surely adds nothing."""
    moving, chances = replace(FRONT, moves=True), np.array([0.5, 1.0])
    posterior = replace(goals([0.9, 0.25]), goals=Goals(lambda draws: np.stack(draws, -1), np.full((2, 2), 0.3)))
    corner = np.array(moving.reference_of(posterior.known_goals.paid))
    assert (corner > np.array(FRONT.reference)).all()
    certain, weighed = moving.bounds(posterior), moving.bounds(posterior, chances)
    np.testing.assert_allclose(weighed[0] - corner, (certain[0] - corner) / 2)
    assert moving.order(weighed).tolist() == [0, 1]


# ---- who has them

SEVERAL = KnownObjective(("a", "b"), (unchanged, unchanged), lambda rows: rows.mean(1))
PARETO = replace(SEVERAL, reference=(0.0, 0.0))
FEW = {"proposers": ["mutation", "crossover", "graph_mutation"], "learning": {"loss": "none"}}
LATENT = {"effort": "low", "screen": False, "dimensions": 6}
NAMES = small_molecules(24)

SEARCHES: dict[str, tuple[str, KnownObjective, dict[str, Any]]] = {
    "committee": ("property_loss", SCORE_ALONE, {**FEW, "effort": "low"}),
    "composite": ("property_loss", SEVERAL, FEW),
    "score": ("property_loss", SEVERAL, {**FEW, "surrogate": "score"}),
    "front by composite": ("property_loss", PARETO, {**FEW, "surrogate": "composite"}),
    "front by composite, chebyshev": (
        "property_loss",
        PARETO,
        {**FEW, "surrogate": "composite", "trade_offs": "chebyshev"},
    ),
    "front by latent_bo": ("latent_bo", PARETO, LATENT),
    **{
        f"latent_bo by {name}": ("latent_bo", SCORE_ALONE, {**LATENT, "acquisition": name})
        for name in ("thompson", "qlogei", "qlognei", "ucb")
    },
}


@dataclass
class FailingNitrogen(Feasibility):
    """Knows that molecules with nitrogen fail, and counts how often it is asked."""

    asked: int = 0

    def chances(self) -> Any:
        self.asked += 1
        return lambda names: np.array([0.0 if "n" in name.lower() else 1.0 for name in names])


def search_of(name: str) -> Search:
    """A search that knows some molecules, of which none failed."""
    strategy, objective, settings = SEARCHES[name]
    view = CampaignView(
        seed=0,
        allowed=list,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=tiny_vae,
        load_replay=tiny_corpus,
        objective=objective,
    )
    search = base.build(strategy, base.settings_of(strategy)(**settings), view)
    assert isinstance(search, Search)
    rows = []
    for row, smiles in enumerate(NAMES):
        known = {goal: (1 / (1 + row), row / 24)[k] for k, goal in enumerate(objective.names)}
        results = {goal: Result(value) for goal, value in known.items()}
        score = sum(known.values()) / len(known)
        rows.append(Scored(Evaluation(Candidate(smiles, "start"), results), known, score))
    assert "failures_evidence" not in search.tell(rows)
    return search


def drawn(search: Search, feasibility: Feasibility | None) -> list[str]:
    """The batch that a search chooses if this says which molecules may fail."""
    search.breed = replace(search.breed, feasibility=feasibility)  # type: ignore[type-var]  # either is a dataclass
    return [candidate.smiles for candidate in islice(search.ask(6), 6)]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_pays_for_nothing_that_fails_and_is_the_same_where_nothing_does(name: str) -> None:
    search = search_of(name)
    own = search.breed.feasibility  # type: ignore[attr-defined]  # of either breeding
    assert isinstance(own, Feasibility)
    assert own is search.learners["feasibility"]
    assert drawn(search, own) == drawn(search, None)
    fails = FailingNitrogen()
    assert not any("n" in smiles.lower() for smiles in drawn(search, fails))
    assert fails.asked == 1
    belief = search._fit()
    assert belief is not None
    bred = search.breed(search.archive, belief, 6, Turn(0, 1))
    assert bred is not None
    chances = fails.chances()([bred.pool.names[row] for row in bred.considered])
    assert bred.chances is not None
    np.testing.assert_array_equal(bred.chances, chances)
    assert any("n" in candidate.smiles.lower() for candidate in bred.free), "there was something to avoid"


def test_a_search_that_chooses_nothing_has_none() -> None:
    view = CampaignView(seed=0, allowed=list, standard_forms=list, load_model=tiny_vae, load_replay=tiny_corpus)
    settings = base.settings_of("property_loss")(**FEW, surrogate="none")
    search = base.build("property_loss", settings, view)
    assert isinstance(search, Search)
    assert "feasibility" not in search.learners
