"""The parts of the benchmark: what is tried, how often, and what is wrong with what becomes of each case."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from rdkit import rdBase

from designloop.testing.damage import damages, try_damages
from designloop.testing.damage_questions import LEFT, READING, resume, run_whole
from designloop.testing.odd_campaigns import CampaignCase, campaign_faults
from designloop.testing.odd_cases import campaign_cases, file_cases, oracle_cases
from designloop.testing.odd_commands import COMMANDS, command_faults
from designloop.testing.odd_files import FileCase, file_faults
from designloop.testing.odd_oracles import OracleCase, oracle_faults
from designloop.testing.odd_smiles import odd_smiles, standard_form_faults
from designloop.testing.small_campaign import write_tiny_model

KINDS = ("traceback", "silent", "exit code", "message")
"""Kinds of faults; silent is a change that nobody is told of."""

Faults = Iterator[tuple[str, str]]
"""(case, what is wrong with it), the kind before a colon."""

Case = TypeVar("Case", FileCase, OracleCase, CampaignCase)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of input."""

    name: str
    trials: int
    """Trials that it is cut into."""
    run: Callable[[int, Path], tuple[int, Faults]]
    """(number of a trial, an empty folder) -> (how many cases it has, what is wrong with them)."""
    first_seed: int | None = None
    """Seed of the first trial, of what is drawn at random; the next one has the next seed."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of all trials; none where nothing is drawn."""
        return [] if self.first_seed is None else [self.first_seed + number for number in range(self.trials)]


FIRST_SMILES_SEED = 10_000


def of_smiles(trial: int, folder: Path, count: int = 1000) -> tuple[int, Faults]:
    """The standard forms of odd SMILES in all modes."""

    def faults() -> Faults:
        with rdBase.BlockLogs():
            for smiles in odd_smiles(count, seed=FIRST_SMILES_SEED + trial):
                for fault in standard_form_faults(smiles):
                    yield smiles, fault_of_form(fault)

    return count, faults()


def fault_of_form(fault: str) -> str:
    """The kind of a fault of ``standard_form_faults``, before it."""
    said = fault.partition(": ")[2]
    if said.startswith("raised"):
        return f"traceback: {fault}"
    return f"message: {fault}" if said.startswith("the error does not name") else f"silent: {fault}"


def of_files(trial: int, folder: Path) -> tuple[int, Faults]:
    """Every file of molecules."""
    return _of_cases(file_cases(), file_faults, folder)


def of_campaigns(trial: int, folder: Path) -> tuple[int, Faults]:
    """Every campaign file."""
    return _of_cases(campaign_cases(), campaign_faults, folder)


ORACLE_TRIALS = 16


def of_oracles(trial: int, folder: Path) -> tuple[int, Faults]:
    """Every sixteenth oracle file, each in a process of its own: the import of some harms whoever imports them."""
    return _of_cases(oracle_cases()[trial::ORACLE_TRIALS], _oracle_faults_elsewhere, folder)


def _oracle_faults_elsewhere(case: OracleCase, folder: Path) -> list[str]:
    # Forked, as it would import RDKit for each case otherwise.
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        try:
            return pool.submit(oracle_faults, case, folder).result()
        except BrokenProcessPool:
            return ["traceback: the process that loads it died"]


def _of_cases(cases: Sequence[Case], faults_of: Callable[[Case, Path], list[str]], folder: Path) -> tuple[int, Faults]:
    def faults() -> Faults:
        for case in cases:
            with TemporaryDirectory(dir=folder) as place:
                yield from ((case.name, fault) for fault in faults_of(case, Path(place)))

    return len(cases), faults()


DAMAGES_A_TRIAL, RESUMES_A_TRIAL = 40, 2


def of_damages(trial: int, folder: Path) -> tuple[int, Faults]:
    """Damage to files of a campaign that has ended; each verb that reads is asked, and a few go on."""
    whole = folder / "whole" / "campaign"
    whole.mkdir(parents=True)
    run_whole(whole, write_tiny_model(folder / "tiny.safetensors"))
    scratch = folder / "scratch"
    scratch.mkdir()
    rng = random.Random(trial)
    every = damages(whole, LEFT, repeats=20)
    asked = ((rng.sample(every, DAMAGES_A_TRIAL), READING), (rng.sample(every, RESUMES_A_TRIAL), {"resume": resume}))
    kinds = {"changed in silence": "silent", "another error": "traceback"}

    def faults() -> Faults:
        for chosen, questions in asked:
            for tried in try_damages(whole, chosen, questions, scratch):
                if tried.is_wrong:
                    yield f"{tried.damage} {tried.question}", f"{kinds[tried.outcome]}: {tried.said}"

    return DAMAGES_A_TRIAL * len(READING) + RESUMES_A_TRIAL, faults()


COMMAND_TRIALS = 8


def of_commands(trial: int, folder: Path) -> tuple[int, Faults]:
    """Every eighth command line, beside a campaign that has ended."""
    cases = COMMANDS[trial::COMMAND_TRIALS]
    run_whole(folder, write_tiny_model(folder / "tiny.safetensors"))
    (folder / "circle").symlink_to("circle")

    def faults() -> Faults:
        for case in cases:
            yield from ((case.name, fault) for fault in command_faults(case, folder))

    return len(cases), faults()


PARTS = (
    Part("files", 1, of_files),
    Part("campaign files", 1, of_campaigns),
    Part("commands", COMMAND_TRIALS, of_commands),
    Part("damages", 4, of_damages, first_seed=0),
    Part("oracles", ORACLE_TRIALS, of_oracles),
    Part("smiles", 101, of_smiles, first_seed=FIRST_SMILES_SEED),
)
"""All parts, those that take longest last."""


def run_part(name: str, trial: int, folder: Path) -> dict[str, Any]:
    """Runs a trial of a part: how many cases it has, and what is wrong with them."""
    part = next(part for part in PARTS if part.name == name)
    with TemporaryDirectory(dir=folder) as place:
        cases, faults = part.run(trial, Path(place))
        listed = [{"case": ascii(case)[:300], "fault": ascii(fault)[1:-1][:500]} for case, fault in faults]
    return {"cases": cases, "faults": listed}
