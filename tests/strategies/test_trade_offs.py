"""Trade-offs drawn anew a round: Chebyshev's scalarisation against BoTorch's, and what a search sees of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.scalarization import get_chebyshev_scalarization

from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import KnownObjective, unchanged
from designloop.strategies.search.trade_offs import RandomTradeOffs
from designloop.strategies.surrogates.composite import CompositeModel
from designloop.strategies.surrogates.scalarised import AUGMENTED, Chebyshev, scalarised
from tests.strategies.test_composite import KNOWN, NEW, TRAIN, VALUES

GOALS = KnownObjective(("a", "b"), (unchanged, unchanged), lambda rows: rows.mean(1), (0.0, 0.0))


@pytest.mark.parametrize("goals", [2, 3, 5])
def test_a_trade_off_is_botorchs_up_to_its_unit(goals: int) -> None:
    rng = np.random.default_rng(goals)
    paid, points = rng.random((20, goals)), rng.random((7, 4, goals))
    trade_off = Chebyshev.drawn(paid, 3)
    assert trade_off.weights.sum() == pytest.approx(1.0)
    theirs = get_chebyshev_scalarization(torch.tensor(trade_off.weights), torch.tensor(paid), alpha=AUGMENTED)
    unit = trade_off.weights.min() + AUGMENTED
    np.testing.assert_allclose(trade_off(points) * unit, theirs(torch.tensor(points)).numpy())
    assert trade_off(paid.max(0)) == pytest.approx(1.0)


def test_goals_that_all_molecules_share_are_no_division_by_0() -> None:
    assert np.isfinite(Chebyshev.drawn(np.full((3, 2), 0.4), 1)(np.array([0.4, 0.4])))


def test_seeds_give_directions_everywhere_on_the_simplex() -> None:
    weights = np.array([Chebyshev.drawn(np.eye(2), seed).weights[0] for seed in range(200)])
    assert np.histogram(weights, 4, (0, 1))[0].min() > 30


def test_a_posterior_under_a_trade_off_has_its_value_and_keeps_its_goals() -> None:
    belief = CompositeModel.fit(TRAIN, VALUES[:100], KNOWN)(NEW)
    traded = scalarised(belief, 5)
    trade_off = Chebyshev.drawn(belief.known_goals.paid, 5)
    np.testing.assert_allclose(traded.samples(8, 1), trade_off(belief.goal_samples(8, 1)))
    assert traded.best == pytest.approx(trade_off(belief.known_goals.paid).max())
    np.testing.assert_array_equal(traded.goal_samples(8, 1), belief.goal_samples(8, 1))


def test_a_round_sees_what_was_paid_for_by_its_own_trade_off() -> None:
    values = [(0.9, 0.1), (0.5, 0.6), (0.1, 0.8)]
    members = tuple(Member("C" * n, "[C]" * n, sum(pair) / 2, pair) for n, pair in enumerate(values, 1))
    archive, offs = Archive(members), RandomTradeOffs(GOALS, seed=4)
    favourites = set()
    for rounds_seen in range(12):
        trade_off = offs.of_round(archive, rounds_seen)
        seen = trade_off.archive(archive)
        np.testing.assert_allclose(seen.scores, trade_off.value(np.array(values)))
        assert seen.smiles == archive.smiles
        favourites.add(seen.best(1, 9)[0].smiles)
        rows = [row("CCO", (0.5, 0.6)), row("CCN", None)]
        assert [told.score for told in trade_off.rows(rows)] == [pytest.approx(seen.scores[1]), None]
    assert favourites == {"C", "CC", "CCC"}
    assert len(offs.of_round(Archive(), 0).archive(Archive())) == 0


def row(smiles: str, goals: tuple[float, float] | None) -> Scored:
    results = {name: Result(0.0) for name in "ab"}
    desirability = dict(zip("ab", goals or (None, None), strict=True))
    return Scored(Evaluation(Candidate(smiles, "prior"), results), desirability, 0.5 if goals else None)
