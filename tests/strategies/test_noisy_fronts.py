"""A front where measurements are noisy: it is what is expected of the measured, not what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designloop.pareto import hypervolume
from designloop.strategies.acquisition.goal_votes import FrontVotes
from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import KnownObjective, unchanged
from designloop.strategies.search.elections import Directions, GoalElectorate
from designloop.strategies.search.pool import Turn
from designloop.strategies.surrogates.committees import Committees, CommitteesModel
from designloop.strategies.surrogates.composite import CompositeModel
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import KERNELS
from designloop.strategies.surrogates.views import MoleculeView
from tests.strategies.test_composite import KNOWN, NEW, TRAIN, VALUES

VIEW = MoleculeView(lambda smiles: smiles)
NOISE = 0.15
GOALS = KnownObjective(("a", "b"), (unchanged, unchanged), lambda rows: rows.mean(1), (0.0, 0.0))
NOISY = replace(GOALS, noisy=True)

SMILES = [f"{'C' * length}{end}" for length in range(1, 11) for end in ("O", "N", "Cl")]
TRUE = np.column_stack([np.repeat(np.linspace(0.2, 0.8, 10), 3), np.repeat(np.linspace(0.8, 0.2, 10), 3)])
"""Of chains: the longer, the more of the first goal and the less of the second."""

MEASURED = np.clip(TRUE + NOISE * np.random.default_rng(0).standard_normal(TRUE.shape), 0, 1)


def fitted(objective: KnownObjective) -> CommitteesModel:
    rows = zip(SMILES, MEASURED.mean(1).tolist(), MEASURED.tolist(), strict=True)
    archive = Archive().add([Member(name, "[C]", score, tuple(values)) for name, score, values in rows])
    belief = Committees(VIEW, objective).fit(archive, 0)
    assert belief is not None
    return belief


@pytest.mark.parametrize("noisy", [True, False])
def test_a_process_expects_of_what_it_was_fitted_on_what_it_expects_of_any(noisy: bool) -> None:
    molecules = VIEW.features(SMILES).tolist()
    process = FixedGP.fit(KERNELS["composition"], molecules, MEASURED[:, 0], noisy, np.arange(1, 31))
    np.testing.assert_allclose(process.expected, process(molecules).means[0], atol=1e-5)


def test_noisy_goals_have_the_front_that_is_expected_and_it_is_nearer_to_the_true_one() -> None:
    belief = fitted(NOISY)
    posterior = belief(VIEW.features(SMILES))
    np.testing.assert_allclose(belief.expected, np.clip(np.stack(posterior.means, -1), 0, 1), atol=1e-4)
    assert posterior.known_goals.paid is belief.expected
    np.testing.assert_allclose(belief.desirable, MEASURED)
    volumes = [hypervolume(points, (0.0, 0.0)) for points in (belief.expected, MEASURED, TRUE)]
    assert abs(volumes[0] - volumes[2]) < 0.5 * abs(volumes[1] - volumes[2])


def test_goals_without_noise_have_the_front_that_was_measured() -> None:
    belief = fitted(GOALS)
    assert belief.expected is belief.desirable
    assert belief(VIEW.features(SMILES[:3])).known_goals.paid is belief.desirable


def test_voters_seek_what_a_lucky_measurement_would_hide() -> None:
    """Directions are drawn, and gains are counted, by the expected front."""
    front, turn = HypervolumeImprovement((0.0, 0.0), 1.0), Turn(0, 1)
    lucky = fitted(NOISY)
    election = GoalElectorate(Directions(front))(lucky, 3, turn)
    by_expected = Directions(front).draw(lucky.expected, 3, turn)
    along = [worth.along.tolist() for worth in election.drawn]  # type: ignore[attr-defined]  # directions
    assert along == [worth.along.tolist() for worth in by_expected]  # type: ignore[attr-defined]
    voters, acquisition, _ = election.voters(np.random.default_rng(0), 3)
    assert isinstance(acquisition, FrontVotes)
    posterior = lucky(VIEW.features(SMILES))
    gains = []
    for paid in (lucky.expected, MEASURED):
        goals = replace(posterior.known_goals, paid=paid)
        row = next(acquisition.select(replace(posterior, goals=goals), 1, 0))
        point = voters[0].goal_bounds(lambda number: posterior.members[number].moments())[row]
        gains.append(hypervolume(np.vstack([paid, point]), (0.0, 0.0)) - hypervolume(paid, (0.0, 0.0)))
    assert gains[0] > gains[1]


def test_the_composites_front_is_the_expected_one_where_values_are_noisy() -> None:
    values = VALUES[:100] + np.random.default_rng(0).standard_normal((100, 2))
    noisy = CompositeModel.fit(TRAIN, values, replace(KNOWN, noisy=True))
    exact = CompositeModel.fit(TRAIN, values, KNOWN)
    np.testing.assert_array_equal(exact(NEW).known_goals.paid, KNOWN.desirabilities(values))
    np.testing.assert_array_equal(noisy(NEW).known_goals.paid, exact(TRAIN).goal_moments()[0])
    assert np.abs(noisy.paid - exact.paid).max() > 1e-3
