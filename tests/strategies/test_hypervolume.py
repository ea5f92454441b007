"""The choice by expected hypervolume: against exact volumes draw by draw, and what it must find."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from botorch.acquisition.multi_objective import qNoisyExpectedHypervolumeImprovement
from botorch.models import ModelListGP, SingleTaskGP
from botorch.sampling import SobolQMCNormalSampler
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from designloop.pareto import hypervolume
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement, nearness, reaches
from designloop.strategies.archive.archive import Archive, Member, by_front
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.surrogates.base import Goals, Posterior, quiet
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


POINTS = arrays(float, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.floats(0, 1))


@given(POINTS, st.floats(0, 0.5), st.data())
def test_nearness_is_a_share_and_what_is_dominated_has_no_more_of_it(
    points: np.ndarray, reference: float, data: st.DataObject
) -> None:
    lower = points * data.draw(arrays(float, points.shape, elements=st.floats(0, 1)))
    near = nearness(np.vstack([points, lower]), (reference,) * points.shape[1])
    assert ((near >= 0) & (near <= 1)).all()
    assert (near[len(points) :] <= near[: len(points)] + 1e-12).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reference", [(0.0, 0.0), (0.2, 0.1)])
def test_nearness_is_the_mean_share_of_the_reach_in_the_eighth_of_directions_that_suits_best(
    seed: int, reference: tuple[float, float]
) -> None:
    points = np.random.default_rng(seed).uniform(0.05, 1, (15, 2))
    angles = (np.arange(8000) + 0.5) / 8000 * np.pi / 2
    above = np.maximum(points - reference, 0)
    reach = np.minimum(above[:, :1] / np.cos(angles), above[:, 1:] / np.sin(angles))
    shares = np.sort(reach / reach.max(0), axis=1)[:, -1000:].mean(1)
    assert nearness(points, reference) == pytest.approx(0.98 * shares + 0.02 * points.mean(1), abs=0.03)


def test_one_good_goal_is_not_near_and_balance_below_the_front_is() -> None:
    front = [(0.7, 0.7), (0.9, 0.5), (0.5, 0.9)]
    near = dict(zip([*front, lone := (0.9, 0.012), close := (0.65, 0.65)], range(5), strict=True))
    values = nearness(np.array(list(near)), (0.0, 0.0))
    assert values[near[lone]] < 0.5 < 0.8 < values[near[close]] < values[:3].min()


def test_where_nothing_reaches_beyond_the_reference_the_mean_tells_apart() -> None:
    near = nearness(np.array([[0.0, 0.9], [0.4, 0.0], [0.0, 0.0]]), (0.0, 0.0))
    assert near == pytest.approx([0.009, 0.004, 0])
    assert nearness(np.zeros((0, 3)), (0.0, 0.0, 0.0)).shape == (0,)


@pytest.mark.parametrize("seed", range(4))
def test_each_choice_adds_most_to_the_volume_over_the_very_draws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    belief = posterior(rng.random((6, 2)), 0.2 * rng.random((6, 2)), rng.random((3, 2)) * 0.7)
    draws = belief.goal_samples(64, seed)
    front, left = [belief.known_goals.paid] * 64, list(range(6))
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
    np.testing.assert_array_equal(belief.known_goals.paid, KNOWN.desirabilities(VALUES[:100]))
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


def latent_processes(seed: int, noise: float) -> tuple[ModelListGP, torch.Tensor, torch.Tensor, np.ndarray]:
    """Two processes on latents of eight axes, the latents paid for and those of candidates, and what was paid for."""
    generator = torch.Generator().manual_seed(seed)
    paid, new = (torch.randn(n, 8, generator=generator).double() for n in (15, 25))
    angle = paid[:, 0] + 0.3 * paid[:, 1]
    goals = torch.stack([0.5 + 0.4 * torch.sin(angle), 0.5 + 0.4 * torch.cos(angle)], -1)
    goals += noise**0.5 * torch.randn(goals.shape, generator=generator)
    known = torch.full_like(goals[:, :1], noise)
    with quiet():
        processes = [SingleTaskGP(paid, goals[:, k : k + 1], known, outcome_transform=None) for k in range(2)]
    for process in processes:
        process.covar_module.lengthscale = 6.0  # far enough for candidates to differ in what is expected of them
    return ModelListGP(*processes).eval(), paid, new, goals.numpy()


@pytest.mark.parametrize(("seed", "noise"), [(0, 1e-6), (1, 1e-6), (2, 1e-6), (0, 0.02), (1, 0.02)])
def test_on_processes_of_latents_each_choice_is_worth_what_botorchs_is(seed: int, noise: float) -> None:
    """Where measurements are noisy, beside what was measured, as theirs."""
    model, paid, new, goals = latent_processes(seed, noise)
    is_noisy = noise > 1e-6
    with torch.no_grad():
        seen = torch.cat([new, paid]) if is_noisy else new
        parts = [process.posterior(seen).distribution for process in model.models]
    belief = Posterior(
        [part.mean.numpy() for part in parts],
        lambda: [part.variance.numpy() for part in parts],
        lambda: [part.covariance_matrix.numpy() for part in parts],
        [noise] * 2,
        0.0,
        lambda draws: np.mean(draws, 0),
        Goals(lambda draws: np.stack(draws, -1), goals),
        measured=len(paid) if is_noisy else 0,
    )
    rows = list(islice(HypervolumeImprovement((0.0, 0.0), 1.0).select(belief, 3, seed), 3))
    sampler = SobolQMCNormalSampler(torch.Size([128]), seed=0)
    with quiet():
        gain = qNoisyExpectedHypervolumeImprovement(model, [0.0, 0.0], paid, sampler, cache_root=False)
    for place, row in enumerate(rows):
        with torch.no_grad(), quiet():
            gain.set_X_pending(new[rows[:place]] if place else None)
            values = gain(new.unsqueeze(1)).numpy()
        assert values[row] > 0.75 * np.delete(values, rows[:place]).max()


def test_a_reference_by_rule_follows_the_front_upwards() -> None:
    paid = np.array([[0.9, 0.4], [0.5, 0.8], [0.45, 0.3]])
    moving = HypervolumeImprovement((0.0, 0.39), 0.0, moves=True)
    assert moving.reference_of(paid) == pytest.approx((0.46, 0.39))
    assert HypervolumeImprovement((0.0, 0.39), 0.0).reference_of(paid) == (0.0, 0.39)
    means = np.array([[0.95, 0.1], [0.7, 0.7]])
    certain = posterior(means, np.full_like(means, 1e-4), paid)
    assert list(moving.select(certain, 1, 0)) == [1, 0]
