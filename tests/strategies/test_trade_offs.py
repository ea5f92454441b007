"""Trade-offs drawn anew a round: Chebyshev's scalarisation against BoTorch's, and what a search sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.scalarization import get_chebyshev_scalarization

from designloop.molecules.corpus import zinc_codec
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.acquisition.thompson import Thompson
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import CampaignView, KnownObjective, unchanged
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.machine import Search
from designloop.strategies.search.pool import Turn
from designloop.strategies.search.saved import Saved
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
    unit = trade_off.weights.max() + AUGMENTED
    np.testing.assert_allclose((trade_off(points) - 1) * unit, theirs(torch.tensor(points)).numpy(), atol=1e-12)
    assert trade_off(np.array([paid.min(0), paid.max(0)])) == pytest.approx([0.0, 1.0])


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


@dataclass
class Watcher:
    """A learner, and a surrogate without a belief, that keep what they are shown."""

    told: list[ToldRound] = field(default_factory=list)
    fitted: list[np.ndarray] = field(default_factory=list)
    view: Any = None

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        self.told.append(told_round)
        return {}

    def fit(self, archive: Archive, seed: int) -> None:
        self.fitted.append(archive.scores)


def test_a_search_fits_draws_and_learns_by_the_rounds_trade_off_and_keeps_the_campaigns_scores() -> None:
    watcher, drawn = Watcher(), []
    offs = RandomTradeOffs(GOALS, seed=2)

    def draw(archive: Archive, wanted: int, turn: Turn) -> list[Candidate]:
        drawn.append(archive.scores)
        return []

    view = CampaignView(
        seed=2, allowed=list, standard_forms=list, load_model=lambda: pytest.fail("asked"),
        load_replay=lambda: pytest.fail("asked"), objective=GOALS,
    )  # fmt: skip
    search = Search(
        campaign=view,
        transcriber=Transcriber(zinc_codec(), GOALS.names),
        draw=draw,
        surrogate=watcher,
        breed=lambda *_: None,
        acquisition=Thompson(),
        learners={"watcher": watcher},
        trade_offs=offs,
        saved=Saved(archive=Archive()),
    )
    first = [row("CCO", (0.9, 0.1)), row("CCN", (0.1, 0.8)), row("CCC", None)]
    search.tell(first)
    assert [told.score for told in watcher.told[0].scored] == pytest.approx(
        offs.of_round(Archive(), 0).value(np.array([(0.9, 0.1), (0.1, 0.8)])).tolist()
    )
    assert list(search.ask(4)) == []
    second = offs.of_round(search.archive, 1).archive(search.archive).scores
    np.testing.assert_array_equal(watcher.fitted[-1], second)
    np.testing.assert_array_equal(drawn[0], second)
    assert sorted(second.tolist()) != sorted(watcher.told[0].archive.scores.tolist())
    np.testing.assert_array_equal(search.archive.scores, [0.5, 0.45])
    assert [entry[2] for entry in search.state().data["archive"]] == [0.5, 0.45]


def row(smiles: str, goals: tuple[float, float] | None) -> Scored:
    results = {name: Result(value) for name, value in zip("ab", goals or (None, None), strict=True)}
    desirability = dict(zip("ab", goals or (None, None), strict=True))
    return Scored(Evaluation(Candidate(smiles, "prior"), results), desirability, sum(goals) / 2 if goals else None)
