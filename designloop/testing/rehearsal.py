"""A campaign in small, for the suites of strategies and proposers: a few rounds with a toy score, kept in memory."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from safetensors.numpy import load, save

from designloop.loop.screening.screening import DRAWS_PER_WANTED
from designloop.molecules.chemistry import identity, parse, standard_form, standard_forms
from designloop.molecules.codec import Codec
from designloop.molecules.errors import MoleculeError
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.records import MEASURED, START, Candidate, Evaluation, Result, Scored, State
from designloop.strategies.base import CampaignView, Strategy

STARTING = (
    "CCO CCN CC(=O)O CCOC(C)=O CC#N CNC CCCl CC(C)O OCCO NCC(=O)O CCS C=CC#N CC(N)=O c1ccncc1 Cc1ccco1 OC1CCCC1".split()
)
"""Starting molecules of round 0, small ones of several kinds."""

INEXPRESSIBLE = "C[Si](C)(C)C"
"""A starting molecule that the alphabet may not express: it is scored, and a strategy has to bear it."""

_ELSEWHERE = count(20240229)
"""Seeds of the global generators, another one each time: what draws from them gives itself away."""

Build = Callable[[Any, CampaignView, State | None], Strategy]


class NeverEnds(Exception):
    """A strategy kept asking what is allowed and gave nothing."""


@dataclass(frozen=True)
class Played:
    """One round as it went."""

    drawn: tuple[Candidate, ...]
    """What the stream gave, as it gave it."""
    admitted: tuple[Candidate, ...]
    metrics: Mapping[str, Any]
    state: State
    """What the strategy gave after it was told, through files and back."""
    live_state: State
    """The same, the very object."""
    moved_generator: str | None = None
    """Which global generator the round moved, if any."""


@dataclass(frozen=True)
class Company:
    """A strategy's recipe and what it is surrounded with; every build is a fresh one."""

    build: Build
    settings: BaseModel | None
    load_model: Callable[[], SequenceVAE]
    replay: Corpus
    seed: int

    def strategy(self, allowed: Callable[[Sequence[Candidate]], list[Candidate]], state: State | None) -> Strategy:
        view = CampaignView(
            seed=self.seed,
            allowed=allowed,
            standard_forms=lambda smiles: standard_forms(smiles, "parent"),
            load_model=self.load_model,
            load_replay=lambda: self.replay,
        )
        return self.build(self.settings, view, state)


