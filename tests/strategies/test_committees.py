"""A committee a property: against one committee of that property alone, and who is trusted with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem

from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.count_prints import Bank, prints_of
from designloop.molecules.whole_numbers import numbers_of
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.acquisition.goal_votes import FrontVotes
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement
from designloop.strategies.acquisition.votes import FITTED, Votes
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import SCORE_ALONE, KnownObjective, unchanged
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.elections import (
    Directions,
    GoalElectorate,
    KnownWorth,
    RoundsChebyshev,
    ScoreElectorate,
    TradeOffs,
)
from designloop.strategies.search.pool import Pool, Turn
from designloop.strategies.search.screen import ZincScreen
from designloop.strategies.search.voting import Stock
from designloop.strategies.surrogates.base import Belief
from designloop.strategies.surrogates.committee import Committee, CommitteePosterior
from designloop.strategies.surrogates.committees import NARROWED, Committees, CommitteesModel
from designloop.strategies.surrogates.kernels import KERNELS
from designloop.strategies.surrogates.noise import LEAST
from designloop.strategies.surrogates.pending import given_pending
from designloop.strategies.surrogates.views import MoleculeView

VIEW = MoleculeView(lambda smiles: smiles)
SMILES = held_out_smiles()[1000:1060]
CARBONS = np.array([numbers_of(Chem.MolFromSmiles(text))[1] for text in SMILES])
LIKE = KERNELS["ecfp6"].to(VIEW.features(SMILES[:40:4]).tolist())(VIEW.features(SMILES).tolist()).mean(1)
VALUES = np.column_stack([CARBONS, LIKE]).astype(float)
KNOWN = KnownObjective(
    ("carbons", "like"), (lambda values: values / 40, unchanged), lambda rows: rows.mean(1), (0.0, 0.0)
)
FRONT = HypervolumeImprovement((0.0, 0.0), 1.0)


def archive(n: int = 40) -> Archive:
    scores = KNOWN.aggregate(KNOWN.desirabilities(VALUES[:n])).tolist()
    rows = zip(SMILES, scores, VALUES.tolist(), strict=False)
    return Archive().add([Member(name, "[C]", score, tuple(values)) for name, score, values in rows])


def alone_with(goal: int) -> Archive:
    """The molecules with the desirability of one property as their score."""
    values = KNOWN.desirabilities(VALUES[:40])[:, goal].tolist()
    return Archive().add([Member(name, "[C]", value, (value,)) for name, value in zip(SMILES, values, strict=False)])


def fitted(n: int = 40) -> CommitteesModel:
    belief = Committees(VIEW, KNOWN).fit(archive(n), 0)
    assert belief is not None
    return belief


def test_each_property_is_foreseen_as_a_committee_of_it_alone_would() -> None:
    belief, desirable = fitted(), KNOWN.desirabilities(VALUES[:40])
    posterior, shown = belief(VIEW.features(SMILES[40:])), belief.shown(VIEW.features(SMILES[40:]))
    for goal in range(2):
        alone = Committee(VIEW, SCORE_ALONE).fit(alone_with(goal), 0)
        assert alone is not None
        own, narrowed = alone(VIEW.features(SMILES[40:])), alone.narrowed(NARROWED, VIEW.features(SMILES[40:]))
        np.testing.assert_allclose(shown.variances()[goal], narrowed.variances()[0])
        np.testing.assert_allclose(posterior.means[goal], own.means[0])
        np.testing.assert_allclose(posterior.variances()[goal], own.variances()[0])
        np.testing.assert_allclose(posterior.covariances()[goal], own.covariances()[0])
        np.testing.assert_array_equal(belief.paid(4 * goal + 3), desirable[:, goal])
    np.testing.assert_allclose(
        posterior.samples(8, 1), KNOWN.aggregate(posterior.goal_samples(8, 1).reshape(-1, 2)).reshape(8, -1)
    )
    assert posterior.best == pytest.approx(archive().scores.max())


def test_what_is_shown_of_each_property_is_in_its_own_unit() -> None:
    moments = fitted().property_moments(VIEW.features(SMILES[40:]))
    assert list(moments) == ["carbons", "like"]
    assert np.corrcoef(moments["carbons"][0], CARBONS[40:])[0, 1] > 0.8
    assert abs(moments["carbons"][0].mean() - CARBONS[40:].mean()) < 3


def told(belief: Belief | None, names: Sequence[str]) -> ToldRound:
    """A round of the last 20 molecules, whose score is the mean of these properties' desirabilities."""
    rows = []
    for name, values in zip(SMILES[40:], VALUES[40:], strict=True):
        results = {key: Result(float(value)) for key, value in zip(KNOWN.names, values, strict=True)}
        desirable = dict(zip(KNOWN.names, KNOWN.desirabilities(values[None])[0].tolist(), strict=True))
        score = float(np.mean([desirable[key] for key in names]))
        rows.append(Scored(Evaluation(Candidate(name, "prior"), results), desirable, score))
    return ToldRound(2, rows, rows, Archive(), Archive(), belief)


