"""GuacaMol's tasks beside RDKit's parsing and beside the package guacamol: how many molecules a second, on one core.

Each side is a process of its own, and they take turns. A turn is one task on molecules of ZINC that no turn before it
had, so that nothing is remembered of them, whatever caches there are: all three parse anew. Counted is the processor's
time of the turn alone, and a ratio is of one turn's molecules.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from designloop.benchmarks.common.arms import choose
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.peers.benchmark import SCRIPTS as SERVING
from designloop.benchmarks.peers.environments import InstallError, install_alone
from designloop.benchmarks.peers.head_to_head import Side

SUMMARY = "GuacaMol's tasks beside RDKit's parsing and the package guacamol, in molecules a second on one core."

OPTIONS = frozenset({"seeds", "tasks", "work"})

PACKAGE = "guacamol==0.5.5"

TURNS = 15
"""Of each task."""

MOLECULES = 100
"""Of a turn."""

OTHERS = 2000
"""Molecules that our logP has met before."""

LEAST_OF_PARSES, LEAST_OF_PACKAGE = 0.25, 3.0
"""The bars of the tasks of several properties: our molecules a second over RDKit's parses, and over the package's."""

TOLERANCE = 1e-6
"""By which the mean of a turn's values may differ from the package's."""

SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Goal:
    """A task, by our name and by that of the package's function that makes it."""

    task: str
    theirs: str
    has_bars: bool


_OF_SEVERAL_PROPERTIES = {
    "amlodipine_mpo": "amlodipine_rings",
    "fexofenadine_mpo": "hard_fexofenadine",
    "osimertinib_mpo": "hard_osimertinib",
    "perindopril_mpo": "perindopril_rings",
    "ranolazine_mpo": "ranolazine_mpo",
    "sitagliptin_mpo": "sitagliptin_replacement",
    "zaleplon_mpo": "zaleplon_with_other_formula",
}

_OTHER_TASKS = {
    "deco_hop": "decoration_hop",
    "isomers_c7h8n2o2": "isomers_c7h8n2o2",
    "median1": "median_camphor_menthol",
    "scaffold_hop": "scaffold_hop",
    "valsartan_smarts": "valsartan_smarts",
}

GOALS = {
    task: Goal(task, theirs, has_bars)
    for goals, has_bars in ((_OF_SEVERAL_PROPERTIES, True), (_OTHER_TASKS, False))
    for task, theirs in goals.items()
}


class DifferentValuesError(RuntimeError):
    """The sides did not do the same, so their times tell nothing."""


def run(options: Options, say: Say) -> Results:
    """Times all tasks, or some; without the package, where it cannot be installed, beside RDKit's parsing alone."""
    tasks, turns = choose(tuple(GOALS), options.tasks, "task"), options.seeds or TURNS
    folder = options.work / "guacamol"
    folder.mkdir(parents=True, exist_ok=True)
    error, site = None, None
    try:
        site = install_alone(PACKAGE, folder / "package", say)
    except InstallError as problem:
        error = f"{PACKAGE} could not be installed: {problem}"
        say(error)
    scripts = {"parses": "parses.py", "ours": "ours.py"} | ({"package": "package.py"} if site else {})
    seconds = _take_turns(scripts, _task(tasks, turns, site), folder, say)
    rows = [make_row(GOALS[task], {side: of_task[task] for side, of_task in seconds.items()}) for task in tasks]
    return {"seeds": list(range(turns)), "molecules": MOLECULES, "error": error, "rows": rows}


def _task(tasks: Sequence[str], turns: int, site: Path | None) -> Mapping[str, Any]:
    """What all sides are given: turns of every task one after the other, each with molecules of its own."""
    from designloop.molecules.corpus import zinc

    count = turns * len(tasks)
    drawn = random.Random(20123).sample(zinc(), OTHERS + count * MOLECULES)
    cuts = range(OTHERS, len(drawn), MOLECULES)
    return {
        "site": None if site is None else str(site.resolve()),
        "goals": {task: GOALS[task].theirs for task in tasks},
        "others": drawn[:OTHERS],
        "turns": [
            {"task": tasks[number % len(tasks)], "smiles": drawn[cut : cut + MOLECULES]}
            for number, cut in enumerate(cuts)
        ],
    }


