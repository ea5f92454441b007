"""The choice by expected hypervolume: against exact volumes draw by draw, and what it must find."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from designloop.pareto import hypervolume
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement, reaches
from designloop.strategies.archive.archive import Archive, Member, by_front
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.surrogates.base import Goals, Posterior
from designloop.strategies.surrogates.composite import CompositeModel
from tests.strategies.test_composite import KNOWN, NEW, TRAIN, VALUES


def posterior(means: np.ndarray, doubts: np.ndarray, paid: np.ndarray) -> Posterior:
    """Independent desirabilities (m, goals), unbent."""
    variances = list(np.square(doubts).T)
    return Posterior(
        list(means.T),
        lambda: variances,
        lambda: [np.diag(v) for v in variances],
        [1e-6] * means.shape[1],
        0.0,
        lambda draws: np.mean(draws, 0),
        Goals(lambda draws: np.clip(np.stack(draws, -1), 0, 1), paid),
    )


@pytest.mark.parametrize("goals", [2, 3, 4])
def test_a_mean_over_directions_is_the_hypervolume(goals: int) -> None:
    points = np.random.default_rng(goals).random((20, goals))
    reference = tuple(np.linspace(0.0, 0.2, goals).tolist())
    volume = reaches(points, reference).max(0).mean()
    assert volume == pytest.approx(hypervolume(points, reference), rel=0.015)


@pytest.mark.parametrize("seed", range(4))
def test_each_choice_adds_most_to_the_volume_over_the_very_draws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    belief = posterior(rng.random((6, 2)), 0.2 * rng.random((6, 2)), rng.random((3, 2)) * 0.7)
    draws = belief.goal_samples(64, seed)
    front, left = [belief.goals_paid()] * 64, list(range(6))
    for row in islice(HypervolumeImprovement((0.0, 0.0), 1.0).select(belief, 3, seed), 3):
        volumes = {
            other: np.mean([hypervolume(np.vstack([f, d[other]]), (0, 0)) for f, d in zip(front, draws, strict=True)])
            for other in left
        }
        assert volumes[row] > max(volumes.values()) - 2e-3
        front = [np.vstack([f, d[row]]) for f, d in zip(front, draws, strict=True)]
        left.remove(row)


def test_a_batch_fills_the_gaps_of_the_front_and_not_one_place_twice() -> None:
    paid = np.array([[0.9, 0.1], [0.1, 0.9]])
    means = np.array([[0.6, 0.6], [0.6, 0.59], [0.59, 0.6], [0.8, 0.35], [0.05, 0.05]])
    certain = posterior(means, np.full_like(means, 1e-4), paid)
    rows = list(HypervolumeImprovement((0.0, 0.0), 0.0).select(certain, 2, 0))
    assert rows[0] == 0
    assert rows[1] == 3
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert rows[-1] == 4


def test_what_may_not_be_paid_for_changes_nothing() -> None:
    paid = np.array([[0.9, 0.1], [0.1, 0.9]])
    means = np.array([[0.6, 0.6], [0.55, 0.55], [0.8, 0.35]])
    certain = posterior(means, np.full_like(means, 1e-4), paid)
    rows = list(HypervolumeImprovement((0.0, 0.0), 0.0).select(certain, 2, 0, lambda row: row != 0))
    assert rows == [1, 2]


def test_nothing_below_the_reference_is_worth_a_call_before_what_is_above() -> None:
    means = np.array([[0.99, 0.2], [0.5, 0.4]])
    certain = posterior(means, np.full_like(means, 1e-4), np.zeros((0, 2)))
    assert next(HypervolumeImprovement((0.3, 0.3), 0.0).select(certain, 1, 0)) == 1
    assert next(HypervolumeImprovement((0.0, 0.0), 0.0).select(certain, 1, 0)) == 1


def test_a_posterior_of_one_value_has_no_goals() -> None:
    one = Posterior([np.zeros(2)], lambda: [np.ones(2)], lambda: [np.eye(2)], [0.1], 0.0)
    with pytest.raises(ValueError, match="expected one of several goals"):
        one.goal_samples(4, 0)


def test_a_composites_goals_are_its_score_taken_apart() -> None:
    belief = CompositeModel.fit(TRAIN, VALUES[:100], KNOWN)(NEW)
    apart = belief.goal_samples(16, 3)
    np.testing.assert_allclose(KNOWN.aggregate(apart.reshape(-1, 2)).reshape(16, -1), belief.samples(16, 3))
    np.testing.assert_array_equal(belief.goals_paid(), KNOWN.desirabilities(VALUES[:100]))
    mean, doubt = belief.goal_moments()
    many = belief.goal_samples(2048, 5)
    assert np.abs(mean - many.mean(0)).max() < 0.06
    assert np.corrcoef(doubt.ravel(), many.std(0).ravel())[0, 1] > 0.9


def test_an_archive_keeps_its_front_and_begins_with_it() -> None:
    def member(number: int, values: tuple[float, float]) -> Member:
        return Member("C" * (number + 1), "[C]" * (number + 1), sum(values) / 2, values)

    middle = [member(number, (0.5, 0.5 + 0.001 * number)) for number in range(20)]
    ends = [member(30, (0.9, 0.05)), member(31, (0.0, 0.8))]
    later = [member(40 + number, (0.4, 0.4)) for number in range(4)]
    by_goals = Archive(limit=8, standing=by_front(lambda values: values)).add(ends).add(middle).add(later)
    assert {m.smiles for m in ends} <= set(by_goals.smiles)
    assert {m.smiles for m in by_goals.best(3, 100)} == {ends[0].smiles, ends[1].smiles, middle[-1].smiles}
    assert not {m.smiles for m in ends} & set(Archive(limit=8).add(ends).add(middle).add(later).smiles)
    assert SCORE_ALONE.reference is None
