"""Small campaigns of oracles that misbehave, for the tests of evaluation and its backends."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from designloop.loop.evaluation.settings import EvaluationSettings
from designloop.oracles import Oracle, load
from designloop.records import Candidate, Evaluation
from designloop.testing.mischief import MISCHIEF

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
