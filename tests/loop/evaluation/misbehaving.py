"""Small campaigns of oracles that misbehave, for the tests of evaluation and its backends."""

from __future__ import annotations

import contextlib
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from designloop.loop.evaluation.child.oracle_child import CAMPAIGN_FOLDER
from designloop.loop.evaluation.settings import EvaluationSettings
from designloop.oracles import Oracle, load
from designloop.records import Candidate, Evaluation

MISCHIEF = textwrap.dedent(
    '''
    """An oracle whose value is the length of the SMILES, unless the molecule tells it to do something else."""
    import os
    import signal
    import subprocess
    import sys
    import time

    from designloop.oracles import oracle


    def score(smiles, calls: str = ""):
        if calls:
            with open(calls, "a") as file:
                file.write(f"{len(smiles)} {' '.join(smiles)}\\n")
        values = {molecule: float(len(molecule)) for molecule in smiles}
        for molecule in smiles:
            act(molecule, values)
        if "list" in smiles:
            return list(values.values())
        return values


    def act(molecule, values):
        match molecule:
            case "raise":
                raise ValueError("no charges for this one")
            case "exit":
                sys.exit(3)
            case "die":
                os._exit(4)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "killgroup":
                os.killpg(0, signal.SIGKILL)
            case "hang":
                time.sleep(600)
            case "deaf":
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
                    signal.signal(number, signal.SIG_IGN)
                time.sleep(600)
            case "family":
                subprocess.Popen(["sleep", "613"], start_new_session=True)
                if os.fork() == 0:
                    subprocess.run(["sleep", "613"])
                time.sleep(600)
            case "orphans":
                subprocess.Popen(["sleep", "613"], start_new_session=True)
                os._exit(5)
            case "twin":
                os.fork()
            case "guest":
                values["somebody else"] = 1.0
            case "shout":
                print("x" * 5_000_000)
                print("y" * 5_000_000, file=sys.stderr)
                os.write(1, b"z" * 1_000_000)
            case "last words":
                print("the grid file is missing")
                os._exit(6)
            case "none":
                values[molecule] = None
            case "nan":
                values[molecule] = float("nan")
            case "inf":
                values[molecule] = float("inf")
            case "text":
                values[molecule] = "not parametrised"
            case "too few":
                del values[molecule]
            case "unknown":
                del values[molecule]
                values["somebody else"] = 1.0


    @oracle(stochastic=True)
    def noise(smiles, seeds):
        return {molecule: float(seed) for molecule, seed in zip(smiles, seeds)}


    @oracle(outputs=["length", "carbons"])
    def outputs(smiles):
        values = {m: {"length": float(len(m)), "carbons": float(m.count("C"))} for m in smiles}
        if "half" in values:
            values["half"]["carbons"] = float("nan")
        return values


    @oracle(costly=True)
    def costly(smiles, calls: str = ""):
        return score(smiles, calls)


    def where(smiles):
        return {m: {"pid": os.getpid(), "threads": int(os.environ["OMP_NUM_THREADS"])} for m in smiles}


    def order(smiles):
        """Values that differ with the hash seed, were it not fixed."""
        return {m: float(next(iter({m + str(i) for i in range(50)}))[len(m):]) for m in smiles}


    class Slow:
        def __init__(self):
            time.sleep(1.0)

        def score(self, smiles):
            return {m: 1.0 for m in smiles}
    '''
)

BAD = {
    "raise": r"ValueError: no charges for this one \(mischief.py:\d+\)",
    "exit": "SystemExit: 3",
    "die": "exited with code 4",
    "kill": r"killed by signal 9 \(SIGKILL\)",
    "killgroup": "killed together with all around it",
    "hang": r"no answer within .* s; it was in act \(mischief.py:\d+\)",
    "deaf": "no answer within .* s",
    "family": "no answer within .* s",
    "orphans": "exited with code 5",
    "last words": "exited with code 6; the last that it printed: the grid file is missing",
    "none": "answered None",
    "nan": "answered nan, expected a finite number",
    "inf": "answered inf",
    "text": "not parametrised",
    "too few": "no answer for this molecule",
    "unknown": "no answer for this molecule, but one for 'somebody else', which was not asked",
    "list": r"the oracle returned a list.*dict\(zip\(smiles, values\)\)",
}
"""Molecule -> what its error says."""

TIMED_OUT = {"hang", "deaf", "family"}
GOOD = ("C", "CC", "CCO", "twin", "shout")


@dataclass
class FakeCampaign:
    """What an evaluator asks of a campaign."""

    folder: Path
    oracles: Mapping[str, Oracle]
    objective: Any
    evaluation: Any


Wanted = Mapping[str, tuple[str, Mapping[str, Any], str | None]]
"""Property -> (reference, params, output) of its oracle."""


def campaign(folder: Path, wanted: Wanted | None = None, **settings: Any) -> Any:
    """A campaign in a folder that has ``mischief.py``.

    Args:
        folder: where it lies.
        wanted: its properties; by default the one property ``length``.
        settings: of its ``evaluation``; inline and without retries unless said otherwise.
    """
    (folder / "mischief.py").write_text(MISCHIEF)
    wanted = wanted or {"length": ("./mischief.py:score", {}, None)}
    oracles = {name: load(reference, params, folder) for name, (reference, params, _) in wanted.items()}
    properties = [SimpleNamespace(name=name, output=output) for name, (_, _, output) in wanted.items()]
    evaluation = EvaluationSettings.model_validate({"backend": "inline", "timeout": 60.0, "retries": 0} | settings)
    return FakeCampaign(folder, oracles, SimpleNamespace(properties=properties), evaluation)


def candidates(smiles: Sequence[str]) -> list[Candidate]:
    return [Candidate(molecule, "test") for molecule in smiles]


def values(evaluations: Sequence[Evaluation], name: str = "length") -> dict[str, float | None]:
    return {evaluation.candidate.smiles: evaluation.results[name].value for evaluation in evaluations}


def statuses(evaluations: Sequence[Evaluation]) -> dict[str, str]:
    return {evaluation.candidate.smiles: evaluation.status for evaluation in evaluations}


def living_in(folder: Path) -> dict[int, str]:
    """The processes that work for a campaign in this folder, and all that they started. Process id -> name."""
    processes = {}
    mark = f"{CAMPAIGN_FOLDER}={folder}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or only waits to be buried
            if mark in (process / "environ").read_bytes().split(b"\0"):
                processes[int(process.name)] = (process / "comm").read_text().strip()
    return processes


def left_over(find: Callable[[], dict[int, str]], seconds: float = 10.0) -> dict[int, str]:
    """What is still found after so many seconds at most."""
    limit = time.monotonic() + seconds
    while (processes := find()) and time.monotonic() < limit:
        time.sleep(0.05)
    return processes


def group_of(pgid: int) -> set[int]:
    """Process ids in a process group."""
    listed = subprocess.run(["pgrep", "-g", str(pgid)], capture_output=True, text=True).stdout
    return {int(pid) for pid in listed.split()}


def alive(pids: Iterable[int]) -> dict[int, str]:
    """What still runs of these, with its name; one that only waits to be buried by its parent does not."""
    processes = {}
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if stat.rpartition(")")[2].split()[0] not in "ZX":
            processes[pid] = stat.partition("(")[2].rpartition(")")[0]
    return processes