def test_members_are_trusted_with_a_property_as_if_it_were_the_score_and_so_after_a_restart() -> None:
    own = Committees(VIEW, KNOWN)
    metrics = own.learn(told(own.fit(archive(), 0), KNOWN.names))
    for goal, name in enumerate(KNOWN.names):
        alone = Committee(VIEW, SCORE_ALONE)
        shares = alone.learn(told(alone.fit(alone_with(goal), 0), [name]))
        assert {f"{key}_{name}": share for key, share in shares.items()}.items() <= metrics.items()
    numbers = ("composition", "pairs")  # which see how many carbons there are
    assert sum(metrics[f"surrogate_share_{name}_carbons"] for name in numbers) > 0.7
    again = Committees(VIEW, KNOWN, own.state())
    assert again.learn(told(None, KNOWN.names)) == metrics
    assert again.state() == own.state()


@pytest.mark.parametrize(("noisy", "width"), [(False, NARROWED), (True, 1.0)])
def test_a_part_of_the_wide_doubt_is_shown_and_choices_go_by_all_of_it(noisy: bool, width: float) -> None:
    belief, features = Committees(VIEW, replace(KNOWN, noisy=noisy)).fit(archive(), 0), VIEW.features(SMILES[40:])
    assert belief is not None
    posterior = belief.shown(features)
    for goal, committee in enumerate(belief.parts):
        moments = np.array([member(features.tolist()).moments() for member in committee.members])
        shares, means, variances = committee.shares, moments[:, 0], np.square(moments[:, 1])
        apart = np.square(means - shares @ means)
        np.testing.assert_allclose(posterior.variances()[goal], shares @ (width**2 * variances + apart))
        diagonal = np.diagonal(posterior.covariances()[goal])
        np.testing.assert_allclose(diagonal, posterior.variances()[goal], atol=1e-6)
        np.testing.assert_allclose(belief(features).variances()[goal], shares @ (variances + apart))
    own = [member(features.tolist()) for member in belief.members]
    for one, other in zip(posterior.members, own, strict=True):
        np.testing.assert_allclose(one.moments(), other.moments())


def test_a_score_of_properties_near_their_best_is_not_drawn_to_the_middle() -> None:
    """A desirability ends at 1: a wide doubt that is cut off there has its mean below what is expected."""
    good = np.array([[39.0, 0.95], [37.0, 0.97]])
    known = [Member(name, "[C]", 0.95, tuple(good[row % 2].tolist())) for row, name in enumerate(SMILES[:40])]
    belief, features = Committees(VIEW, KNOWN).fit(Archive().add(known), 0), VIEW.features(SMILES[40:])
    assert belief is not None
    drawn = []
    for width in (1.0, belief.width):
        posterior = replace(belief, width=width).shown(features)
        drawn.append(np.mean(posterior.means, axis=0) - posterior.moments()[0])
    assert (drawn[0] > 0).all()
    assert drawn[0].mean() > 4 * np.abs(drawn[1]).mean()


def test_too_few_molecules_are_no_belief() -> None:
    assert Committees(VIEW, KNOWN).fit(Archive(), 0) is None
    assert Committees(VIEW, KNOWN).fit(archive(9), 0) is None
    assert Committees(VIEW, KNOWN).fit(archive(10), 0) is not None


def test_members_are_drawn_by_the_shares_of_each_property() -> None:
    own = Committees(VIEW, KNOWN)
    own.learn(told(own.fit(archive(), 0), KNOWN.names))
    belief = own.fit(archive(), 0)
    assert belief is not None
    drawn = np.array(belief.draw_members(np.random.default_rng(0), 4000))
    for goal, part in enumerate(belief.parts):
        counts = np.bincount(drawn[:, goal] - 4 * goal, minlength=4) / 4000
        np.testing.assert_allclose(counts, part.shares, atol=0.03)


