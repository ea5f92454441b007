"""What a strategy remembers: bounded, the best, in the model's own writing."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from designloop.molecules.chemistry import scaffold
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies import surrogate
from designloop.strategies.memory import Memory
from tests.tiny import small_molecules, tiny_vae

CODEC = tiny_vae().codec
SCORE = ("score",)


def scored(smiles: list[str]) -> list[Scored]:
    """Falling scores."""
    return [Scored(Evaluation(Candidate(one, "start"), {}), {}, 1 / (1 + at)) for at, one in enumerate(smiles)]


def test_it_is_bounded_to_the_best_half_and_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 40 molecules the scores fall, so the best are the first."""
    monkeypatch.setattr("designloop.strategies.memory.MOST_SEEN", 10)
    memory, molecules = Memory(CODEC, SCORE), small_molecules(40)
    rows = scored(molecules)
    for at in range(0, 40, 8):
        memory.take_in(rows[at : at + 8])
        memory.features(molecules)
    assert [one.smiles for one in memory.seen] == [*molecules[:5], *molecules[-5:]]
    assert len(memory) == 10
    assert memory.scores.tolist() == [one.score for one in memory.seen]


def test_failures_and_what_the_alphabet_lacks_are_not_remembered() -> None:
    memory = Memory(CODEC, SCORE)
    failed = Scored(Evaluation(Candidate("CCC", "start"), {}), {}, None)
    memory.take_in([failed, *scored(["CCO", "C" * 40])])
    assert [one.smiles for one in memory.seen] == ["CCO"]


def test_the_models_own_writing_is_kept_where_it_wrote_the_molecule() -> None:
    """A protonated amine that the model wrote is remembered so, though its standard form is neutral."""
    wrote = CODEC.to_selfies("C[NH3+]")
    one = Memory(CODEC, SCORE).elite(Candidate("CN", "prior", wrote), 0.5)
    assert one is not None
    assert (one.smiles, one.selfies, one.score) == ("CN", wrote, 0.5)


def test_the_best_are_of_many_scaffolds() -> None:
    memory, rings = Memory(CODEC, SCORE), [f"{'C' * n}c1ccccc1" for n in range(1, 9)]
    memory.take_in(scored([*rings, "CCC1CCCCC1", "CCCO"]))
    best = [one.smiles for one in memory.best(10, 2)]
    assert best[:2] == rings[:2]
    assert [scaffold(one) for one in best].count("c1ccccc1") == 2
    assert len(memory.best(3, 8)) == 3


def test_it_comes_back_from_json() -> None:
    memory = Memory(CODEC, SCORE)
    memory.take_in(scored(small_molecules(5)))
    assert Memory.from_json(CODEC, SCORE, json.loads(json.dumps(memory.to_json()))).seen == memory.seen


def test_the_values_that_a_surrogate_learns_from_are_kept_in_the_order_asked_for() -> None:
    memory = Memory(CODEC, ("b", "score", "a"))
    results = {"a": Result(3.5), "shown": Result(7.0), "b": Result(-1.0)}
    memory.take_in([Scored(Evaluation(Candidate("CCO", "start"), results), {}, 0.25)])
    assert memory.values.tolist() == [[-1.0, 0.25, 3.5]]
    back = Memory.from_json(CODEC, memory.properties, json.loads(json.dumps(memory.to_json())))
    assert back.seen == memory.seen


def test_features_are_those_of_the_surrogate_and_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, molecules = Memory(CODEC, SCORE), small_molecules(6)
    memory.take_in(scored(molecules[:3]))
    wanted = surrogate.features(molecules)
    asked: list[str] = []

    def noted(smiles: Sequence[str]) -> np.ndarray:
        asked.extend(smiles)
        return surrogate.features(smiles)

    monkeypatch.setattr("designloop.strategies.memory.features", noted)
    np.testing.assert_array_equal(memory.features(molecules), wanted)
    np.testing.assert_array_equal(memory.features(molecules[::-1]), wanted[::-1])
    assert asked == molecules
    memory.take_in([])  # those that were not paid for are forgotten
    memory.features(molecules)
    assert asked == [*molecules, *molecules[3:]]
