"""Two sides that do the same thing by turns, each in a process of its own that lives throughout."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any

LIMIT = 600.0
"""Seconds after which a side that does not answer is ended."""

PATIENCE = 10.0
"""Seconds that a side has for its last words."""

LAST = 5
"""Lines of what a failed side wrote that are shown."""


class HeadToHeadError(RuntimeError):
    """A side failed, or the two did not do the same; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of one side."""

    seconds: float
    value: float
    """What it came to."""


class Side:
    """A process that prepares itself, and then runs once for each seed; a context manager.

    Args:
        name: for messages.
        command: gives a line of JSON when it is ready, and one for each seed on standard input: ``serve.py`` does.
        folder: of what it writes to standard error.
        threads: that it computes with.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, threads: int) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(os.environ, threads),
            )

    def __enter__(self) -> Side:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_ready(self) -> None:
        """Waits until the side has prepared itself.

        Raises:
            HeadToHeadError: it ended before, or took longer than ``LIMIT``.
        """
        self._answer()

    def take_turn(self, seed: int) -> Turn:
        """Runs the side once.

        Raises:
            HeadToHeadError: it ended, or took longer than ``LIMIT``.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{seed}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise HeadToHeadError(self._complaint("ended")) from None
        answer = self._answer()
        return Turn(float(answer["seconds"]), float(answer["value"]))

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = Timer(LIMIT, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise HeadToHeadError(self._complaint(f"ended, or took longer than {LIMIT:g} s"))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _complaint(self, what: str) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)  # its last words may come after it has closed its output
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"{self.name} {what}; it wrote: " + ("\n".join(lines[-LAST:]) or "nothing")


def run_head_to_head(ours: Side, theirs: Side, seeds: Sequence[int], tolerance: float) -> list[tuple[Turn, Turn]]:
    """Gives either side a turn for each seed, one after the other: ours, theirs, ours, theirs and so on.

    A turn of each goes before that is not counted: threads, pages and tables are there afterwards.

    Args:
        tolerance: by which what they come to may differ, relative, in the mean over the seeds.

    Raises:
        HeadToHeadError: a side failed, or the two came to different things.
    """
    for side in (ours, theirs):
        side.wait_until_ready()
    for side in (ours, theirs):
        side.take_turn(seeds[0])
    turns = [(ours.take_turn(seed), theirs.take_turn(seed)) for seed in seeds]
    our_value, their_value = (sum(pair[side].value for pair in turns) / len(turns) for side in (0, 1))
    if not abs(our_value - their_value) <= tolerance * abs(their_value):
        raise HeadToHeadError(
            f"{ours.name} came to {our_value:g}, {theirs.name} to {their_value:g}, more than {tolerance:.1%} apart: "
            "they did not do the same, so their times tell nothing"
        )
    return turns


def _environment(mine: Mapping[str, str], threads: int) -> dict[str, str]:
    """Returns this process's variables with a number of threads, and without its Python path."""
    variables = {name: value for name, value in mine.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**variables, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
