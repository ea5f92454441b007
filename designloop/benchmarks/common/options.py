"""The options of benchmarks, and what a benchmark is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

Results = Mapping[str, Any]
"""What a benchmark found, as JSON values."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a user may set; a benchmark lists those that it takes, and None stands for its own default."""

    campaign: Path | None = None
    """The campaign file that is run."""
    model: str | None = None
    """A shipped model by name, or a file, instead of the campaign's."""
    seeds: int | None = None
    """Seeds 0, 1, … of each arm."""
    calls: int | None = None
    """Oracle calls of each campaign."""
    arms: tuple[str, ...] = ()
    """Only these arms; all without any."""
    tasks: tuple[str, ...] = ()
    """Only these tasks of a benchmark that has several; all without any."""
    jobs: int = 1
    """Processes side by side, among which the cores are shared out."""
    work: Path = Path("build/benchmarks")
    """Folder of what is kept, so that a benchmark that was interrupted goes on where it was."""
    method: str | None = None
    """One method of a benchmark that has several; all of them without it."""

    def explicit(self) -> dict[str, Any]:
        """Returns the options that are not at their defaults."""
        return {
            option.name: getattr(self, option.name)
            for option in fields(self)
            if getattr(self, option.name) != option.default
        }

    def command(self, name: str) -> str:
        """Returns the command line that runs a benchmark so, without the folder of unfinished work."""
        options = self.explicit()
        options.pop("work", None)
        words = ["designloop", "benchmark", name, *([options.pop("method")] if "method" in options else [])]
        for option, value in options.items():
            words += [f"--{option}", ",".join(value) if isinstance(value, tuple) else str(value)]
        return shlex.join(words)


class Benchmark(Protocol):
    """A module of ``designloop.benchmarks``: adding one file with these four names is all that a new one takes.

    It may have three more: ``merge(earlier, now) -> Results`` keeps what an earlier record has and this run has not
    measured; ``pages(records) -> {path: Markdown}`` gives further pages, from the folder of the documentation, of the
    results of every benchmark that has a record, by name; ``pictures(options, results) -> {file: SVG}`` gives what
    stands beside the record.
    """

    SUMMARY: str
    """What it shows, in one line."""
    OPTIONS: frozenset[str]
    """The options that it takes."""

    @staticmethod
    def run(options: Options, say: Say) -> Results:
        """Runs the benchmark and reports its progress.

        Raises:
            InputError: the options do not fit, or something is not installed.
        """
        ...

    @staticmethod
    def report(results: Results) -> str:
        """Returns the results as Markdown, for the terminal and for docs/benchmarks.md."""
        ...
