"""Whether an oracle keeps the contract that a campaign counts on: values that belong to molecules, and to nothing else.

A value that depends on a molecule's neighbours, its place in the batch, the process or the hour makes a campaign that
cannot be resumed or repeated; one that is put on the wrong molecule ruins it in silence.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import random
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.child.side_by_side import SideBySide, Tolerance
from designloop.oracles import Answer, Oracle, from_callable, load, read_answers
from designloop.oracles.loading import unpack_files
from designloop.testing.elsewhere import answers_elsewhere
from designloop.testing.report import Report, run_checks

MOLECULES = (
    "CC(=O)Nc1ccc(O)cc1",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1",
    "O=C(O)c1cn(C2CC2)c2cc(N3CCNCC3)c(F)cc2c1=O",
    "CCOC(=O)C1=C(COCCN)NC(C)=C(C(=O)OC)C1c1ccccc1Cl",
    "Clc1ccccc1C(c1ccccc1)(c1ccccc1)n1ccnc1",
    "CC(C)NCC(O)COc1cccc2ccccc12",
    "Nc1ncnc2c1ncn2C1CCCO1",
    "CCCCCCCC(=O)O",
    "C1CCC2(CC1)OCCO2",
)
"""Ordinary molecules of many kinds, in standard form and without stereo: an oracle must answer for each."""

ODD = (
    "C",
    "O",
    "[H][H]",
    "C#C",
    "[CH3]",
    "[2H]C([2H])([2H])O",
    "C[N+](C)(C)C",
    "[O-][n+]1ccccc1",
    "[Na+].[Cl-]",
    "CC(=O)[O-].[NH4+]",
    "C[Si](C)(C)C",
    "OB(O)c1ccccc1",
    "C[Se]C",
    "O=P(O)(O)O",
    "FS(F)(F)(F)(F)F",
    "C" * 60,
    "C1CCCCCCCCCCCCCCCCCCC1",
    "C12C3C4C1C5C2C3C45",
    "N" + "CC(=O)N" * 12 + "CC(=O)O",
)
"""Molecules that an oracle may not be able to answer for, but must not fall over."""

STEREOISOMERS = (("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"), ("C/C=C/CO", "C/C=C\\CO"))


@dataclass(frozen=True)
class OracleTrial:
    """An oracle and the molecules that it is tried on."""

    oracle: Oracle
    molecules: tuple[str, ...]
    odd: tuple[str, ...]
    tolerance: float
    timeout: float
    folder: Path
    """What its reference is relative to."""

    def answers(self, smiles: Sequence[str]) -> dict[str, Answer]:
        return self.oracle.answers(smiles, seeds(smiles))

    @cached_property
    def together(self) -> dict[str, Answer]:
        """All ordinary molecules in one batch: what every other way of asking is held against."""
        return self.answers(self.molecules)

    def differences(self, others: Mapping[str, Answer], way: str) -> Iterator[str]:
        """A sentence on the first molecule whose answer is another when asked in another way."""
        for molecule, other in others.items():
            expected = self.together[molecule]
            if not _alike(expected.value, other.value, self.tolerance):
                yield f"{molecule} has {_said(expected)} in one batch, and {_said(other)} {way}"
                return


def check_oracle(
    oracle: Oracle | Callable[..., Any] | str,
    params: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    molecules: Sequence[str] | None = None,
    odd: Sequence[str] | None = None,
    tolerance: float = 0.0,
    timeout: float = 600.0,
    skip: Collection[str] = (),
) -> Report:
    """Check an oracle; the report names the checks, all of which it passed.

    While they run, this process works in a temporary folder, as a worker does, with the files that the oracle declares.

    Args:
        oracle: A loaded oracle; a function or class; or a reference as in a campaign file.
        params: Its parameters, unless it is loaded already.
        folder: What relative paths of the reference are relative to; by default the current folder.
        molecules: (n,) ones that it must answer for, by default twelve of many kinds; three of them for an oracle that
            declares itself costly, for which ``stereo``, ``bears_odd``, ``side_by_side`` and ``reads`` are left out.
        odd: Ones that it need not answer for, but must bear; by default nineteen.
        tolerance: How far, relative and absolute, a value may move with the batch. With anything but 0 a campaign
            is not repeated to the last bit.
        timeout: Seconds for the run in another process.
        skip: Names of checks to leave out, as ``elsewhere``.

    Raises:
        NonConformance: It fails some; the message has all of them.
        oracles.OracleError: It cannot be loaded.
    """
    folder = Path(folder or ".").resolve()
    if isinstance(oracle, str):
        oracle = load(oracle, params, folder)
    elif not isinstance(oracle, Oracle):
        folder = Path(inspect.getsourcefile(oracle) or folder).resolve().parent
        oracle = from_callable(oracle, params)
    trial = OracleTrial(
        oracle,
        tuple(molecules if molecules is not None else MOLECULES[: 3 if oracle.costly else None]),
        tuple(odd if odd is not None else ODD),
        tolerance,
        timeout,
        folder,
    )
    too_costly = ["stereo", "bears_odd", "side_by_side", "reads"] if oracle.costly else []
    with tempfile.TemporaryDirectory(prefix="designloop-check-") as place:
        work = unpack_files(oracle.recipe(), oracle.file_bytes, Path(place) / "oracle")
        work.mkdir(parents=True, exist_ok=True)
        with contextlib.chdir(work):
            return run_checks(f"oracle {oracle.name!r}", trial, CHECKS, [*skip, *too_costly])


def seeds(smiles: Sequence[str]) -> list[int]:
    """A seed for each molecule that goes with it wherever it stands."""
    return [zlib.crc32(molecule.encode()) for molecule in smiles]


def answers(trial: OracleTrial) -> Iterator[str]:
    """It answers by molecule, with a finite number for each ordinary one, and for no other."""
    answer = trial.oracle.score(trial.molecules, seeds(trial.molecules))
    for molecule, read in read_answers(trial.molecules, answer).items():
        if read.error is not None:
            yield f"{molecule}: {read.error}"
        for output, why in read.failed_outputs.items() if read.error is None else ():
            yield f"{molecule}: output {output!r} {why}"
    if unasked := [key for key in answer if key not in trial.molecules]:
        yield f"it answers for {unasked[0]!r}, which was not asked; use the SMILES as they were given for keys"


def outputs(trial: OracleTrial) -> Iterator[str]:
    """Each value has the outputs that are declared, or is one number where none are."""
    declared = set(trial.oracle.outputs)
    for molecule, answer in trial.together.items():
        answered = set(answer.value) if isinstance(answer.value, Mapping) else set()
        if answered != declared:
            yield (
                f"{molecule} has {_names(answered)}, and declared are {_names(declared)}; "
                f"write @oracle(outputs={sorted(answered)!r}) or answer what is declared"
            )
            return


def order(trial: OracleTrial) -> Iterator[str]:
    """The order of a batch changes nothing."""
    shuffled = random.Random(0).sample(trial.molecules, len(trial.molecules))
    yield from trial.differences(trial.answers(trial.molecules[::-1]), "when the batch is reversed; " + _BY_MOLECULE)
    yield from trial.differences(trial.answers(shuffled), "when the batch is shuffled; " + _BY_MOLECULE)


def neighbours(trial: OracleTrial) -> Iterator[str]:
    """A molecule has the same value alone as among others."""
    alone = {molecule: trial.answers([molecule])[molecule] for molecule in trial.molecules}
    yield from trial.differences(
        alone, "alone; compute each molecule by itself, for a repeated campaign cuts its batches elsewhere"
    )


def duplicates(trial: OracleTrial) -> Iterator[str]:
    """A molecule asked twice in a batch is answered as if it was asked once."""
    twice = [molecule for molecule in trial.molecules for _ in range(2)]
    yield from trial.differences(trial.answers(twice), "when it is asked twice; " + _BY_MOLECULE)


def empty(trial: OracleTrial) -> Iterator[str]:
    """An empty batch has an empty answer."""
    answer = trial.oracle.score([], [])
    if not isinstance(answer, Mapping) or answer:
        yield f"an empty batch is answered with {answer!r}; return an empty mapping"


def repeats(trial: OracleTrial) -> Iterator[str]:
    """The same question has the same answer again, by its seed where it is stochastic."""
    fix = "draw from the seed given for it alone" if trial.oracle.stochastic else "declare @oracle(stochastic=True)"
    yield from trial.differences(trial.answers(trial.molecules), f"when asked again; {fix}")


def stereo(trial: OracleTrial) -> Iterator[str]:
    """Stereoisomers have one value, unless it declares that it sees stereo: a campaign pays for one of them only."""
    if trial.oracle.sees_stereo:
        return
    for pair in STEREOISOMERS:
        first, second = (trial.oracle.answers([molecule], [0])[molecule] for molecule in pair)
        if None not in (first.value, second.value) and not _alike(first.value, second.value, trial.tolerance):
            yield f"{pair[0]} has {_said(first)} and {pair[1]} {_said(second)}; declare @oracle(sees_stereo=True)"
            return


def bears_odd(trial: OracleTrial) -> Iterator[str]:
    """It does not fall over a molecule out of the ordinary: it leaves out its answer."""
    for molecule in trial.odd:
        try:
            trial.answers([molecule])
        except Exception as error:  # whatever a user's code raises is what is wrong with it
            yield f"{molecule} raises {type(error).__name__}: {error}; leave out its answer, or answer None"


def elsewhere(trial: OracleTrial) -> Iterator[str]:
    """Its recipe alone makes the same oracle in another process, with the same values, and nothing is printed."""
    theirs, printed = answers_elsewhere(
        trial.oracle, trial.molecules, seeds(trial.molecules), trial.timeout, trial.folder
    )
    yield from trial.differences(
        theirs, "in another process; leave nothing to the order of a set, to the folder, or to what ran before"
    )
    if printed.strip():
        yield f"it prints {printed.strip().splitlines()[0]!r}; a campaign's workers print for nobody"


def side_by_side(trial: OracleTrial) -> Iterator[str]:
    """It says of a molecule what it says alone while another process runs it on others."""
    with SideBySide([trial.oracle], ProcessEnvironment.of_driver(trial.folder), trial.timeout) as processes:
        smiles = trial.molecules
        tolerance = Tolerance(trial.tolerance, trial.tolerance)
        if sentence := processes.disturbance(trial.oracle, smiles, seeds(smiles), tolerance):
            yield sentence


def reads(trial: OracleTrial) -> Iterator[str]:
    """It reads no file of its author's that it does not declare."""
    oracle = trial.oracle
    if oracle.is_built_in:
        return
    portable = PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))
    process = OracleProcess([portable], ProcessEnvironment.of_driver(trial.folder))
    try:
        smiles = trial.molecules[:1]
        seeds_of_them = tuple(seeds(smiles)) if oracle.stochastic else None
        reply = process.score(Request(oracle.fingerprint, smiles, seeds_of_them, trial.timeout))
    finally:
        process.close()
    if reply.reads:
        yield f"it {reply.reads}"


CHECKS = (
    *(answers, outputs, order, neighbours, duplicates, empty, repeats, stereo, bears_odd),
    *(reads, elsewhere, side_by_side),
)

_BY_MOLECULE = "answer by molecule, as in dict(zip(smiles, values))"


def _alike(first: float | Mapping[str, float] | None, second: Any, tolerance: float) -> bool:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_alike(first[name], second[name], tolerance) for name in first)
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=tolerance, abs_tol=tolerance)
    return first is second


def _said(answer: Answer) -> str:
    return f"no value ({answer.error})" if answer.value is None else repr(answer.value)


def _names(outputs: Collection[str]) -> str:
    return f"the outputs {', '.join(sorted(outputs))}" if outputs else "one number without outputs"
