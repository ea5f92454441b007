"""The package guacamol, as it stands. For what else it imports, and today's packages lack, stubs stand in."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from time import process_time
from typing import Any


class Stub(types.ModuleType):
    """A module whose every attribute can be imported, and is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def standard_benchmarks() -> Any:
    """The package's module of benchmarks; it wants ``fcd``, and SciPy's ``histogram`` of long ago."""
    import numpy
    import scipy

    scipy.histogram = numpy.histogram
    sys.modules["fcd"] = Stub("fcd")
    return importlib.import_module("guacamol.standard_benchmarks")


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A turn asks the package's own goal of its task for its molecules; its value is their mean."""
    sys.path.append(task["site"])
    suite = standard_benchmarks()
    goals = {name: getattr(suite, goal)().objective for name, goal in task["goals"].items()}

    def run(turn: int) -> dict[str, float]:
        smiles, goal = task["turns"][turn]["smiles"], goals[task["turns"][turn]["task"]]
        began = process_time()
        values = goal.score_list(smiles)
        return {"seconds": process_time() - began, "value": sum(map(float, values)) / len(smiles)}

    return run
