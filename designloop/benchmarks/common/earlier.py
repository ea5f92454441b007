"""Searches as they were at an earlier revision of this repository, run by the code and the model of then.

What a newer strategy is set against is so the older one itself, not today's parts put together in its likeness.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

from designloop import api
from designloop.benchmarks.common.measures import Call, measure_calls
from designloop.benchmarks.common.sources import ROOT
from designloop.benchmarks.common.trials import TrialResult

REVISION = "1e2b1049d62e0e9d"
"""Of a commit: the last one before the strategies were taken apart and made anew."""

_SCRIPT = """
import json, sys
from designloop import api
file, overrides = sys.argv[1], json.loads(sys.argv[2])
campaign = api.load_campaign(file, overrides)
api.run(campaign)
rows = api.open_candidates(campaign.output_folder).to_arrow()
columns = [rows[name].to_pylist() for name in ("smiles", "score", "proposer")]
with open(sys.argv[3], "w") as lines:
    json.dump(list(zip(*columns)), lines)
"""
"""What is run there; its interface has stayed as it was."""


def run_earlier(strategy: str, file: Path, overrides: Mapping[str, Any], folder: Path) -> TrialResult:
    """Measures a strategy as it was, on the campaign file of the same name that stood there; nothing is left behind.

    Args:
        strategy: its name then.
        overrides: of which those that were known then count: seed, calls and backend.
    Raises:
        InputError: this is no clone with its history, or the revision has no such file, or another one.
    """
    began, budget = perf_counter(), api.load_campaign(file, overrides).budget.oracle_calls
    known = {key: overrides[key] for key in ("seed", "evaluation.backend") if key in overrides}
    known["budget.oracle_calls"] = budget
    with tempfile.TemporaryDirectory(dir=folder) as place:
        there = Path(place)
        unpack(there / "code")
        then = there / "code" / "campaigns" / file.name
        if not then.is_file():
            raise api.InputError(f"revision {REVISION} has no campaigns/{file.name}; leave this arm out by --arms")
        _refuse_others(file, then)
        places = {"output": str(there / "campaign"), "ledger": str(there / "ledger.sqlite")}
        settings = {"strategy": {"name": strategy}, "budget.patience": None, **known, **places}
        calls = there / "calls.json"
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(then), json.dumps(settings), str(calls)],
            cwd=there / "code",
            env={**os.environ, "PYTHONPATH": str(there / "code")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{strategy} of revision {REVISION} ended with {done.returncode}:\n{done.stderr}")
        rows = [Call(*row) for row in json.loads(calls.read_text())]
    return {**measure_calls(rows, budget), "seconds": perf_counter() - began}


def _refuse_others(now: Path, then: Path) -> None:
    """Returns if a campaign file, and the oracles that it names beside it, are what they were."""
    named = [path.name for path in now.parent.glob("*.py") if path.name in now.read_text(encoding="utf-8")]
    for name in (now.name, *sorted(named)):
        before = then.with_name(name)
        if not before.is_file() or before.read_bytes() != now.with_name(name).read_bytes():
            raise api.InputError(
                f"{now.with_name(name)} is not what it was at revision {REVISION}, so that searches of then and of now "
                "would be for different molecules; leave this arm out by --arms"
            )


def unpack(folder: Path) -> None:
    """Writes the files of the revision into a folder.

    Raises:
        InputError: this is no clone with its history.
    """
    command = ["git", "-C", str(ROOT), "archive", REVISION, "designloop", "oracles", "campaigns"]
    try:
        packed = subprocess.run(command, capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise api.InputError(
            f"revision {REVISION} cannot be read by git from {ROOT}; run in a clone with its whole history, or leave "
            "this arm out by --arms"
        ) from error
    with tarfile.open(fileobj=BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