def _take_turns(
    scripts: Mapping[str, str], task: Mapping[str, Any], folder: Path, say: Say
) -> dict[str, dict[str, list[float]]]:
    """Side -> task -> seconds of the processor, one a turn."""
    file = folder / "task.json"
    file.write_text(json.dumps(task), encoding="utf-8")
    seconds: dict[str, dict[str, list[float]]] = {side: {name: [] for name in task["goals"]} for side in scripts}
    with ExitStack() as stack:
        sides = dict[str, Side]()
        for name, script in scripts.items():
            command = [sys.executable, "-P", str(SERVING / "serve.py"), str(SCRIPTS / script), str(file)]
            sides[name] = stack.enter_context(Side(name, command, folder, threads=1))
        for side in sides.values():
            side.wait_until_ready()
        for number, turn in enumerate(task["turns"]):
            taken = {name: side.take_turn(number) for name, side in sides.items()}
            _require_the_same(turn, {name: result.value for name, result in taken.items()})
            for name, result in taken.items():
                seconds[name][turn["task"]].append(result.seconds)
            if (number + 1) % len(task["goals"]) == 0:
                say(f"turn {(number + 1) // len(task['goals'])} of each task")
    return seconds


def _require_the_same(turn: Mapping[str, Any], values: Mapping[str, float]) -> None:
    """Looks at what the sides came to in a turn.

    Raises:
        DifferentValuesError: not all molecules were parsed, or ours and the package's scores differ.
    """
    count = len(turn["smiles"])
    if values["parses"] != count:
        raise DifferentValuesError(f"RDKit parsed {values['parses']:.0f} of {count} molecules, expected all of ZINC's")
    if abs(values["ours"] - values.get("package", values["ours"])) > TOLERANCE:
        raise DifferentValuesError(
            f"{turn['task']}: the mean of {count} values is {values['ours']:.9f} by ours and {values['package']:.9f} "
            f"by the package, expected the same within {TOLERANCE:g}; their times tell nothing"
        )


def make_row(goal: Goal, seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The row of a task, as JSON values.

    Args:
        seconds: of ``parses``, ``ours`` and, where it is installed, ``package``, one a turn.
    """
    of_parses = [theirs / ours for theirs, ours in zip(seconds["parses"], seconds["ours"], strict=True)]
    package = seconds.get("package")
    of_package = package and [theirs / ours for theirs, ours in zip(package, seconds["ours"], strict=True)]
    return {
        "task": goal.task,
        "seconds": {side: list(of_side) for side, of_side in seconds.items()},
        "of_parses": median(of_parses),
        "of_package": median(of_package) if of_package else None,
        "holds_parses": median(of_parses) >= LEAST_OF_PARSES if goal.has_bars else None,
        "holds_package": median(of_package) >= LEAST_OF_PACKAGE if goal.has_bars and of_package else None,
    }


def merge(earlier: Results, now: Results) -> Results:
    """Puts the tasks of this run in the place of the same ones' earlier, and keeps the others."""
    rows = {row["task"]: row for row in (*earlier["rows"], *now["rows"])}
    return {**now, "rows": [rows[task] for task in GOALS if task in rows]}


def report(results: Results) -> str:
    """Shows speeds and ratios of each task, with the bars of those that have some."""
    molecules = results["molecules"]
    lines = []
    for row in results["rows"]:
        has_bars, sides = GOALS[row["task"]].has_bars, row["seconds"]
        speeds = {side: molecules / median(sides[side]) for side in ("parses", "ours", "package") if side in sides}
        lines.append(
            (
                row["task"],
                *(f"{speeds[side]:,.0f}" if side in speeds else None for side in ("parses", "ours", "package")),
                row["of_parses"],
                _range(sides["parses"], sides["ours"]),
                f"≥ {LEAST_OF_PARSES:g}" if has_bars else None,
                row["holds_parses"],
                row["of_package"],
                _range(sides["package"], sides["ours"]) if "package" in sides else None,
                f"≥ {LEAST_OF_PACKAGE:g}" if has_bars else None,
                row["holds_package"],
            )
        )
    columns = (
        "task", "RDKit's parses a second", "ours", PACKAGE.replace("==", " "),
        "ours over parses", "range", "bar", "holds", "ours over the package", "range", "bar", "holds",
    )  # fmt: skip
    turns = len(results["rows"][0]["seconds"]["ours"]) if results["rows"] else 0
    return "\n".join(
        [
            "Molecules a second of the processor's time, one thread. RDKit's `MolFromSmiles`, our oracle and the "
            f"package's own goal take turns, {turns} each, in processes of their own. A turn has {molecules} molecules "
            "of ZINC that no other turn has, whatever the task: all three parse them anew, and no cache has met them. "
            "Not counted: what is prepared once, as the target's fingerprint, and what our logP remembers of kinds of "
            f"atom from {OTHERS:,} other molecules. Ratios are medians of the turns' ratios. The means of our values "
            f"and of the package's are the same in each turn, within {TOLERANCE:g}.\n",
            *([f"**{results['error']}**\n"] if results["error"] else []),
            table(columns, lines),
        ]
    )


def _range(theirs: Sequence[float], ours: Sequence[float]) -> str:
    ratios = [one / other for one, other in zip(theirs, ours, strict=True)]
    return f"{min(ratios):.2f}–{max(ratios):.2f}"
