"""Memory of this process's children, grandchildren and so on, with shared pages counted once in all (PSS)."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


def descendants() -> dict[int, str]:
    """Returns process id -> name of every process that this one, or one of these, started."""
    parents: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            before, _, after = (folder / "stat").read_text(errors="replace").rpartition(")")
        except OSError:  # it has just ended
            continue
        number, name = before.split(" (", 1)
        names[int(number)] = name
        parents.setdefault(int(after.split()[1]), []).append(int(number))
    processes: dict[int, str] = {}
    todo = list(parents.get(os.getpid(), ()))
    while todo:
        process = todo.pop()
        processes[process] = names[process]
        todo += parents.get(process, ())
    return processes


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
