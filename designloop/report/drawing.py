"""The pictures of a campaign while it runs: drawn after its rounds, as often as costs the loop next to nothing."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from designloop.report.pictures import write_pictures
from designloop.tables.durable import disk_errors
from designloop.tables.query import open_candidates

MOST = 0.001
"""Share of the time that may go to drawing: after each round that takes a quarter of a minute, else not after each."""


class Drawing:
    """Draws the pictures of one campaign into its folder."""

    def __init__(self, folder: Path) -> None:
        """Reads nothing yet."""
        self._folder = folder
        self._candidates = open_candidates(folder)  # kept, so that each round is read once
        self._next = 0.0
        """Time on the clock before which they are not drawn again."""

    def after_round(self) -> None:
        """Draws them, unless that would take more than ``MOST`` of the time since it was last done."""
        if perf_counter() >= self._next:
            self.draw()

    def draw(self) -> list[Path]:
        """Draws them and returns their paths.

        Raises:
            DiskError: the disk is full or fails.
        """
        began = perf_counter()
        with disk_errors(f"the pictures in {self._folder} could not be written"):
            paths = write_pictures(self._candidates, self._folder)
        ended = perf_counter()
        self._next = ended + (ended - began) / MOST
        return paths
