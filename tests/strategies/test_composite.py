"""The composite surrogate against many draws, its own definition of a batch, and what it is there to do better."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from designloop.loop.objective import Objective, Property
from designloop.loop.transforms import TRANSFORMS
from designloop.molecules import corpus
from designloop.molecules.chemistry import parse_all
from designloop.strategies.base import SCORE_ALONE, as_it_is
from designloop.strategies.base import Objective as Known
from designloop.strategies.composite import CompositeSurrogate, cut
from designloop.strategies.surrogate import FingerprintGP, Kernels, features, mean_square

SMILES = [corpus.zinc()[row] for row in range(0, 6000, 40)]
BITS = features(SMILES)
SEEN, NEW = BITS[:100], BITS[100:]
MOLS = [mol for mol in parse_all(SMILES) if mol is not None]
HEAVY = np.array([mol.GetNumHeavyAtoms() for mol in MOLS]).astype(np.float64)
RINGS = np.array([mol.GetRingInfo().NumRings() for mol in MOLS]).astype(np.float64)
VALUES = np.column_stack([HEAVY, RINGS])


def bump(centre: float, width: float):
    return lambda values: np.exp(-np.square((values - centre) / width))


KNOWN = Known(("heavy", "rings"), (bump(26.0, 3.0), bump(2.0, 1.0)), lambda d: np.sqrt(np.prod(d, axis=1)))


def scores_of(values: np.ndarray) -> np.ndarray:
    return KNOWN.aggregate(np.column_stack([t(values[:, k]) for k, t in enumerate(KNOWN.transforms)]))


def fitted() -> CompositeSurrogate:
    return CompositeSurrogate.fit(SEEN, VALUES[:100], KNOWN)


def test_one_property_as_it_is_has_its_gps_own_posterior() -> None:
    scores = 0.5 + 0.001 * (HEAVY - HEAVY.mean())  # nothing near 0 or 1, where it would be brought in
    surrogate = CompositeSurrogate.fit(SEEN, scores[:100, None], SCORE_ALONE)
    per = mean_square(SEEN)
    centre, scale = scores[:100].mean(), scores[:100].std()
    gp = FingerprintGP.fit(Kernels.between(SEEN, SEEN, per), (scores[:100, None] - centre) / scale)[0]
    cross, own = Kernels.between(NEW, SEEN, per), Kernels.between(NEW, NEW, per)
    mean, doubt = surrogate.predict(NEW)
    np.testing.assert_allclose(mean, centre + scale * gp.predict(cross), atol=1e-9)
    np.testing.assert_allclose(doubt, scale * np.sqrt(np.diagonal(gp.covariance(cross, own))), rtol=1e-5)
    np.testing.assert_allclose(surrogate.bound(NEW, 1.5), mean + 1.5 * doubt)


def test_expectation_and_doubt_are_those_of_many_draws() -> None:
    surrogate = fitted()
    per = surrogate.per
    cross, own = Kernels.between(NEW, SEEN, per), Kernels.between(NEW, NEW, per)
    rng, drawn = np.random.default_rng(1), []
    for part in surrogate.parts:
        mean, doubt = part.gp.predict(cross), np.sqrt(np.maximum(np.diagonal(part.gp.covariance(cross, own)), 0))
        values = part.centre + part.scale * (mean + doubt * rng.standard_normal((4000, len(NEW))))
        drawn.append(part.to_desirability(values))
    scores = KNOWN.aggregate(np.stack(drawn, -1).reshape(-1, 2)).reshape(4000, -1)
    mean, doubt = surrogate.predict(NEW)
    assert np.abs(mean - scores.mean(0)).max() < 0.05
    assert np.corrcoef(doubt, scores.std(0))[0, 1] > 0.9


def test_the_known_objective_foresees_what_one_gp_of_the_score_does_not() -> None:
    true = scores_of(VALUES)
    alone = CompositeSurrogate.fit(SEEN, true[:100, None], SCORE_ALONE)
    ours, theirs = (spearmanr(one.predict(NEW)[0], true[100:]).statistic for one in (fitted(), alone))
    assert ours > theirs + 0.1


def test_a_value_spread_over_decades_is_learned_bent() -> None:
    """An IC50 in nM: its logarithm is what adds up, and the transform says so."""
    per_decade = Known(("ic50",), (lambda v: np.clip((np.log10(np.maximum(v, 1)) - 2) / 6, 0, 1),), lambda d: d[:, 0])
    bent = CompositeSurrogate.fit(SEEN, 10.0 ** (HEAVY[:100, None] / 5), per_decade)
    assert bent.parts[0].to_desirability is as_it_is
    assert fitted().parts[0].to_desirability is KNOWN.transforms[0]


def test_one_value_gone_wrong_does_not_hide_the_others() -> None:
    values = np.column_stack([HEAVY, np.zeros(len(HEAVY))])
    values[3] = 1e9, 1.0
    kept = cut(values)
    np.testing.assert_array_equal(np.delete(kept, 3, 0), np.delete(values, 3, 0))
    assert HEAVY.max() <= kept[3, 0] < 100
    assert kept[3, 1] == 1.0, "a column that is mostly one value has no spread to measure by"


def test_picks_begin_at_the_highest_bound_and_spread() -> None:
    surrogate = fitted()
    order = list(surrogate.picks(NEW, 2.0))
    assert sorted(order) == list(range(len(NEW)))
    assert order[0] == int(np.argmax(surrogate.bound(NEW, 2.0)))
    # A twin of the first pick is as promising, but less is left to be learned of it.
    twins = np.concatenate([NEW, NEW[order[0]][None]])
    spread = list(surrogate.picks(twins, 2.0))
    assert {spread[0], len(NEW)} & {order[0], len(NEW)}
    second = order[0] if spread[0] == len(NEW) else len(NEW)
    assert spread.index(second) > 1


def test_picks_are_those_of_a_gp_that_is_told_what_it_expects() -> None:
    """Every bound taken anew after each pick, from covariances that are conditioned on it."""
    surrogate, kappa = fitted(), 2.0
    cross, own = Kernels.between(NEW, SEEN, surrogate.per), Kernels.between(NEW, NEW, surrogate.per)
    means = [part.gp.predict(cross) for part in surrogate.parts]
    covariances = [part.gp.covariance(cross, own) for part in surrogate.parts]
    wanted: list[int] = []
    for _ in range(20):
        mean, doubt = surrogate.scores(means, [np.diagonal(one) for one in covariances])
        bounds = mean + kappa * doubt
        bounds[wanted] = -np.inf
        wanted.append(int(np.argmax(bounds)))
        for part, covariance in zip(surrogate.parts, covariances, strict=True):
            column = covariance[:, wanted[-1]].copy()
            covariance -= np.outer(column, column) / (column[wanted[-1]] + (part.gp.noise + 1e-8) * part.gp.variance)
    assert list(surrogate.picks(NEW, kappa))[:20] == wanted


def test_what_is_not_admissible_is_passed_over_and_teaches_nothing() -> None:
    surrogate = fitted()
    first = next(surrogate.picks(NEW, 2.0))
    without = list(surrogate.picks(NEW, 2.0, lambda at: at != first))
    assert first not in without
    left = np.delete(np.arange(len(NEW)), first)
    assert without == [int(left[at]) for at in surrogate.picks(NEW[left], 2.0)]


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
        {"name": name, "oracle": "qed", "transform": TRANSFORMS[kind](**how), "weight": weight}
        for name, (kind, how), weight in zip(("heavy", "shown", "rings"), transforms, weights, strict=True)
    ]
    objective = Objective(aggregate=aggregate, properties=tuple(Property(**one) for one in properties))
    known = objective.known()
    assert known.names == ("heavy", "rings")
    columns = objective.desirabilities({"heavy": HEAVY.tolist(), "shown": HEAVY.tolist(), "rings": RINGS.tolist()})
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    desirable = np.column_stack([t(v) for t, v in zip(known.transforms, (HEAVY, RINGS), strict=True)])
    np.testing.assert_allclose(known.aggregate(desirable), objective._aggregated(rows), rtol=1e-12)
