"""What becomes of inputs that nobody expects: odd SMILES, files, campaign files, oracles, command lines, damage.

Each case says what must come of it: the right value, or an error of ours that names the file, line or key. A fault is a
traceback, a change that nobody is told of, a wrong exit code, or a message that does not name what is wrong. The cases
lie in ``designloop.testing``, whose tests run them in small.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from designloop.benchmarks.common.arms import choose
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.trials import ROOT, Trial, digest_of, run_trials
from designloop.benchmarks.robustness.parts import KINDS, PARTS, Part, run_part

SUMMARY = "Of inputs that nobody expects, those that end in a traceback, a silent change, a wrong exit code or message."

OPTIONS = frozenset({"jobs", "work", "tasks"})

LEAST_SMILES, LEAST_OTHERS = 100_000, 300
_FAULTS_KEPT = 100

_ALL = ("designloop", "oracles")
_DECIDING = {"smiles": ("designloop/molecules", "designloop/testing/odd_smiles.py")}
"""Part -> folders and files of code that decide what is found; by default all of them."""


def run(options: Options, say: Say) -> Results:
    """Tries all cases; what has been tried by the same code is not tried again."""
    chosen = choose([part.name for part in PARTS], options.tasks, "task")
    trials = [
        Trial(
            part.name.replace(" ", "-"),
            number,
            partial(run_part, part.name, number),
            {"part": part.name},
            _digest(part.name),
        )
        for part in PARTS
        if part.name in chosen
        for number in range(part.trials)
    ]
    results = run_trials(trials, options.work / "robustness", options.jobs, say)
    commit = commit_of(ROOT)
    parts = {
        part.name: {**summarise(list(results[arm_of(part)].values())), "seeds": part.seeds, "commit": commit}
        for part in PARTS
        if arm_of(part) in results
    }
    return {"seeds": [], "parts": parts, "bars": bars(parts)}


def merge(earlier: Results, now: Results) -> Results:
    """Puts the parts of this run in the place of their earlier ones, and keeps the others."""
    both = {**earlier["parts"], **now["parts"]}
    parts = {part.name: both[part.name] for part in PARTS if part.name in both}
    return {**now, "parts": parts, "bars": bars(parts)}


def commit_of(folder: Path) -> str:
    """Names the commit that is checked out in a folder, and says whether code has changed since; empty without one."""
    words = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty= with changes"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # git is not installed
        return ""
    return done.stdout.strip()


def arm_of(part: Part) -> str:
    """The part's name as that of a folder."""
    return part.name.replace(" ", "-")


def summarise(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts the cases of a part, and its faults by kind."""
    faults = [fault for trial in trials for fault in trial["faults"]]
    kinds = Counter(fault["fault"].partition(":")[0] for fault in faults)
    return {
        "cases": sum(trial["cases"] for trial in trials),
        "seconds": sum(trial["seconds"] for trial in trials),
        **{kind: kinds[kind] for kind in KINDS},
        "faults": faults[:_FAULTS_KEPT],
    }


def bars(parts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lists what is asked, what was found, and whether it holds."""
    others = sum(part["cases"] for name, part in parts.items() if name != "smiles")
    counted = [
        ("odd SMILES, at least", LEAST_SMILES, parts["smiles"]["cases"] if "smiles" in parts else 0),
        ("other cases, at least", LEAST_OTHERS, others),
    ]
    faults = [(f"{_WORDS[kind]}, at most", 0, sum(part[kind] for part in parts.values())) for kind in KINDS]
    return [
        *({"what": what, "bar": bar, "found": found, "holds": found >= bar} for what, bar, found in counted),
        *({"what": what, "bar": bar, "found": found, "holds": found <= bar} for what, bar, found in faults),
    ]


_WORDS = {
    "traceback": "tracebacks",
    "silent": "silent changes",
    "exit code": "wrong exit codes",
    "message": "messages that do not name what is wrong",
}


def report(results: Results) -> str:
    """Writes the results as Markdown."""
    rows = [
        [
            name,
            f"{part['cases']:,}",
            *(part[kind] for kind in KINDS),
            f"{part['seeds'][0]} to {part['seeds'][-1]}" if part["seeds"] else "",
            part["commit"],
            f"{part['seconds']:,.0f}",
        ]
        for name, part in results["parts"].items()
    ]
    lines = [
        table(
            ["", "bar", "found", "holds"],
            [[b["what"], f"{b['bar']:,}", f"{b['found']:,}", b["holds"]] for b in results["bars"]],
        ),
        table(["part", "cases", *(_WORDS[kind] for kind in KINDS), "seeds", "commit", "seconds"], rows),
    ]
    faults = [(name, fault) for name, part in results["parts"].items() for fault in part["faults"]]
    lines += [f"- {name}: `{fault['case'][:100]}`: {fault['fault'][:300]}" for name, fault in faults[:20]]
    return "\n".join(lines)


@cache
def _digest(part: str) -> str:
    """Digests the code that decides what becomes of the cases of a part."""
    places = [ROOT / place for place in _DECIDING.get(part, _ALL)]
    files = [path for place in places for path in (place.rglob("*") if place.is_dir() else [place])]
    return digest_of(sorted(path for path in files if path.suffix in (".py", ".smarts", ".smi")))
