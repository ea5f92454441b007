"""Whether a strategy keeps the contract that a campaign counts on: it can be repeated, and stopped and taken up again.

A strategy that draws from a global generator, remembers what was drawn and not admitted, or leaves something out of its
state, makes a campaign whose table changes with a kill; one that takes a failure for a zero learns from the oracle's
faults.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from designloop.molecules.codec import Codec
from designloop.molecules.sequence_vae import load
from designloop.molecules.shipped import DEFAULT_MODEL
from designloop.molecules.training_corpus import Corpus
from designloop.records import Candidate, State
from designloop.strategies import base
from designloop.testing.rehearsal import (
    Build,
    Company,
    NeverEnds,
    Played,
    Rehearsal,
    candidate_faults,
    same_state,
    through_files,
)
from designloop.testing.report import Report, run_checks

ROUNDS = 3
"""Rounds that are asked for, after that of the starting molecules."""

MOST_REFUSED = 20_000
"""Candidates that a strategy may ask about in vain before it has to give one or end."""


@dataclass(frozen=True)
class StrategyTrial:
    """A strategy's recipe and the small campaign that it is tried in."""

    company: Company
    codec: Codec
    wanted: int
    largest_state: int

    @cached_property
    def course(self) -> list[Played]:
        """A campaign that nothing interrupts: what every other way of running it is held against."""
        rehearsal = Rehearsal(self.company)
        return [self.play(rehearsal, number) for number in range(ROUNDS + 1)]

    def play(self, rehearsal: Rehearsal, number: int, **changes: Any) -> Played:
        return rehearsal.round(self.wanted, starting=number == 0, **changes)

    def resume(self, after: int) -> Rehearsal:
        """The campaign taken up in another process after round ``after``: from its state and what was charged."""
        rehearsal = Rehearsal(self.company, self.course[after].state)
        for played in self.course[: after + 1]:
            rehearsal.charge(played.admitted)
        return rehearsal

    def differences(self, number: int, other: Played, way: str) -> Iterator[str]:
        """A sentence on the first thing in which a round went another way."""
        expected = self.course[number]
        for place, (ours, theirs) in enumerate(zip(expected.drawn, other.drawn, strict=False)):
            if ours != theirs:
                yield f"round {number}, draw {place}: {_said(ours)}, and {_said(theirs)} {way}"
                return
        if len(expected.drawn) != len(other.drawn):
            yield f"round {number}: {len(expected.drawn)} draws, and {len(other.drawn)} {way}"
        elif not same_state(expected.state, other.state):
            yield f"round {number}: the same draws, but another state {way}"


def check_strategy(
    strategy: str | Build,
    settings: Mapping[str, Any] | BaseModel | None = None,
    *,
    model: str | Path = DEFAULT_MODEL,
    wanted: int = 24,
    seed: int = 7,
    largest_state: int = 64 * 2**20,
    skip: Collection[str] = (),
) -> Report:
    """Check a strategy; the report names the checks, all of which it passed.

    Args:
        strategy: A name as in a campaign file, or a function ``build(settings, campaign, state)``.
        settings: What a campaign file would say under ``strategy:``; by default nothing.
        model: The model that it is given, by name or file.
        wanted: Candidates a round.
        seed: Of the small campaign.
        largest_state: Bytes that its state may take, arrays and JSON together.
        skip: Names of checks to leave out, as ``generators``.

    Raises:
        NonConformance: It fails some; the message has all of them.
        KeyError: There is no strategy of that name.
        pydantic.ValidationError: Its settings are not valid.
    """
    if isinstance(strategy, str):
        name = strategy
        given_settings = settings if isinstance(settings, BaseModel) else base.settings_of(name)(**(settings or {}))

        def build(settings: Any, campaign: base.CampaignView, state: State | None) -> base.Strategy:
            return base.build(name, settings, campaign, state)
    else:
        name, build = getattr(strategy, "__qualname__", repr(strategy)), strategy  # type: ignore[assignment]
        given_settings = settings  # type: ignore[assignment]
    company = Company(build, given_settings, lambda: load(model), Corpus.of_model(model), seed)
    trial = StrategyTrial(company, load(model).codec, wanted, largest_state)
    return run_checks(f"strategy {name!r}", trial, CHECKS, skip)


def plays(trial: StrategyTrial) -> Iterator[str]:
    """It is asked, told and asked for its state, round after round; molecules that no model expresses included."""
    rehearsal = Rehearsal(trial.company)
    strategy: Any = rehearsal.strategy  # what a user's strategy is and gives need not be what annotations say
    if not isinstance(strategy, base.Strategy):
        missing = [name for name in ("ask", "tell", "state") if not hasattr(strategy, name)]
        yield f"it has no {', '.join(missing)}; a strategy has ask(wanted), tell(scored) and state()"
        return
    stream: Any = rehearsal.strategy.ask(trial.wanted)
    if not isinstance(stream, Iterator):
        yield f"ask gives a {type(stream).__name__}, not an iterator; yield the candidates one by one"
        return
    for number, played in enumerate(trial.course):
        if number and not played.drawn:
            yield f"round {number}: its stream is empty; give at least one candidate of the {trial.wanted} wanted"
            return


def candidates(trial: StrategyTrial) -> Iterator[str]:
    """Each candidate is a molecule with a proposer; what the model wrote is the same molecule."""
    for number, played in enumerate(trial.course[1:], start=1):
        for candidate in played.drawn:
            if fault := next(iter(candidate_faults(candidate, trial.codec, number)), None):
                yield f"round {number}: {candidate!r:.200} {fault}"
                return


