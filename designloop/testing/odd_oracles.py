"""Oracles as people write them, and what must come of each: the right value, or an error that says why.

Every value is the length of the SMILES, so that one which belongs to another molecule shows. ``oracle_faults`` says
what does not hold.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from designloop.loop.evaluation.attempts import judge
from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.oracles import Oracle, OracleError, load
from designloop.tables.ledger import Ledger
from designloop.testing.mischief import BAD, MISCHIEF, TIMED_OUT
from designloop.testing.processes import living_in

MOST_TOLD = 2000
"""Characters of an error, which is one line in a table."""

_DEADLINE = 20.0
_SHORT = 1.0


@dataclass(frozen=True, slots=True)
class OracleCase:
    """A file with an oracle, and what must come of it."""

    name: str
    source: str | bytes
    told: str = ""
    """A pattern: what its error says, when it is loaded or for each molecule; empty where every value is right."""
    molecules: tuple[str, ...] = ("CCO", "CC", "CCO")
    """Asked one after the other."""
    reference: str = "./odd_oracle.py:score"
    """A file, or a module that is installed."""
    deadline: float = _DEADLINE
    recovers: bool = False
    """Whether only the first molecule fails."""
    may_work: bool = False
    """Whether a right value is as good as the error."""

    @property
    def file(self) -> str:
        """The oracle's own file."""
        place = self.reference.rpartition(":")[0]
        return place.removeprefix("./") if self.is_file else f"{place.replace('.', '/')}.py"

    @property
    def is_file(self) -> bool:
        """Whether it is named by its file."""
        return self.reference.startswith("./")


def oracle_faults(case: OracleCase, folder: Path) -> list[str]:
    """What is wrong with what becomes of an oracle, a line each; none where all is as the case says."""
    source = case.source if isinstance(case.source, bytes) else case.source.encode()
    path = folder / case.file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(source)
    try:
        with contextlib.nullcontext() if case.is_file else installed_in(folder):
            faults = list(_faults(case, folder))
    except Exception as error:  # whatever is raised but our own errors is the fault that is looked for
        faults = [f"traceback: {type(error).__name__}: {error}"]
    if left := living_in(folder):
        faults.append(f"silent: processes are left over: {sorted(left.values())}")
    return faults


@contextlib.contextmanager
def installed_in(folder: Path) -> Iterator[None]:
    """While this lasts the modules of a folder can be imported."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _faults(case: OracleCase, folder: Path) -> Iterator[str]:
    try:
        oracle = load(case.reference, {}, folder)
    except OracleError as error:
        yield from _faults_of_error(case, str(error))
    else:
        yield from _faults_of_values(case, oracle, folder)


def _faults_of_values(case: OracleCase, oracle: Oracle, folder: Path) -> Iterator[str]:
    portable = PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))
    process = OracleProcess([portable], ProcessEnvironment.of_driver(folder))
    ledger = Ledger(None)
    try:
        for place, molecule in enumerate(case.molecules):
            reply = process.score(Request(oracle.fingerprint, (molecule,), None, case.deadline))
            [(value, error)] = reply.answers or ((None, reply.error),)
            intents = ledger.record_intents({oracle.fingerprint: [molecule]}, {oracle.fingerprint: oracle.name})
            ledger.record(judge(tuple(intents), reply, [None], retries=0).finished)
            is_meant = bool(case.told) and not (case.recovers and place)
            if error is None and value != float(len(molecule)):
                yield f"silent: {molecule} has {value}, expected {float(len(molecule))} or an error"
            elif error is None and is_meant and not case.may_work:
                yield f"silent: {molecule} has {value}, expected the error {case.told!r}"
            elif error is not None and not is_meant:
                yield f"message: {molecule} fails: {error}"
            elif error is not None:
                yield from _faults_of_error(case, error)
    finally:
        ledger.close()
        process.close()


def _faults_of_error(case: OracleCase, said: str) -> Iterator[str]:
    if not case.told or not re.search(case.told, said):
        yield f"message: it says {said!r}, expected {case.told!r}"
    if len(said) > MOST_TOLD:
        yield f"message: it has {len(said):,} characters"


def doing(body: str, before: str = "") -> str:
    """The file of a function of a batch that does something and then answers."""
    indented = body.replace("\n", "\n    ")
    return f"{before}\ndef score(smiles):\n    {indented}\n    return {{m: float(len(m)) for m in smiles}}\n"


def mischief_cases() -> Iterator[OracleCase]:
    """Each way to misbehave at one molecule, between molecules at which it does not."""
    for molecule, told in BAD.items():
        deadline = _SHORT if molecule in TIMED_OUT else _DEADLINE
        asked = (molecule, "CC", "CCO")
        file = "./mischief.py:score"
        yield OracleCase(f"at {molecule}", MISCHIEF, told, asked, file, deadline, recovers=True)