class Rehearsal:
    """Plays rounds with one strategy; the molecules charged so far can be taken over from another rehearsal."""

    def __init__(self, company: Company, state: State | None = None, charged: Sequence[str] = ()) -> None:
        self.charged = set(charged)
        self.asked = 0
        self.limit: int | None = None
        self.strategy = company.strategy(self.allowed, state)

    def allowed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the new ones, in standard form; where a limit is set return none, and raise once it is passed."""
        self.asked += len(candidates)
        if self.limit is not None:
            if self.asked > self.limit:
                raise NeverEnds(f"after {self.asked} candidates that were not allowed it had given none")
            return []
        kept: dict[str, Candidate] = {}
        for candidate in candidates:
            try:
                smiles = standard_form(candidate.smiles)
            except MoleculeError:
                continue
            same = identity(smiles, "ignore")
            if same not in self.charged:
                kept.setdefault(same, replace(candidate, smiles=smiles))
        return list(kept.values())

    def charge(self, candidates: Sequence[Candidate]) -> None:
        """Counts molecules in standard form as scored."""
        self.charged |= {identity(candidate.smiles, "ignore") for candidate in candidates}

    def start(self) -> list[Candidate]:
        """The starting molecules, as round 0 has them."""
        return [Candidate(standard_form(s), "start", written=s) for s in (*STARTING, INEXPRESSIBLE)]

    def take(self, drawn: Iterator[Candidate], wanted: int) -> tuple[list[Candidate], list[Candidate]]:
        """Draw until ``wanted`` candidates are admitted; return all drawn, and those admitted."""
        drawn_here, admitted = [], []
        for candidate in islice(drawn, DRAWS_PER_WANTED * wanted):
            drawn_here.append(candidate)
            fit = self.allowed([candidate])
            admitted += fit
            self.charge(fit)
            if len(admitted) == wanted:
                break
        return drawn_here, admitted

    def round(
        self, wanted: int, *, more: int = 0, starting: bool = False, keep: Callable[[Scored], bool] = lambda row: True
    ) -> Played:
        """Plays one round.

        Args:
            wanted: candidates to admit.
            more: candidates drawn beyond them, to be forgotten.
            starting: it is the round of the starting molecules.
            keep: which scored rows are told.
        """
        with unmoved_generators() as moves:
            if starting:
                drawn = self.start()
                admitted = drawn
                self.charge(drawn)
            else:
                stream = iter(self.strategy.ask(wanted))
                drawn, admitted = self.take(stream, wanted)
                for _ in islice(stream, more):
                    pass
            metrics = self.strategy.tell([row for row in map(score_candidate, admitted) if keep(row)])
            state = self.strategy.state()
        return Played(tuple(drawn), tuple(admitted), metrics, through_files(state), state, ", ".join(moves) or None)


def candidate_faults(candidate: Any, codec: Codec, rounds_told: int) -> Iterator[str]:
    """Says what keeps something from being a candidate that a campaign can take, after so many rounds were told."""
    if not isinstance(candidate, Candidate):
        yield "is no Candidate; give designloop.records.Candidate"
        return
    try:
        form = standard_form(candidate.smiles)
    except MoleculeError as error:
        yield f"is no molecule ({error})"
        return
    if not candidate.proposer or candidate.proposer in (START, MEASURED):
        yield f"has the proposer {candidate.proposer!r}; name the part of the strategy that it came from"
    if candidate.written is not None:
        yield "has written text, which only starting molecules have"
    if not isinstance(candidate.parents, tuple) or not all(isinstance(parent, str) for parent in candidate.parents):
        yield f"has the parents {candidate.parents!r}; give a tuple of SMILES"
    if not 0 <= candidate.model_round <= rounds_told:
        yield f"has model_round {candidate.model_round}, and {rounds_told} rounds were told; 0 is the pretrained model"
    if candidate.selfies is not None:
        written = codec.to_smiles(candidate.selfies)
        if written is None or standard_form(written) != form:
            yield f"has selfies of {written}, another molecule; give what the model wrote for this one, or None"


def score_candidate(candidate: Candidate) -> Scored:
    """Score a molecule by the share of its atoms that are no carbon; one molecule in five fails."""
    mol = parse(candidate.smiles)
    if mol is None or zlib.crc32(candidate.smiles.encode()) % 5 == 0:
        failed = Result(None, "failed", "the toy oracle fails on one molecule in five")
        return Scored(Evaluation(candidate, {"toy": failed}), {"toy": None}, None)
    value = sum(atom.GetAtomicNum() != 6 for atom in mol.GetAtoms()) / mol.GetNumAtoms()
    return Scored(Evaluation(candidate, {"toy": Result(value)}), {"toy": value}, value)


def through_files(state: State) -> State:
    """Return a state as it is after it was written and read: arrays as safetensors, data as JSON."""
    arrays = {name: np.ascontiguousarray(array) for name, array in state.arrays.items()}
    return State(load(save(arrays)), json.loads(json.dumps(dict(state.data), allow_nan=False)))


def same_state(first: State, other: State) -> bool:
    """Whether two states are the same, bit for bit."""
    return (
        first.data == other.data
        and first.arrays.keys() == other.arrays.keys()
        and all(
            first.arrays[name].dtype == other.arrays[name].dtype
            and np.array_equal(first.arrays[name], other.arrays[name], equal_nan=first.arrays[name].dtype.kind == "f")
            for name in first.arrays
        )
    )


@contextmanager
def unmoved_generators() -> Iterator[list[str]]:
    """Sets the global generators where nobody expects them and puts them back; the list names those that were moved."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - it is the one in question
    moves: list[str] = []
    try:
        elsewhere = next(_ELSEWHERE)
        random.seed(elsewhere)
        np.random.seed(elsewhere)  # noqa: NPY002
        torch.manual_seed(elsewhere)
        python, numpy, torchs = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        yield moves
        if random.getstate() != python:
            moves.append("random")
        if not all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy, strict=True)):  # noqa: NPY002
            moves.append("numpy.random")
        if not torch.equal(torch.get_rng_state(), torchs):
            moves.append("torch")
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        torch.set_rng_state(before[2])
