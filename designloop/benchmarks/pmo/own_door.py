"""The door to the oracle of a task of our own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from designloop.benchmarks.pmo import own
from designloop.benchmarks.pmo.door import Door
from designloop.benchmarks.pmo.tasks import TASKS


class OwnDoor(Door):
    """As the door of PMO's tasks, of which it differs by the oracle alone, so that trials of these stay valid."""

    def __init__(self, task: str, budget: int, file: Path) -> None:
        """Open a door.

        Args:
            task: its name.
            budget: distinct molecules that may be paid for.
            file: of JSON lines; one that is there is gone on with.
        """
        super().__init__(TASKS[0], budget, file)
        self._oracle = getattr(import_module(own.MODULE), task)