def test_a_stock_ranks_what_was_paid_for_by_what_it_is_worth_to_a_voter() -> None:
    belief = fitted()
    election = GoalElectorate(Directions(FRONT))(belief, 6, Turn(1, 2))
    stock = Stock(Pool(VIEW), archive(), belief)
    stock.add([Candidate(name, "screen") for name in SMILES[40:]])
    for voter in election.voters(np.random.default_rng(0), 6)[0]:
        moments = [belief.members[number](VIEW.features(SMILES[40:]).tolist()).moments() for number in voter.members]
        unpaid = np.stack([mean + voter.kappa * doubt for mean, doubt in moments], -1)
        bounds = np.clip(np.vstack([KNOWN.desirabilities(VALUES[:40]), unpaid]), 0, 1)
        np.testing.assert_array_equal(stock.ranking(voter), np.argsort(-voter.worth(bounds), kind="stable"))


@pytest.mark.parametrize(
    ("trade_offs", "worths", "choice"),
    [
        (KnownWorth(lambda rows: rows.prod(1)), 1, Votes),
        (RoundsChebyshev(), 1, Votes),
        (Directions(FRONT), 6, FrontVotes),
    ],
)
def test_voters_share_a_trade_off_or_have_their_own(
    trade_offs: TradeOffs, worths: int, choice: type[Votes | FrontVotes]
) -> None:
    electorate = GoalElectorate(trade_offs, FITTED)
    election = electorate(fitted(), 6, Turn(1, 2))
    voters, chosen_by, own_belief = election.voters(np.random.default_rng(0), 6)
    assert own_belief is None  # members of all goals are asked
    assert isinstance(chosen_by, choice)
    assert len(election.worths) == len({id(voter.worth) for voter in voters}) == worths
    assert all(FITTED[0] <= voter.kappa <= FITTED[1] for voter in voters)
    points = np.random.default_rng(0).random((20, 2))
    again, later = (electorate(fitted(), 6, turn).drawn[0](points) for turn in (Turn(1, 2), Turn(1, 3)))
    np.testing.assert_array_equal(again, election.drawn[0](points))
    assert (later == again).all() == isinstance(trade_offs, KnownWorth)


def test_what_is_under_way_is_no_gap_any_more_for_any_voter() -> None:
    belief, features = fitted(), VIEW.features(SMILES[40:])
    before, given = belief(features), given_pending(belief, features, VIEW.features(SMILES[40:41]))
    assert isinstance(given, CommitteePosterior)
    for own, then in zip((before, *before.members), (given, *given.members), strict=True):
        assert len(then) == len(own) == 20
        for goal in range(len(own.means)):
            np.testing.assert_array_equal(then.means[goal], own.means[goal])
            assert (then.variances()[goal] <= own.variances()[goal] + 1e-5).all()  # single precision
            if own is not before:  # whose members differ in their means as before
                assert then.variances()[goal][0] < max(0.05 * own.variances()[goal][0], LEAST)
    np.testing.assert_array_equal(given.known_goals.paid[:-1], belief.desirable)
    expected = [min(max(float(mean[0]), 0), 1) for mean in before.means]
    np.testing.assert_allclose(given.known_goals.paid[-1], expected, atol=1e-6)


def test_the_screen_has_the_best_of_zinc_in_every_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    smiles = tuple(held_out_smiles()[2000:2300])
    bank = Bank(smiles, prints_of(smiles))
    monkeypatch.setattr("designloop.strategies.search.screen.zinc_bank", lambda size: bank)
    election = GoalElectorate(Directions(FRONT))(fitted(), 4, Turn(1, 2))
    screen = ZincScreen(fresh=3, best=20)
    proposed = screen.propose(election.processes, election.worths, np.random.default_rng(0))
    means = np.stack([screen.means(bank, process) for process in election.processes], -1)
    orders = [np.argsort(-worth(means), kind="stable")[:5] for worth in election.worths]
    assert {smiles[row] for order in orders for row in order} <= {candidate.smiles for candidate in proposed[:20]}
    assert 20 < len(proposed) <= 23


def test_the_screen_of_one_score_has_its_best() -> None:
    belief = Committee(VIEW, SCORE_ALONE).fit(
        Archive().add(
            [Member(name, "[C]", value, (value,)) for name, value in zip(SMILES, LIKE.tolist(), strict=True)]
        ),
        0,
    )
    assert belief is not None
    election = ScoreElectorate()(belief, 3, Turn(1, 1))
    assert election.processes == [belief.processes["ecfp6"]]
    points = np.random.default_rng(0).random((5, 1))
    np.testing.assert_array_equal(election.worths[0](points), points[:, 0])
