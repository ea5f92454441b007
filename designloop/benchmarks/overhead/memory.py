"""Memory of this process's children, grandchildren and so on, with shared pages counted once in all (PSS)."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from designloop.loop.evaluation.processes import family, name_of


def descendants() -> dict[int, str]:
    """Returns process id -> name of every process that this one, or one of these, started."""
    names = {process: name_of(process) for process in family(os.getpid()) - {os.getpid()}}
    return {process: name for process, name in names.items() if name is not None}


def can_be_read() -> bool:
    """Tells whether the system reports the memory of processes: Linux does."""
    return Path("/proc/self/smaps_rollup").is_file()


def pss_bytes(process: int) -> int:
    """Reads a process's proportional set size: its pages, and its share of shared ones; 0 once it has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


@dataclass
class PeakMemory:
    """The most memory that was seen in use at one time."""

    bytes: int = 0
    by_name: dict[str, int] = field(default_factory=dict)
    """Name of a process -> bytes of all processes of that name, at the peak."""

    def look(self) -> None:
        """Measures the memory in use now, and keeps it if it is the most so far."""
        used: Counter[str] = Counter()
        for process, name in descendants().items():
            used[name] += pss_bytes(process)
        if (total := sum(used.values())) > self.bytes:
            self.bytes, self.by_name = total, dict(used.most_common())
