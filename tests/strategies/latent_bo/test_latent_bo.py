from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.pieces import P, R, S, one_by_one
from designloop.records import Candidate, State
from designloop.strategies.base import PROPOSING, available, settings_of
from designloop.strategies.latent_bo import Settings, spread_for
from designloop.strategies.search.core import Core
from designloop.strategies.surrogates.kernels import KERNELS
from tests.strategies.latent_bo.small_loop import (
    SEARCHED,
    SMALL,
    Campaign,
    Make,
    all_scored,
    facts,
    regions_of,
    scored,
    starting,
)
from tests.test_randomness import global_state

LATENT_MEMBERS = ("latent", "latent_composition")
ACQUISITIONS = ("thompson", "qlogei", "ucb", "uniform")
"""Beside the votes."""

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
        ({"points": 80}, "points"),
        ({"dimensions": 0}, "dimensions"),
        ({"posterior_noise": [1.3, 0.3]}, r"did you mean \[0.3, 1.3\]"),
        ({"posterior_noise": [0, 1.3]}, "posterior_noise"),
        ({"regions": {"lenght": 1}}, "lenght"),
        ({"regions": {"shortest": 1.0, "length": 0.5}}, "shortest"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(wrong)


# ---- ask


def test_before_there_is_a_surrogate_the_prior_and_steps_are_drawn_from(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    first = loop.take(strategy, 5)
    assert [candidate.proposer for candidate in first] == ["prior"] * 5
    assert {candidate.chosen for candidate in first} == {None}
    strategy.tell(all_scored(starting(9)))
    drawn = {candidate.proposer for candidate in islice(strategy.ask(5), 60)}
    assert drawn == {"prior", "posterior", "mixing", "mutation", "crossover", "graph_mutation", "graph_crossover"}


def test_then_latent_space_is_searched_and_steps_are_bred(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(SEARCHED)
    strategy.tell(all_scored(starting(20)))
    batch = loop.take(strategy, 30)
    known = {candidate.smiles for candidate in starting(20)}
    free = strategy.candidates(30)
    written = [candidate for candidate in free if candidate.proposer in ("chain", "trust_region")]
    assert 0 < len(written) < len(free)
    assert all(c.selfies and c.origin and len(c.parents) == 1 and c.parents[0] in known for c in written)
    metrics = strategy.tell(all_scored(batch))
    assert metrics["surrogate_molecules"] == 20
    assert min(metrics[f"{part}_seconds"] for part in PROPOSING) > 0
    assert metrics["trust_region"] > 0
    assert sum(metrics[f"surrogate_share_{name}"] for name in (*KERNELS, *LATENT_MEMBERS)) == pytest.approx(1)


def test_unless_asked_for_neither_chains_nor_regions_write(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    batch = loop.take(strategy, 30)
    assert not {candidate.proposer for candidate in batch} & {"chain", "trust_region"}
    assert "trust_region" not in strategy.tell(all_scored(batch))


def test_the_stream_goes_on_beyond_its_first_block(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy()
    strategy.tell(all_scored(starting(20)))
    assert len(loop.take(strategy, 2)) == 2
    drawn = list(islice(strategy.ask(2), 45))
    assert len({candidate.smiles for candidate in drawn}) > 20, "a block considers 20 for the 2 that are wanted"


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


@pytest.mark.parametrize(
    "settings",
    [SMALL, SEARCHED, *(SMALL.model_copy(update={"acquisition": name}) for name in ACQUISITIONS)],
    ids=["votes", "searched", *ACQUISITIONS],
)
def test_asking_twice_gives_the_same_and_changes_nothing(campaign: Make, settings: Settings) -> None:
    loop = campaign()
    strategy = loop.strategy(settings)
    strategy.tell(all_scored(starting(20)))
    before = strategy.state()
    first = list(islice(strategy.ask(4), 30))
    torch.rand(3)  # whatever the global generator stood at
    assert facts(first) == facts(list(islice(strategy.ask(4), 30)))
    after = strategy.state()
    assert after.data == before.data
    assert all(np.array_equal(after.arrays[name], before.arrays[name]) for name in before.arrays)


def test_what_a_batch_is_chosen_of_can_be_looked_at(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(SMALL.model_copy(update={"acquisition": "uniform"}))
    assert strategy.candidates(4) == []
    strategy.tell(all_scored(starting(20)))
    free = {candidate.smiles for candidate in strategy.candidates(4)}
    assert not free & {candidate.smiles for candidate in starting(20)}
    assert {candidate.smiles for candidate in islice(strategy.ask(4), 10)} < free


def test_latent_search_is_spread_and_nothing_else(campaign: Make) -> None:
    counts = list[int]()

    def counted(work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
        counts.append(len(pieces))
        return one_by_one(work, shared, pieces)

    streams = list[list[tuple[object, ...]]]()
    for spread in (one_by_one, counted):
        for settings in (SMALL, SEARCHED):
            loop = campaign()
            loop.view = replace(loop.view, spread=spread)
            strategy = loop.strategy(settings)
            strategy.tell(all_scored(starting(20)))
            streams.append(facts(list(islice(strategy.ask(4), 20))))
    assert streams[:2] == streams[2:]
    assert counts == [1, 1], "six chains are a piece, and all that was paid for lies in one region"


def test_the_pieces_of_a_model_on_a_gpu_are_done_where_it_is(campaign: Make) -> None:
    def elsewhere(work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
        raise AssertionError("not here")

    view = replace(campaign().view, spread=elsewhere)
    assert spread_for("cpu", view) is elsewhere
    assert spread_for("cuda", view) is one_by_one


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


def test_a_failure_is_never_learned_from_but_by_what_foresees_failures(campaign: Make) -> None:
    good = all_scored(starting(20))
    failed = [scored(Candidate("N#N", "trust_region"), None), scored(good[0].candidate, None)]
    states = []
    for rows in (good, [*failed, *good], [*good, *failed]):
        strategy = campaign().strategy()
        strategy.tell(rows)
        states.append(strategy.state())
    outcomes = [dict(state.data["parts"].pop("feasibility")["outcomes"]) for state in states]
    assert all(same_state(state, states[0]) for state in states)
    assert outcomes[1] == outcomes[2] == outcomes[0] | {"N#N": False}


def test_failures_alone_neither_shrink_a_region_nor_count_as_bad(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(SEARCHED)
    strategy.tell(all_scored(starting(20)))
    strategy.tell(all_scored(starting(23)[20:]))
    before = regions_of(strategy).open
    assert before
    for _ in range(2):
        strategy.tell([scored(candidate, None) for candidate in loop.take(strategy, 3)])
    assert regions_of(strategy).open == before
    assert len(strategy.archive.smiles) == 23


def test_rows_told_late_or_twice_are_harmless(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(SEARCHED)
    strategy.tell(all_scored(starting(20)))
    first, late = np.array_split(np.array(all_scored(loop.take(strategy, 6)), dtype=object), 2)
    strategy.tell(list(first))
    second = all_scored(loop.take(strategy, 3))
    strategy.tell([*second, *late, *first, *second])
    assert len(strategy.archive.smiles) == len(set(strategy.archive.smiles)) == 29
    regions = regions_of(strategy).open
    strategy.tell([*late, *first])
    assert regions_of(strategy).open == regions
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


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_scores_that_are_all_alike_end_in_no_nan(campaign: Make, score: float) -> None:
    loop = campaign()
    strategy = loop.strategy(SEARCHED)
    batch = starting(12)
    for _ in range(2):
        metrics = strategy.tell([scored(candidate, score) for candidate in batch])
        assert "judged_rank_correlation" not in metrics
        assert np.isfinite(list(metrics.values())).all()
        batch = loop.take(strategy, 4)
        assert len(batch) == 4


def test_where_all_fail_draws_go_on_and_nothing_is_remembered(campaign: Make) -> None:
    loop = campaign()
    strategy = loop.strategy(SEARCHED)
    for _ in range(3):
        batch = loop.take(strategy, 4)
        assert len(batch) == 4
        strategy.tell([scored(candidate, None) for candidate in batch])
    assert len(strategy.archive) == 0


# ---- state


def same_state(a: State, b: State) -> bool:
    return a.data == b.data and all(np.array_equal(a.arrays[name], b.arrays[name]) for name in b.arrays)


def through_files(state: State) -> State:
    return State(dict(state.arrays), json.loads(json.dumps(state.data)))


def test_a_resumed_strategy_goes_on_as_the_one_that_never_stopped(campaign: Make) -> None:
    histories = []
    for resumed in (False, True):
        loop = campaign()
        strategy = loop.strategy(SEARCHED)
        history: list[object] = []
        for _ in range(3):
            batch = loop.take(strategy, 6)
            metrics = dict(strategy.tell(all_scored(batch)))
            metrics = {name: value for name, value in metrics.items() if not name.endswith("_seconds")}
            history.append((facts(batch), metrics))
            if resumed:
                strategy = loop.strategy(SEARCHED, through_files(strategy.state()))
        histories.append(history)
        last = strategy.state()
    assert histories[0] == histories[1]
    assert {"version", "rounds_seen", "archive", "parts"} == set(last.data)
    assert set(last.data["parts"]) == {
        "credit", "committee", "calibration", "feasibility", "judged", "regions", "restarts",
    }  # fmt: skip


# ---- a core to keep

PHENYL = "c1ccccc1"


class CoreCampaign(Campaign):
    """One that allows only what holds a phenyl ring."""

    def allowed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return Core((PHENYL,)).holding(super().allowed(candidates))


@pytest.mark.parametrize("molecules", [6, 11])
def test_a_core_is_kept_and_a_batch_filled(vae: SequenceVAE, corpus: Corpus, molecules: int) -> None:
    """With and without surrogates; a model of random weights never writes the core."""
    start = Core((PHENYL,)).holding(starting(25))[:molecules]
    loop = CoreCampaign(vae, corpus, keep=(PHENYL,))
    strategy = loop.strategy(SEARCHED)
    strategy.tell(all_scored(start))
    loop.charged |= {candidate.smiles for candidate in start}
    drawn = list(islice(strategy.ask(8), 20))
    assert Core((PHENYL,)).holding(drawn) == drawn, "what lacks it is dropped before anything dear is done with it"
    assert len(loop.take(strategy, 8)) == 8
