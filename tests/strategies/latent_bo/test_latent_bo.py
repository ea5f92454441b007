from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from designloop.records import Candidate, State
from designloop.strategies.base import available, settings_of
from designloop.strategies.latent_bo import Settings
from designloop.strategies.search.trust_region import TrustRegion
from tests.strategies.latent_bo.small_loop import (
    SMALL,
    Make,
    all_scored,
    facts,
    region_of,
    score_of,
    scored,
    starting,
)
from tests.test_randomness import global_state

# ---- settings


def test_settings_are_found_by_name_without_loading_torch() -> None:
    assert "latent_bo" in available()
    assert settings_of("latent_bo") is Settings
    code = "import sys, designloop.strategies.latent_bo; print(*{'torch', 'botorch', 'rdkit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"acquisition": "ei"}, "acquisition"),
        ({"remembered": 1001}, "remembered"),
        ({"region": {"lenght": 1}}, "lenght"),
        ({"region": {"shortest": 1.0, "length": 0.5}}, "shortest"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(wrong)


# ---- what is remembered


def test_a_long_campaign_remembers_no_more_than_it_may(campaign: Make) -> None:
    strategy = campaign().strategy(SMALL.model_copy(update={"remembered": 20}))
    strategy.tell(all_scored(starting(15)))
    strategy.tell(all_scored(starting(25)))
    state = strategy.state()
    assert len(state.data["archive"]) == len(state.arrays["archive/latents"]) == 20
    best = sorted((score_of(candidate.smiles) for candidate in starting(25)), reverse=True)[:10]
    assert sorted((row[2] for row in state.data["archive"]), reverse=True)[:10] == best


# ---- ask


def test_before_there_is_enough_to_fit_the_prior_is_drawn_from(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    first = loop.take(strategy, 5)
    assert [candidate.proposer for candidate in first] == ["prior"] * 5
    metrics = strategy.tell(all_scored(first))
    assert "rank_correlation" not in metrics
    assert {candidate.proposer for candidate in loop.take(strategy, 5)} == {"prior"}


def test_scores_that_are_all_alike_are_nothing_to_fit(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell([scored(candidate, 0.0) for candidate in starting(15)])
    assert {candidate.proposer for candidate in loop.take(strategy, 3)} == {"prior"}


def test_then_candidates_come_from_the_trust_region(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    batch = loop.take(strategy, 5)
    known = {candidate.smiles for candidate in starting(20)}
    assert {candidate.proposer for candidate in batch} == {"trust_region"}
    assert all(
        candidate.selfies and len(candidate.parents) == 1 and candidate.parents[0] in known for candidate in batch
    )
    metrics = strategy.tell(all_scored(batch))
    assert metrics["surrogate_molecules"] == 20
    assert metrics["fit_seconds"] > 0
    assert metrics["trust_region"] > 0
    assert -1 <= metrics.get("rank_correlation", 0) <= 1


def test_the_stream_goes_on_beyond_its_first_block(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    block = SMALL.points * SMALL.decodes * SMALL.generations
    assert len(loop.take(strategy, block + 10)) == block + 10


def test_the_stream_holds_what_is_allowed_only(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    loop.charged |= {candidate.smiles for candidate in islice(strategy.ask(4), 6)}
    drawn = list(islice(strategy.ask(4), 10))
    assert len(loop.allowed(drawn)) == len(drawn)


def test_where_nothing_is_allowed_the_stream_gives_what_was_drawn(campaign: Make) -> None:
    """The loop counts refusals and ends; a stream that searched in silence would hang it."""
    loop = campaign()
    strategy = loop.strategy()
    strategy.campaign = replace(loop.view, allowed=lambda candidates: [])
    strategy.tell(all_scored(starting(20)))
    assert len(list(islice(strategy.ask(4), 30))) == 30


@pytest.mark.parametrize("acquisition", ["thompson", "qlogei"])
def test_asking_twice_gives_the_same_and_changes_nothing(campaign: Make, acquisition: str) -> None:
    loop = campaign()
    strategy = loop.strategy(SMALL.model_copy(update={"acquisition": acquisition}))
    strategy.tell(all_scored(starting(20)))
    before = strategy.state()
    first = list(islice(strategy.ask(4), 30))
    torch.rand(3)  # whatever the global generator stood at
    assert facts(first) == facts(list(islice(strategy.ask(4), 30)))
    after = strategy.state()
    assert after.data == before.data
    assert all(np.array_equal(after.arrays[name], before.arrays[name]) for name in before.arrays)


def test_another_seed_gives_another_stream(campaign: Make) -> None:
    streams = []
    for seed in (0, 1):
        strategy = campaign(seed=seed).strategy()
        strategy.tell(all_scored(starting(20)))
        streams.append(facts(list(islice(strategy.ask(4), 10))))
    assert streams[0] != streams[1]


def test_a_round_leaves_the_global_generators_as_they_were(campaign: Make) -> None:
    loop = campaign()
    before = global_state()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    strategy.tell(all_scored(loop.take(strategy, 5)))
    assert global_state() == before


# ---- tell


def test_a_failure_is_never_learned_from(campaign: Make) -> None:
    good = all_scored(starting(20))
    failed = [scored(Candidate("N#N", "trust_region"), None), scored(good[0].candidate, None)]
    states = []
    for rows in (good, [*failed, *good], [*good, *failed]):
        strategy = campaign().strategy()
        strategy.tell(rows)
        states.append(strategy.state())
    assert all(same_state(state, states[0]) for state in states)


def test_failures_alone_neither_shrink_the_region_nor_count_as_bad(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    for _ in range(6):
        strategy.tell([scored(candidate, None) for candidate in loop.take(strategy, 3)])
    assert region_of(strategy) == TrustRegion(SMALL.region.length)
    assert len(strategy.archive.smiles) == 20


def test_rows_told_late_or_twice_are_harmless(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    first, late = np.array_split(np.array(all_scored(loop.take(strategy, 6)), dtype=object), 2)
    strategy.tell(list(first))
    second = all_scored(loop.take(strategy, 3))
    strategy.tell([*second, *late, *first, *second])
    assert len(strategy.archive.smiles) == len(set(strategy.archive.smiles)) == 29
    region = region_of(strategy)
    strategy.tell([*late, *first])
    assert region_of(strategy) == region
    assert len(strategy.archive.smiles) == 29


def test_of_two_scores_of_a_molecule_the_last_one_counts(campaign: Make) -> None:
    strategy = campaign().strategy()
    strategy.tell(all_scored(starting(20)))
    amended = starting(20)[3]
    strategy.tell([scored(amended, 0.123)])
    assert dict(zip(strategy.archive.smiles, strategy.archive.scores, strict=True))[amended.smiles] == 0.123
    assert len(strategy.archive.smiles) == 20


def test_what_the_alphabet_cannot_express_is_not_learned_from(campaign: Make) -> None:
    strategy = campaign().strategy()
    strategy.tell([*all_scored(starting(20)), scored(Candidate("C" * 200, "start"), 1.0)])
    assert "C" * 200 not in strategy.archive.smiles
    assert len(strategy.archive.smiles) == 20


# ---- state


def same_state(a: State, b: State) -> bool:
    return a.data == b.data and all(np.array_equal(a.arrays[name], b.arrays[name]) for name in b.arrays)


def through_files(state: State) -> State:
    return State(dict(state.arrays), json.loads(json.dumps(state.data)))


def test_a_resumed_strategy_goes_on_as_the_one_that_never_stopped(campaign: Make) -> None:
    histories = []
    for resumed in (False, True):
        loop = campaign()
        strategy = loop.strategy()
        history: list[object] = []
        for _ in range(4):
            batch = loop.take(strategy, 6)
            metrics = dict(strategy.tell(all_scored(batch)))
            metrics.pop("fit_seconds", None)
            history.append((facts(batch), metrics))
            if resumed:
                strategy = loop.strategy(state=through_files(strategy.state()))
        histories.append(history)
        last = strategy.state()
    assert histories[0] == histories[1]
    assert {"version", "rounds_seen", "archive", "parts"} == set(last.data)
