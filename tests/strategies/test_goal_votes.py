"""Votes on several goals: each voter's ranking against a direct computation, the batch against exact hypervolumes."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.pareto import hypervolume
from designloop.strategies.acquisition.goal_votes import FrontVotes, GoalVoter
from designloop.strategies.acquisition.hypervolume import (
    Direction,
    HypervolumeImprovement,
    directions_of,
    draw_directions,
    reaches,
)
from designloop.strategies.acquisition.votes import Votes
from designloop.strategies.surrogates.base import Goals, Posterior
from designloop.strategies.surrogates.committee import CommitteePosterior

FRONT = HypervolumeImprovement((0.0, 0.0), 0.0)


def process(mean: np.ndarray, doubt: np.ndarray) -> Posterior:
    """Independent values (m,)."""
    variance = np.square(doubt)
    return Posterior([mean], lambda: [variance], lambda: [np.diag(variance)], [1e-6], 0.0)


def committees(means: np.ndarray, doubts: np.ndarray, paid: np.ndarray) -> CommitteePosterior:
    """Of (members, m) means and doubts: the first half foresees the first goal, the other half the second."""
    members = [process(mean, doubt) for mean, doubt in zip(means, doubts, strict=True)]
    return CommitteePosterior(
        [means[0], means[-1]],
        lambda: [np.square(doubts[0]), np.square(doubts[-1])],
        lambda: [np.diag(np.square(doubts[0])), np.diag(np.square(doubts[-1]))],
        [1e-6, 1e-6],
        0.0,
        goals=Goals(lambda draws: np.stack(draws, -1), paid),
        members=members,
        shares=np.full(len(members), 1 / len(members)),
    )


def voters(rng: np.random.Generator, n: int, kappa: float = 0.5) -> list[GoalVoter]:
    members = zip(rng.integers(2, size=n).tolist(), (2 + rng.integers(2, size=n)).tolist(), strict=True)
    directions = draw_directions(rng, n, NOTHING, (0.0, 0.0))
    return [GoalVoter(pair, kappa, direction) for pair, direction in zip(members, directions, strict=True)]


NOTHING = np.zeros((0, 2))


@given(st.integers(1, 40), st.integers(0, 10_000))
def test_directions_are_spread_by_what_is_missing_in_each(n: int, seed: int) -> None:
    paid = np.random.default_rng(seed).random((3, 2))
    drawn = draw_directions(np.random.default_rng(seed), n, paid, (0.0, 0.0))
    assert len(drawn) == n
    even = directions_of(2)
    missing = reaches(np.ones(2), (0.0, 0.0)) - reaches(paid, (0.0, 0.0)).max(0)
    for goal in range(2):
        first = np.array([float(direction.along[goal] > 0.7) for direction in drawn]).mean()
        assert abs(first - missing[even[:, goal] > 0.7].sum() / missing.sum()) < 1 / n + 0.01


def test_what_is_reached_is_hardly_sought_again() -> None:
    paid = np.array([[1.0, 0.3]])
    drawn = draw_directions(np.random.default_rng(0), 200, paid, (0.0, 0.0))
    assert np.mean([direction.along[1] / direction.along[0] < 0.3 for direction in drawn]) < 0.01
    reached = draw_directions(np.random.default_rng(0), 200, np.ones((1, 2)), (0.0, 0.0))
    assert len({direction.along[0] for direction in reached}) == 64


@pytest.mark.parametrize("goals", [2, 3, 5])
def test_a_direction_ranks_by_how_far_points_reach_in_it(goals: int) -> None:
    rng = np.random.default_rng(goals)
    reference = tuple((0.2 * rng.random(goals)).tolist())
    points = np.array(reference) + rng.random((30, goals)) * (1 - np.array(reference))
    for direction in draw_directions(rng, 10, points[:0], reference):
        assert np.linalg.norm(direction.along) == pytest.approx(1.0)
        for point, value in zip(points, direction(points), strict=True):
            above = point - reference
            assert value == pytest.approx(min(above / direction.along) + 0.02 * sum(above))


def test_points_of_a_front_are_each_the_best_of_some_direction() -> None:
    angles = np.linspace(0.1, 1.4, 12)
    points = np.column_stack([np.cos(angles), np.sin(angles)])
    all_of_them = np.vstack([points, 0.9 * points[::-1]])
    directions = draw_directions(np.random.default_rng(0), 200, NOTHING, (0.0, 0.0))
    assert {int(np.argmax(direction(all_of_them))) for direction in directions} == set(range(12))


def test_a_voter_ranks_by_its_trade_off_of_its_own_surrogates_bounds() -> None:
    rng = np.random.default_rng(0)
    means, doubts = rng.random((4, 9)), 0.3 * rng.random((4, 9))
    voter = GoalVoter((1, 2), 0.7, Direction(np.array([0.6, 0.8]), (0.0, 0.1)))
    bounds = voter.bounds(lambda number: (means[number], doubts[number]))
    for row in range(9):
        first, second = (means[member, row] + 0.7 * doubts[member, row] for member in (1, 2))
        first = min(first, 1) + 1e-6 * max(first - 1, 0)
        second = min(second, 1) + 1e-6 * max(second - 1, 0) - 0.1
        expected = min(first / 0.6, second / 0.8) + 0.02 * (first + second)
        assert bounds[row] == pytest.approx(expected, rel=1e-9)


def test_of_what_may_be_the_best_there_is_the_one_that_may_be_so_most_is_first() -> None:
    """Where doubt is wide many bounds reach 1 in every goal."""
    means = np.array([[0.5, 0.9, 0.2, 0.7], [0.6, 0.8, 0.9, 0.7]])
    voter = GoalVoter((0, 1), 1.0, Direction(np.array([0.6, 0.8]), (0.0, 0.0)))
    for value, first in ((voter.worth, int(np.argmax(means[1]))), (lambda points: points.prod(-1), 1)):
        bounds = GoalVoter(voter.members, 1.0, value).bounds(lambda number: (means[number], np.full(4, 0.9)))
        assert np.ptp(bounds) < 1e-5
        assert np.argmax(bounds) == first
    assert (voter.goal_bounds(lambda number: (means[number] - 2, np.full(4, 0.9))) == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_each_choice_is_what_its_voter_thinks_adds_most_to_the_hypervolume(seed: int) -> None:
    rng = np.random.default_rng(seed)
    means, doubts, paid = rng.random((4, 12)), 0.2 * rng.random((4, 12)), 0.6 * rng.random((4, 2))
    own = voters(rng, 5)
    chosen = islice(FrontVotes(own, FRONT).select(committees(means, doubts, paid), 5, 0), 5)
    front, left = paid, set(range(12))
    for voter, row in zip(own, chosen, strict=False):
        mean = means[list(voter.members)].T
        bounds = np.clip(mean + voter.kappa * doubts[list(voter.members)].T, 0, 1)
        volumes = {other: hypervolume(np.vstack([front, bounds[other]]), (0, 0)) for other in left}
        assert volumes[row] > max(volumes.values()) - 2e-3
        front, left = np.vstack([front, mean[row]]), left - {row}


def test_what_may_not_be_paid_for_changes_nothing_and_all_the_others_follow() -> None:
    rng = np.random.default_rng(1)
    means, doubts = rng.random((4, 10)), 0.2 * rng.random((4, 10))
    own, paid = voters(rng, 3), NOTHING
    kept = [row for row in range(10) if row not in (2, 7)]
    some = list(FrontVotes(own, FRONT).select(committees(means, doubts, paid), 3, 0, lambda row: row in kept))
    without = list(FrontVotes(own, FRONT).select(committees(means[:, kept], doubts[:, kept], paid), 3, 0))
    assert some == [kept[row] for row in without]
    assert sorted(some) == kept


def test_voters_that_expect_no_gain_go_by_their_trade_offs() -> None:
    rng = np.random.default_rng(2)
    means, nothing, own = 0.5 * rng.random((4, 10)), np.full((4, 10), 1e-6), voters(rng, 4)
    posterior = committees(means, nothing, np.ones((1, 2)))
    assert list(FrontVotes(own, FRONT).select(posterior, 4, 0)) == list(Votes(own).select(posterior, 4, 0))


def test_what_may_fail_is_worth_less_by_its_chance() -> None:
    means = np.array([[0.6, 0.61], [0.6, 0.61], [0.6, 0.61], [0.6, 0.61]])
    own, posterior = voters(np.random.default_rng(3), 1, kappa=0.0), committees(means, np.full((4, 2), 1e-6), NOTHING)
    assert next(FrontVotes(own, FRONT).select(posterior, 1, 0)) == 1
    assert next(FrontVotes(own, FRONT).select(posterior, 1, 0, chances=np.array([0.9, 0.5]))) == 0
