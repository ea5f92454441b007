"""The composite surrogate against many draws, its own definition of a batch, and what it is there to do better."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from designloop.loop.scoring.objective import Objective, Property
from designloop.loop.scoring.transforms import TRANSFORMS
from designloop.molecules import corpus
from designloop.molecules.chemistry import parse_all
from designloop.strategies.acquisition.base import Admissible, anything
from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
from designloop.strategies.acquisition.thompson import Thompson
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import SCORE_ALONE, KnownObjective, unchanged
from designloop.strategies.surrogates.base import Posterior, even_draws
from designloop.strategies.surrogates.composite import CompositeModel, CompositeSurrogate, cut
from designloop.strategies.surrogates.fingerprint_gp import FingerprintGP, Kernels, count_features, mean_square
from designloop.strategies.surrogates.views import FingerprintView

SMILES = [corpus.zinc()[row] for row in range(0, 6000, 40)]
BITS = count_features(SMILES)
TRAIN, NEW = BITS[:100], BITS[100:]
MOLS = [mol for mol in parse_all(SMILES) if mol is not None]
HEAVY = np.array([mol.GetNumHeavyAtoms() for mol in MOLS]).astype(np.float64)
RINGS = np.array([mol.GetRingInfo().NumRings() for mol in MOLS]).astype(np.float64)
VALUES = np.column_stack([HEAVY, RINGS])


def bump(centre: float, width: float):
    return lambda values: np.exp(-np.square((values - centre) / width))


KNOWN = KnownObjective(("heavy", "rings"), (bump(26.0, 3.0), bump(2.0, 1.0)), lambda d: np.sqrt(np.prod(d, axis=1)))


def scores_of(values: np.ndarray) -> np.ndarray:
    return KNOWN.aggregate(np.column_stack([t(values[:, k]) for k, t in enumerate(KNOWN.transforms)]))


def fitted() -> CompositeModel:
    return CompositeModel.fit(TRAIN, VALUES[:100], KNOWN)


def chosen(model: CompositeModel, new: np.ndarray, kappa: float = 2.0, admissible: Admissible = anything) -> list[int]:
    return list(UpperBound(kappa).select(model(new), 10, 0, admissible))


def kernels(linear_scale: float) -> tuple[Kernels, Kernels]:
    return Kernels.between(NEW, TRAIN, linear_scale), Kernels.between(NEW, NEW, linear_scale)


def test_one_property_unchanged_has_its_gps_own_posterior() -> None:
    scores = 0.5 + 0.001 * (HEAVY - HEAVY.mean())  # nothing near 0 or 1, where it would be brought in
    surrogate = CompositeModel.fit(TRAIN, scores[:100, None], SCORE_ALONE)
    linear_scale = mean_square(TRAIN)
    centre, scale = scores[:100].mean(), scores[:100].std()
    gp = FingerprintGP.fit(Kernels.between(TRAIN, TRAIN, linear_scale), (scores[:100, None] - centre) / scale)[0]
    k_test_train, k_test = Kernels.between(NEW, TRAIN, linear_scale), Kernels.between(NEW, NEW, linear_scale)
    mean, doubt = surrogate(NEW).moments()
    np.testing.assert_allclose(mean, centre + scale * gp.predict(k_test_train), atol=1e-9)
    np.testing.assert_allclose(doubt, scale * np.sqrt(np.diagonal(gp.covariance(k_test_train, k_test))), rtol=1e-5)
    np.testing.assert_allclose(UpperBound(1.5).bounds(surrogate(NEW)), mean + 1.5 * doubt)


def test_expectation_and_doubt_are_those_of_many_draws() -> None:
    surrogate = fitted()
    linear_scale = surrogate.linear_scale
    k_test_train, k_test = Kernels.between(NEW, TRAIN, linear_scale), Kernels.between(NEW, NEW, linear_scale)
    rng, drawn = np.random.default_rng(1), []
    for part in surrogate.properties:
        mean, doubt = (
            part.gp.predict(k_test_train),
            np.sqrt(np.maximum(np.diagonal(part.gp.covariance(k_test_train, k_test)), 0)),
        )
        values = part.centre + part.scale * (mean + doubt * rng.standard_normal((4000, len(NEW))))
        drawn.append(part.to_desirability(values))
    scores = KNOWN.aggregate(np.stack(drawn, -1).reshape(-1, 2)).reshape(4000, -1)
    mean, doubt = surrogate(NEW).moments()
    assert np.abs(mean - scores.mean(0)).max() < 0.05
    assert np.corrcoef(doubt, scores.std(0))[0, 1] > 0.9


def test_the_known_objective_foresees_what_one_gp_of_the_score_does_not() -> None:
    true = scores_of(VALUES)
    alone = CompositeModel.fit(TRAIN, true[:100, None], SCORE_ALONE)
    ours, theirs = (spearmanr(model(NEW).moments()[0], true[100:]).statistic for model in (fitted(), alone))
    assert ours > theirs + 0.1


def test_a_value_spread_over_decades_is_learned_bent() -> None:
    """An IC50 in nM: its logarithm is what adds up, and the transform says so."""
    per_decade = KnownObjective(
        ("ic50",), (lambda v: np.clip((np.log10(np.maximum(v, 1)) - 2) / 6, 0, 1),), lambda d: d[:, 0]
    )
    bent = CompositeModel.fit(TRAIN, 10.0 ** (HEAVY[:100, None] / 5), per_decade)
    assert bent.properties[0].to_desirability is unchanged
    assert fitted().properties[0].to_desirability is KNOWN.transforms[0]


def test_one_value_gone_wrong_does_not_hide_the_others() -> None:
    values = np.column_stack([HEAVY, np.zeros(len(HEAVY))])
    values[3] = 1e9, 1.0
    kept = cut(values)
    np.testing.assert_array_equal(np.delete(kept, 3, 0), np.delete(values, 3, 0))
    assert HEAVY.max() <= kept[3, 0] < 100
    assert kept[3, 1] == 1.0, "a column that is mostly one value has no spread to measure by"


def test_choices_begin_at_the_highest_bound_and_spread() -> None:
    surrogate = fitted()
    order = chosen(surrogate, NEW)
    assert sorted(order) == list(range(len(NEW)))
    assert order[0] == int(np.argmax(UpperBound(2.0).bounds(surrogate(NEW))))
    # A twin of the first pick is as promising, but less is left to be learned of it.
    twins = np.concatenate([NEW, NEW[order[0]][None]])
    spread = chosen(surrogate, twins)
    assert {spread[0], len(NEW)} & {order[0], len(NEW)}
    second = order[0] if spread[0] == len(NEW) else len(NEW)
    assert spread.index(second) > 1


def test_choices_are_those_of_a_gp_that_is_told_what_it_expects() -> None:
    """Every bound taken anew after each pick, from covariances that are conditioned on it."""
    surrogate, kappa = fitted(), 2.0
    posterior = surrogate(NEW)
    k_test_train, k_test = kernels(surrogate.linear_scale)
    means = [part.gp.predict(k_test_train) for part in surrogate.properties]
    covariances = [part.gp.covariance(k_test_train, k_test) for part in surrogate.properties]
    wanted: list[int] = []
    for _ in range(20):
        mean, doubt = posterior.moments_of(means, [np.diagonal(matrix) for matrix in covariances])
        bounds = mean + kappa * doubt
        bounds[wanted] = -np.inf
        wanted.append(int(np.argmax(bounds)))
        for part, covariance in zip(surrogate.properties, covariances, strict=True):
            column = covariance[:, wanted[-1]].copy()
            covariance -= np.outer(column, column) / (column[wanted[-1]] + (part.gp.noise + 1e-8) * part.gp.variance)
    assert chosen(surrogate, NEW, kappa)[:20] == wanted


def test_what_is_not_admissible_is_passed_over_and_teaches_nothing() -> None:
    surrogate = fitted()
    first = chosen(surrogate, NEW)[0]
    without = chosen(surrogate, NEW, admissible=lambda row: row != first)
    assert first not in without
    left = np.delete(np.arange(len(NEW)), first)
    assert without == [int(left[row]) for row in chosen(surrogate, NEW[left])]


def test_joint_draws_have_the_moments_of_the_posterior() -> None:
    posterior = fitted()(NEW)
    mean, doubt = posterior.moments()
    drawn = posterior.samples(4000, seed=1)
    np.testing.assert_array_equal(drawn[:3], posterior.samples(4000, seed=1)[:3])
    assert np.abs(drawn.mean(0) - mean).max() < 0.06  # 32 even draws stand against 4000
    assert np.corrcoef(drawn.std(0), doubt)[0, 1] > 0.9
    joint_mean, covariance = posterior.joint()
    np.testing.assert_allclose(joint_mean, drawn.mean(0), atol=0.05)
    np.testing.assert_allclose(covariance, np.cov(drawn.T), atol=0.02)


def test_joint_draws_of_one_property_are_correlated_as_its_gp_says() -> None:
    scores = 0.5 + 0.001 * (HEAVY - HEAVY.mean())
    posterior = CompositeModel.fit(TRAIN, scores[:100, None], SCORE_ALONE)(NEW[:5])
    covariance = np.cov(posterior.samples(20_000, seed=0).T) / np.square(scores[:100].std())
    np.testing.assert_allclose(covariance, posterior.covariances()[0], atol=0.03)


@pytest.mark.parametrize("acquisition", [Thompson(), LogExpectedImprovement(), UpperBound(1.0)])
def test_every_acquisition_chooses_the_promising_by_it(acquisition: Any) -> None:
    order = list(acquisition.select(fitted()(NEW), 8, 3, lambda row: row % 2 == 0))
    assert sorted(order) == list(range(0, len(NEW), 2))
    true = scores_of(VALUES)[100:]
    assert true[order[:8]].mean() > true[::2].mean()


@pytest.mark.parametrize(("n", "dims"), [(32, 1), (32, 2), (32, 3), (64, 8), (128, 16)])
def test_even_draws_are_standard_normal_to_the_last_digit(n: int, dims: int) -> None:
    drawn = even_draws(n, dims)
    np.testing.assert_allclose(drawn.mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.cov(drawn.T, bias=True).reshape(dims, dims), np.eye(dims), atol=1e-9)
    assert np.mean(np.abs(drawn) < 1.96) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("goals", [1, 2, 5, 9])
def test_the_spread_of_a_sum_is_that_of_independent_parts(goals: int) -> None:
    means = [np.full(1, 0.1 * k) for k in range(goals)]
    variances = [np.full(1, 0.01 + 0.02 * k) for k in range(goals)]
    posterior = Posterior(
        means, lambda: variances, lambda: [], [0.0] * goals, 1.0, lambda drawn: np.sum(list(drawn), axis=0)
    )
    mean, deviation = posterior.moments()
    assert float(mean[0]) == pytest.approx(sum(0.1 * k for k in range(goals)))
    assert float(deviation[0]) == pytest.approx(np.sqrt(sum(0.01 + 0.02 * k for k in range(goals))))


def test_of_too_few_molecules_there_is_no_belief() -> None:
    surrogate = CompositeSurrogate(FingerprintView(lambda smiles: smiles), SCORE_ALONE, start=3)
    members = tuple(Member(text, "", k / 3, (k / 3,)) for k, text in enumerate(SMILES[:3]))
    assert surrogate.fit(Archive(members[:2]), 0) is None
    belief = surrogate.fit(Archive(members), 0)
    assert belief is not None
    np.testing.assert_array_equal(belief.train_x, count_features(SMILES[:3]))
    assert belief.best == pytest.approx(2 / 3)


@pytest.mark.parametrize("aggregate", ["geometric_mean", "arithmetic_mean", "product", "minimum"])
def test_a_campaigns_objective_is_told_whole(aggregate: Any) -> None:
    """What strategies may know of it makes the same scores of the same values; what counts nothing is left out."""
    weights = (1.0, 0.0, 1.0) if aggregate == "minimum" else (2.0, 0.0, 0.5)
    transforms = [
        ("linear", {"low": 10.0, "high": 40.0}),
        ("linear", {"low": 0.0, "high": 1.0}),
        ("gaussian", {"mean": 2.0, "sd": 1.0}),
    ]
    properties: list[dict[str, Any]] = [
        {"name": name, "oracle": "qed", "transform": TRANSFORMS[kind](**settings), "weight": weight}
        for name, (kind, settings), weight in zip(("heavy", "shown", "rings"), transforms, weights, strict=True)
    ]
    objective = Objective(aggregate=aggregate, properties=tuple(Property(**fields) for fields in properties))
    known = objective.known()
    assert known.names == ("heavy", "rings")
    columns = objective.desirabilities({"heavy": HEAVY.tolist(), "shown": HEAVY.tolist(), "rings": RINGS.tolist()})
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    desirable = np.column_stack([t(v) for t, v in zip(known.transforms, (HEAVY, RINGS), strict=True)])
    np.testing.assert_allclose(known.aggregate(desirable), objective._aggregate(rows), rtol=1e-12)
