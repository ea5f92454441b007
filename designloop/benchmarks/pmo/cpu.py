"""CPU seconds of a trial, summed over the processes that it was interrupted in."""

from __future__ import annotations

import os
from pathlib import Path


class CpuClock:
    """What a trial has cost so far: this process and its children since now, and what a file says of those before.

    Args:
        file: one number; written whenever it is noted.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._before = file, float(file.read_text(encoding="utf-8")) if file.is_file() else 0.0
        self._began = spent()

    @property
    def seconds(self) -> float:
        """Of all processes; of one that was killed, what it had noted last."""
        return self._before + spent() - self._began

    def note(self) -> None:
        """Keeps what was spent so far for a later process."""
        self._file.write_text(f"{self.seconds:.3f}", encoding="utf-8")


def spent() -> float:
    """User and system seconds of this process, all of its threads, and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
