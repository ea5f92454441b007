"""Processes that work for a campaign, wherever they fled to."""

from __future__ import annotations

import contextlib
from pathlib import Path

from designloop.loop.evaluation.child.oracle_child import CAMPAIGN_FOLDER


def living_in(folder: Path) -> dict[int, str]:
    """The processes that work for a campaign in this folder, and all that they started. Process id -> name."""
    processes = {}
    mark = f"{CAMPAIGN_FOLDER}={folder}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or only waits to be buried
            if mark in (process / "environ").read_bytes().split(b"\0"):
                processes[int(process.name)] = (process / "comm").read_text().strip()
    return processes
