"""Whether a proposer keeps the contract that a search counts on: it gives molecules, marked, and the same ones again.

A proposer that draws from a global generator makes a campaign that no seed repeats; one whose candidates carry the name
of another, or name parents that nobody gave it, puts the credit where it does not belong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from designloop.molecules.chemistry import standard_form
from designloop.molecules.codec import Codec
from designloop.molecules.sequence_vae import load
from designloop.molecules.shipped import DEFAULT_MODEL
from designloop.randomness import Generators, generators_of
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member
from designloop.strategies.proposers.base import Proposer
from designloop.testing.rehearsal import STARTING, candidate_faults, unmoved_generators
from designloop.testing.report import Report, run_checks

ANCESTOR = "CCOC(=O)c1ccccc1C"
"""What a free parent descends from."""


@dataclass(frozen=True)
class ProposerTrial:
    """A proposer, and the parents that it is tried on."""

    proposer: Proposer
    codec: Codec
    wanted: int
    """Candidates that each call asks for, at most."""
    seed: int
    """Of the generators that the proposer is given."""

    @cached_property
    def parents(self) -> list[Member]:
        """Small molecules of several kinds, the best first."""
        forms = [standard_form(smiles) for smiles in STARTING]
        return [Member(form, self.codec.to_selfies(form), 1 - row / len(forms)) for row, form in enumerate(forms)]

    def rng(self, seed: int | None = None) -> Generators:
        """Generators that stand where every call with this seed finds them."""
        return generators_of("cpu", self.seed if seed is None else seed, "proposer")

    def propose(self, parents: Sequence[Member]) -> list[Candidate]:
        return self.proposer.propose(parents, self.wanted, self.rng())

    @cached_property
    def candidates(self) -> list[Candidate]:
        """What it makes of the parents: what every other call is held against."""
        return self.propose(self.parents)


def check_proposer(
    proposer: Proposer,
    *,
    model: str | Path = DEFAULT_MODEL,
    wanted: int = 60,
    seed: int = 7,
    skip: Collection[str] = (),
) -> Report:
    """Check a proposer; the report names the checks, all of which it passed.

    Args:
        proposer: As a strategy would have it.
        model: The model in whose language parents are written, by name or file; one that it decodes with has the same.
        wanted: Candidates a call, at most.
        seed: Of the generators that it is given.
        skip: Names of checks to leave out, as ``ancestors``.

    Raises:
        NonConformance: It fails some; the message has all of them.
    """
    trial = ProposerTrial(proposer, load(model).codec, wanted, seed)
    return run_checks(f"proposer {type(proposer).__name__}", trial, CHECKS, skip)


def proposes(trial: ProposerTrial) -> Iterator[str]:
    """It makes a list of at least one candidate, and of no more than were wanted."""
    given: Any = trial.candidates
    if not isinstance(given, list):
        yield f"propose gave a {type(given).__name__}; give a list of candidates"
    elif not given:
        yield f"propose gave nothing of {len(trial.parents)} parents; give at least one candidate"
    elif len(given) > trial.wanted:
        yield f"propose gave {len(given)} candidates, {trial.wanted} were wanted; give no more"


def candidates(trial: ProposerTrial) -> Iterator[str]:
    """Each candidate is a molecule, marked with the proposer's one name; what was written is the same molecule."""
    for candidate in trial.candidates:
        # The search stamps the round whose learning the model had: a proposer leaves it at 0.
        if fault := next(candidate_faults(candidate, trial.codec, 0), None):
            yield f"{candidate!r:.200} {fault}"
            return
    names = sorted({candidate.proposer for candidate in trial.candidates})
    if len(names) > 1:
        yield f"its candidates are marked {', '.join(names)}; give each the one name of the proposer"


def distinct(trial: ProposerTrial) -> Iterator[str]:
    """No molecule comes twice in a call."""
    smiles = [candidate.smiles for candidate in trial.candidates]
    if twice := sorted({molecule for molecule in smiles if smiles.count(molecule) > 1}):
        yield f"{twice[0]} comes {smiles.count(twice[0])} times; drop repetitions"


def parents(trial: ProposerTrial) -> Iterator[str]:
    """A candidate names parents that were given, and those that were given stay as they were."""
    given = list(trial.parents)
    made = trial.propose(given)
    if given != trial.parents:
        yield "the list of parents was changed; sort or cut a copy"
    known = {parent.name for parent in trial.parents}
    for candidate in made:
        if unknown := sorted(set(candidate.parents) - known):
            yield f"{candidate.smiles} names {unknown[0]}, which is no parent's name; give parent.name of each"
            return


def ancestors(trial: ProposerTrial) -> Iterator[str]:
    """A child of a free molecule names the paid one that it descends from."""
    free = [replace(parent, ancestor=ANCESTOR) for parent in trial.parents]
    for candidate in trial.propose(free):
        if strangers := sorted(set(candidate.parents) - {ANCESTOR}):
            yield f"a child of free molecules names {strangers[0]}; give parent.name, which is their ancestor's"
            return


def few_parents(trial: ProposerTrial) -> Iterator[str]:
    """Of one parent, or of none, it makes what it can, which may be nothing."""
    for count in (0, 1):
        given: Any = trial.propose(trial.parents[:count])
        if not isinstance(given, list):
            yield f"of {count} parents propose gave a {type(given).__name__}; give a list, empty where nothing is made"
            return


def repeats(trial: ProposerTrial) -> Iterator[str]:
    """The same generators give the same candidates, wherever the global ones stand, and others give others."""
    with unmoved_generators() as moves:
        again = trial.propose(trial.parents)
    if again != trial.candidates:
        yield "the same generators give other candidates; draw from rng.numpy and rng.torch alone"
    if moves:
        yield f"it moves the global generator of {', '.join(moves)}; draw from rng.numpy and rng.torch alone"
    if all(
        trial.proposer.propose(trial.parents, trial.wanted, trial.rng(trial.seed + other)) == trial.candidates
        for other in (1, 2)
    ):
        yield "other generators give the same candidates; draw from rng.numpy or rng.torch"


CHECKS = (proposes, candidates, distinct, parents, ancestors, few_parents, repeats)