def metrics(trial: StrategyTrial) -> Iterator[str]:
    """What ``tell`` gives is finite numbers by name."""
    for number, played in enumerate(trial.course):
        metrics_given: Any = played.metrics
        if not isinstance(metrics_given, Mapping):
            yield f"round {number}: tell gave {metrics_given!r}; return a mapping of names to numbers, or an empty one"
            return
        for name, value in metrics_given.items():
            if not isinstance(name, str) or not isinstance(value, int | float) or not math.isfinite(value):
                yield f"round {number}: the metric {name!r} is {value!r}; leave out what is no finite number"


def state(trial: StrategyTrial) -> Iterator[str]:
    """Its state is named arrays and JSON, small, and a copy: what it learns later does not change a state it gave."""
    for number, played in enumerate(trial.course):
        data = json.dumps(dict(played.live_state.data))
        foreign = [name for name, array in played.live_state.arrays.items() if not isinstance(array, np.ndarray)]
        if foreign:
            yield f"round {number}: the state's array {foreign[0]!r} is none of NumPy's; give tensor.cpu().numpy()"
            return
        if json.dumps(played.state.data) != data:
            yield f"round {number}: the state's data was changed by a later round; give a copy"
            return
        arrays = played.live_state.arrays
        changed = [name for name, kept in played.state.arrays.items() if not np.array_equal(kept, arrays[name])]
        if changed:
            yield f"round {number}: the state's array {changed[0]!r} was changed by a later round; give a copy"
            return
        size = sum(array.nbytes for array in played.live_state.arrays.values()) + len(data)
        if size > trial.largest_state:
            yield f"round {number}: the state takes {size:,} bytes, more than {trial.largest_state:,}; keep less"
            return


def repeats(trial: StrategyTrial) -> Iterator[str]:
    """A campaign of the same seed goes the same way, wherever the global generators stand."""
    rehearsal = Rehearsal(trial.company)
    for number in range(ROUNDS + 1):
        if faults := list(trial.differences(number, trial.play(rehearsal, number), "when the campaign is run again")):
            yield f"{faults[0]}; draw from randomness.rng_of(seed, round, what for) alone"
            return


def generators(trial: StrategyTrial) -> Iterator[str]:
    """It leaves the global generators of random, NumPy and torch where they stood."""
    for number, played in enumerate(trial.course):
        if name := played.moved_generator:
            yield f"round {number} moves the global generator of {name}; draw from a generator of your own"
            return


def forgets(trial: StrategyTrial) -> Iterator[str]:
    """What was drawn and not admitted is forgotten, and so is a stream that was asked for and left."""
    rehearsal = Rehearsal(trial.company)
    for number in range(ROUNDS + 1):
        for _ in islice(rehearsal.strategy.ask(trial.wanted), 3):
            pass
        played = trial.play(rehearsal, number, more=2 * trial.wanted)
        if faults := list(trial.differences(number, played, "when more is drawn and not admitted")):
            yield f"{faults[0]}; let ask change nothing that is read later"
            return


def resumes(trial: StrategyTrial) -> Iterator[str]:
    """Built from its state it goes on as if nothing had happened, after any round."""
    for after in range(ROUNDS):
        rehearsal = trial.resume(after)
        if not same_state(through_files(rehearsal.strategy.state()), trial.course[after].state):
            yield f"built from the state of round {after} it gives another state; take in all that state() gives"
            return
        for number in range(after + 1, ROUNDS + 1):
            played = trial.play(rehearsal, number)
            if faults := list(trial.differences(number, played, f"when taken up after round {after}")):
                yield f"{faults[0]}; put into the state all that ask and tell read"
                return


def failures(trial: StrategyTrial) -> Iterator[str]:
    """A few molecules that failed teach it nothing: it goes the same way when it is not told of them."""
    rehearsal = Rehearsal(trial.company)
    for number in range(ROUNDS + 1):
        played = trial.play(rehearsal, number, keep=lambda row: row.score is not None)
        faults = list(trial.differences(number, played, "when it is not told of molecules that failed"))
        if faults and "another state" not in faults[0]:  # it may count them
            yield f"{faults[0]}; leave out rows whose score is None: a failure is not a zero"
            return


def nothing_admitted(trial: StrategyTrial) -> Iterator[str]:
    """A round of which nothing was admitted, or in which all failed, is told like any other."""
    rehearsal = trial.resume(1)
    trial.play(rehearsal, 2, keep=lambda row: False)
    played = trial.play(rehearsal, 3, keep=lambda row: row.score is None)
    if not played.drawn:
        yield "after a round of which it was told nothing its stream is empty; go on from what was told before"


def nothing_allowed(trial: StrategyTrial) -> Iterator[str]:
    """Where nothing may be admitted it gives what it has, or ends: it does not look for ever."""
    for after in (0, ROUNDS - 1):
        rehearsal = trial.resume(after)
        rehearsal.limit = MOST_REFUSED
        try:
            next(iter(rehearsal.strategy.ask(trial.wanted)), None)
        except NeverEnds as error:
            yield f"{error}; give them out as they are, so that the loop can count why and end"
            return


CHECKS = (
    plays,
    candidates,
    metrics,
    state,
    repeats,
    generators,
    forgets,
    resumes,
    failures,
    nothing_admitted,
    nothing_allowed,
)


def _said(candidate: Candidate) -> str:
    return f"{candidate.smiles} by {candidate.proposer}" if isinstance(candidate, Candidate) else repr(candidate)
