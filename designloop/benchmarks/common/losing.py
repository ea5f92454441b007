"""What a run may not do to a record: take the place of measurements that it has not made anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from designloop.api import InputError
from designloop.benchmarks.common.options import Benchmark, Options, Results
from designloop.benchmarks.common.records import Record

PARTS = ("arms", "tasks", "cases", "kernels", "proposers")
"""Keys of results below which measurements stand, part by part and seed by seed."""

NOT_PARTS = frozenset({"jobs", "work"})
"""Options with which a run is as whole as without."""


def refuse_before(path: Path, earlier: Record, benchmark: Benchmark, options: Options) -> None:
    """Refuses a run that replaces a record, before it begins, where its options alone leave out what that has.

    Raises:
        InputError: fewer arms, tasks, seeds or calls are asked for, of a benchmark that does not merge.
    """
    if getattr(benchmark, "merge", None) is not None:
        return
    results = earlier.results
    arms: Collection[str] = next((results[part] for part in ("kernels", "proposers", "arms") if part in results), {})
    for part, recorded, chosen in (("arms", arms, options.arms), ("tasks", results.get("tasks", {}), options.tasks)):
        if chosen and (lost := [of for of in recorded if of not in chosen]):
            raise InputError(
                f"{path}: found a record with {part} {', '.join(lost)}, which --{part} leaves out, expected all of "
                f"them, for it is replaced. Add them, leave --{part} out, or give another --output"
            )
    if options.seeds is not None and options.seeds < len(earlier.seeds):
        raise InputError(
            f"{path}: found a record of {len(earlier.seeds)} seeds, expected --seeds of as many, for it is replaced. "
            "Give more, or another --output"
        )
    if options.calls is not None and options.calls < (calls := results.get("calls", 0)):
        raise InputError(
            f"{path}: found a record of {calls:,} calls, expected --calls of as many, for it is replaced. "
            "Give more, or another --output"
        )


def refuse_after(path: Path, earlier: Record, results: Results, options: Options) -> str:
    """Refuses to write a record that lacks what the earlier one has, unless its run was whole: by default options.

    Args:
        results: what would be written, merged already.
    Returns:
        A sentence on what a whole run's record leaves behind; empty where that is nothing.
    Raises:
        InputError: it lacks some, and options chose what was run.
    """
    lost = sorted(measured(earlier.results) - measured(results))
    if not lost:
        return ""
    words = ", ".join(" ".join(place) for place in lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
    if options.explicit().keys() - NOT_PARTS:
        raise InputError(
            f"{path}: found measurements that this run's record would not have ({words}), as they are not of the same "
            "search, expected none, for they would be lost. Nothing was written. Give another --output, where what ran "
            f"is read from {options.work}, or run it whole: without options but --jobs and --work"
        )
    return f"{path}: the whole run takes the place of a record that had more: {words}"


def measured(results: Results) -> set[tuple[str, ...]]:
    """The places of all measurements: by arm, task or case, and seed, in the order in which results have them."""
    return {place for part in PARTS if part in results for place in _places(results[part], (part,))}


def _places(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping):
        of = value.get("of")
        seeds = value.get("seeds", of.get("seeds") if isinstance(of, Mapping) else None)
        if seeds is None and value and all(key.isdigit() for key in value):
            seeds = value
        if seeds is None and place[0] == "cases" and len(place) == 3:  # of before it was kept by what an arm was made
            seeds = range(
                max((len(within) for within in list(value.values())[:1] if isinstance(within, list)), default=0)
            )
        if seeds is not None:
            yield from ((*place, f"seed {seed}") for seed in seeds)
            return
        inner = {key: within for key, within in value.items() if isinstance(within, Mapping | list)}
        for key, within in (inner or dict.fromkeys(value)).items():
            yield from _places(within, place if key in PARTS else (*place, key))
    elif isinstance(value, list):
        yield from ((*place, entry if isinstance(entry, str) else f"{row}") for row, entry in enumerate(value))
    else:
        yield place
