"""What the property loss learns from: what is kept of it, and what each molecule of it is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import KnownObjective, unchanged
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.learning.replay import PaidMolecule, Reader, Replay
from designloop.strategies.surrogates.faint import FAINT
from designloop.testing.rehearsal import through_files
from tests.strategies.test_property_learning import VAE, WORTH, learner, origin, paid, row, scored, told


def test_a_replay_is_bounded_by_the_best_and_the_latest() -> None:
    rows = paid(30)[::-1]  # the best first
    replay = Replay(limit=8).add(rows[:20]).add(rows[20:])
    assert [molecule.smiles for molecule in replay.rows] == [m.smiles for m in [*rows[:4], *rows[-4:]]]
    again = replay.add([PaidMolecule(rows[0].smiles, rows[0].selfies, 9.0, rows[0].origin)])
    assert len(again) == 8
    assert again.rows[-1].score == 9.0


def test_where_trade_offs_are_sought_a_replay_keeps_and_ranks_by_the_front_and_not_by_the_mean() -> None:
    ends = [(0.9, 0.2), (0.2, 0.9)]
    dominated = [(0.6, 0.6), (0.1, 0.1), (0.2, 0.3), (0.3, 0.2)]  # the first is of a higher mean than the ends
    goals = [*ends, (0.7, 0.7), *dominated]
    rows = [replace(row, goals=of, score=float(np.mean(of))) for row, of in zip(paid(7), goals, strict=True)]
    replay = Replay(limit=6, worth=WORTH).add(rows)
    kept = [row.goals for row in replay.rows]
    assert kept == [*ends, (0.7, 0.7), *dominated[1:]]
    assert max(replay.scores[3:]) < min(replay.scores[:3])
    back = Replay.of_state(through_files(replay.state()), 6, WORTH)
    np.testing.assert_array_equal(back.scores, replay.scores)
    alone = Replay(limit=6).add(rows)
    assert (0.6, 0.6) in [row.goals for row in alone.rows]
    np.testing.assert_array_equal(alone.scores, [row.score for row in alone.rows])


def test_faint_scores_are_learned_from_by_rank() -> None:
    rows = [replace(row, score=score) for row, score in zip(paid(4), (0.0, 1e-80, 1e-40, 0.0), strict=True)]
    assert Replay().add(rows).scores == pytest.approx([0, FAINT / 2, FAINT, 0])
    seen = [replace(rows[0], score=0.5), *rows[1:]]
    assert Replay().add(seen).scores == pytest.approx([0.5, 1e-80, 1e-40, 0])
    assert len(Replay().scores) == 0


def test_what_was_paid_for_before_goals_were_kept_is_given_them() -> None:
    """Of a campaign that was begun before; what is remembered no more is learned from no more."""
    objective = KnownObjective(("a", "b"), (unchanged, unchanged), lambda d: d.mean(1), reference=(0.0, 0.0))
    old = learner(worth=WORTH, goals=objective)
    old.replay = replace(old.replay, rows=tuple(paid(3)))
    assert old.replay.lacks_goals
    known = [Member(row.smiles, row.selfies, row.score, (0.6, 0.1 * place)) for place, row in enumerate(paid(2))]
    old.learn(told([], before=Archive().add(known)))
    assert [row.goals for row in old.replay.rows] == [(0.6, 0.0), (0.6, 0.1)]
    assert not old.replay.lacks_goals


def test_a_reader_gives_desirabilities_where_trade_offs_are_sought() -> None:
    objective = KnownObjective(("a", "b"), (lambda values: values / 10, lambda values: 1 - values), lambda d: d.mean(1))
    reader = Reader(VAE, (0.3, 8.0), goals=objective)
    written = replace(row("CCO", 0.5, origin(0.5)), desirability={"b": 0.25, "a": 0.75, "beside": 0.0})
    unwritten = replace(row("CCF", 0.5), desirability={"a": 0.5, "b": 1.0})
    assert [molecule.goals for molecule in reader.read([written, unwritten], 1)] == [(0.75, 0.25), (0.5, 1.0)]
    member = Member("CCO", VAE.codec.to_selfies("CCO"), 0.5, (3.0, 0.2))
    assert reader.members([member], 1)[0].goals == pytest.approx((0.3, 0.8))
    assert reader.members([], 1) == []


def test_what_is_withdrawn_is_learned_from_no_more() -> None:
    of, rows = learner(), scored(12)
    of.learn(told(rows))
    archive = Archive()
    of.learn(ToldRound(2, [], [], archive, archive, None, failed=[replace(rows[3], score=None)]))
    assert [molecule.smiles for molecule in of.replay.rows] == [row.smiles for row in (*rows[:3], *rows[4:])]


def test_a_replay_comes_back_from_its_state() -> None:
    replay = Replay(limit=20).add(paid(12))
    back = Replay.of_state(through_files(replay.state()), 20)
    for old, new in zip(replay.rows, back.rows, strict=True):
        assert (old.smiles, old.selfies, old.score, old.family) == (new.smiles, new.selfies, new.score, new.family)
        assert old.origin.noise == new.origin.noise
        np.testing.assert_array_equal(old.origin.latent, new.origin.latent)
    assert len(Replay.of_state(through_files(Replay().state()), 20)) == 0
