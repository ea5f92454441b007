"""Molecules that nobody chose, by which foresight is judged, and the doubt that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest

from designloop.loop.runner import foreseen_by
from designloop.molecules.chemistry import standard_forms
from designloop.records import ACQUISITION, UNIFORM, Candidate
from designloop.strategies.latent_bo import Settings
from designloop.strategies.search.judged import rank_correlation
from designloop.strategies.search.machine import Search
from designloop.strategies.search.pool import Turn
from tests.strategies.latent_bo.small_loop import (
    SMALL,
    Make,
    all_scored,
    score_of,
    starting,
)


def judging(share: float, **changes: object) -> Settings:
    return SMALL.model_copy(update={"judged": share, **changes})


def test_so_many_of_a_batch_are_drawn_from_the_better_half_and_once(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(judging(0.5))
    strategy.tell(all_scored(starting(20)))
    bred = strategy.breed(strategy.archive, strategy._fit(), 8, Turn(0, 1))  # type: ignore[arg-type]
    assert bred is not None
    better = {bred.pool.names[row] for row in bred.better}
    assert len(better) == pytest.approx(len(bred.free) / 2, abs=1)
    stream = list(islice(strategy.ask(8), 12))
    assert [candidate.chosen for candidate in stream] == [UNIFORM] * 4 + [ACQUISITION] * 8
    assert len({candidate.smiles for candidate in stream}) == 12
    assert {candidate.smiles for candidate in stream[:4]} <= better


def test_they_are_drawn_once_in_so_many_rounds_where_batches_are_small(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(judging(0.5))
    strategy.tell(all_scored(starting(20)))
    chosen = []
    for _ in range(4):
        batch = loop.take(strategy, 1)
        chosen += [candidate.chosen for candidate in batch]
        strategy.tell(all_scored(batch))
    assert chosen == [ACQUISITION, UNIFORM, ACQUISITION, UNIFORM]


def test_without_a_share_the_stream_is_that_of_the_acquisition(campaign: Make) -> None:
    """Uniform choice passes over what was drawn before, and all else of it stays."""
    streams = {}
    for share in (0.0, 0.5):
        strategy = campaign().strategy(judging(share, acquisition="uniform"))
        strategy.tell(all_scored(starting(20)))
        streams[share] = list(islice(strategy.ask(8), 40))
    drawn = {candidate.smiles for candidate in streams[0.5] if candidate.chosen == UNIFORM}
    plain = [candidate.smiles for candidate in streams[0.0]]
    assert len(drawn) == 4
    assert {candidate.chosen for candidate in streams[0.0]} == {ACQUISITION}
    left = [smiles for smiles in plain if smiles not in drawn]
    assert [candidate.smiles for candidate in streams[0.5][4:]][: len(left)] == left[:36]


def test_what_is_not_allowed_is_not_drawn_either(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(judging(0.5))
    strategy.tell(all_scored(starting(20)))
    refused = {candidate.smiles for candidate in islice(strategy.ask(8), 4)}
    loop.charged |= refused
    drawn = [candidate for candidate in islice(strategy.ask(8), 8) if candidate.chosen == UNIFORM]
    assert len(drawn) == 4
    assert not {candidate.smiles for candidate in drawn} & refused


def test_molecules_carry_what_was_foreseen_of_them_into_the_judgement(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(judging(0.5))
    strategy.tell(all_scored(starting(20)))
    batch = foreseen_by(strategy, loop.take(strategy, 10))
    said = [foreseen["score"] for foreseen in strategy.foresee(batch)]
    assert [(candidate.predicted_mean, candidate.predicted_sd) for candidate in batch] == said
    metrics = strategy.tell(all_scored(batch))
    scores = [score_of(candidate.smiles) for candidate in batch[:5]]
    assert metrics["judged_molecules"] == 5
    assert metrics["judged_rank_correlation"] == rank_correlation(np.array(said)[:5, 0], np.array(scores))


def said_of(strategy: Search, candidates: Sequence[Candidate]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and doubt of the scores of some candidates, as the acquisition sees them."""
    belief = strategy._fit()
    assert belief is not None
    assert strategy.surrogate is not None
    return belief(strategy.surrogate.view.features([candidate.smiles for candidate in candidates])).moments()


def test_the_doubt_that_is_shown_follows_the_errors_and_that_of_the_choice_does_not(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    batch = loop.take(strategy, 20)
    mean, doubt = said_of(strategy, batch)
    assert strategy.tell(all_scored(batch)).get("interval_coverage") is None
    assert strategy.calibration is not None
    factor = strategy.calibration.factor("score")
    errors = np.sort(np.abs([score_of(candidate.smiles) for candidate in batch] - mean) / doubt)
    assert factor == pytest.approx(errors[18] / 1.6449, rel=1e-3), "of 20 errors the 19th holds nine in ten"
    assert factor < 0.9, "doubt is wide by design"
    asked = loop.allowed([c for c in strategy.candidates(4) if standard_forms([c.smiles]) == [c.smiles]])[:5]
    mean, doubt = said_of(strategy, asked)
    shown = np.array([foreseen["score"] for foreseen in strategy.foresee(asked)])
    assert shown == pytest.approx(np.column_stack([mean, factor * doubt]), rel=1e-6)
    assert "interval_coverage" in strategy.tell(all_scored(loop.take(strategy, 4)))
