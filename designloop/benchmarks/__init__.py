"""Benchmarks behind ``designloop benchmark NAME``: each is a file of this folder, or a folder with a ``benchmark.py``.

A run prints its results, writes them as a record of JSON, and makes the page of all records anew. What several
benchmarks share lies in ``common/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from designloop.benchmarks.common.options import Benchmark, Options
from designloop.benchmarks.common.registry import available, load

if TYPE_CHECKING:
    from designloop.benchmarks.common.options import Say

__all__ = ["Benchmark", "Options", "available", "load", "main"]


def main(name: str, output: Path, options: Options | None = None, say: Say = typer.echo) -> None:
    """Runs a benchmark, or ``all``, and writes its record into a folder; without a name, lists what there is.

    Args:
        output: folder of the records; the page of all of them is ``output`` with ``.md`` behind it.
        options: what differs from the benchmarks' own defaults.
    Raises:
        InputError: no such benchmark, an option that it does not heed, or a record that would be lost.
    """
    if not name:
        width = max(map(len, available()))
        for benchmark_name in available():
            say(f"{benchmark_name:{width}} {load(benchmark_name).SUMMARY}")
        say("Run one by `designloop benchmark NAME`, or all of them by `designloop benchmark all`.")
        return
    options = options or Options()
    chosen = {key: load(key) for key in (available() if name == "all" else [name])}
    for benchmark_name, benchmark in chosen.items():
        _refuse_other_options(benchmark_name, benchmark, options)
        _refuse_to_lose(benchmark_name, benchmark, options, output)
    for benchmark_name, benchmark in chosen.items():
        _run(benchmark_name, benchmark, output, options, say)


def _refuse_other_options(name: str, benchmark: Benchmark, options: Options) -> None:
    from designloop.api import InputError

    if unheeded := sorted(options.explicit().keys() - benchmark.OPTIONS):
        if unheeded[0] == "method":
            raise InputError(f"the benchmark {name} has no methods to choose from; leave {options.method!r} out")
        heeded = ", ".join(f"--{option}" for option in sorted(benchmark.OPTIONS - {"method"})) or "none"
        raise InputError(
            f"the benchmark {name} has no option --{unheeded[0]}; it has {heeded}. Leave --{unheeded[0]} out."
        )


def _refuse_to_lose(name: str, benchmark: Benchmark, options: Options, output: Path) -> None:
    """Refuses a run whose record would take the place of one that has more arms, tasks, seeds or calls."""
    from designloop.benchmarks.common.losing import refuse_before
    from designloop.benchmarks.common.records import read_record, record_path

    if (path := record_path(name, output)).is_file():
        refuse_before(path, read_record(path), benchmark, options)


def _run(name: str, benchmark: Benchmark, output: Path, options: Options, say: Say) -> None:
    import designloop
    from designloop.benchmarks.common.losing import refuse_after
    from designloop.benchmarks.common.machine import calibrations, machine
    from designloop.benchmarks.common.made_by import DIGITS
    from designloop.benchmarks.common.page import write_pages
    from designloop.benchmarks.common.records import Record, read_record, record_path, write_record
    from designloop.benchmarks.common.trials import code_digest

    say(f"{name}: {benchmark.SUMMARY}")
    measured, where = calibrations(), machine()
    results = benchmark.run(options, say)
    if (path := record_path(name, output)).is_file():
        earlier = read_record(path)
        if (merged := getattr(benchmark, "merge", None)) is not None:
            results = merged(earlier.results, results)
        if left_behind := refuse_after(path, earlier, results, options):
            say(left_behind)
    record = Record(
        benchmark=name,
        command=options.command(name),
        designloop=designloop.__version__,
        date=datetime.now(UTC).date().isoformat(),
        seeds=list(results["seeds"]),
        machine=where,
        calibrations=measured,
        results={key: value for key, value in results.items() if key != "seeds"},
        code=code_digest()[:DIGITS],
    )
    write_record(record, output)
    say("\n" + benchmark.report(record.results))
    drawn: Mapping[str, str] = getattr(benchmark, "pictures", lambda options, results: {})(options, record.results)
    for file, picture in drawn.items():
        (output / file).write_text(picture, encoding="utf-8")
    say(f"Wrote {', '.join(map(str, [path, *(output / file for file in drawn), *write_pages(output)]))}")
