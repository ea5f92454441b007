"""Work on all cores for whoever asks, in a process of its own, which has the pool.

The processes of a pool import the script of the process that made it, so that a script without
``if __name__ == "__main__":`` would run again in each. In a process that runs no script there is none to import.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from designloop.molecules.pool import main
main()
"""


def map_on_cores(
    function: Callable[[T], R], items: Sequence[T], workers: int | None = None
) -> Generator[R, None, None]:
    """What a function gives for each item, in their order, as they come.

    Args:
        function: one of a module, or an object of a class of one, that can be pickled, as items and results can.
        items: what it is called with.
        workers: processes; by default one a core.

    Raises:
        subprocess.CalledProcessError: it raised; its traceback is on stderr.
    """
    command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump((function, list(items), workers or os.cpu_count()), process.stdin)
            process.stdin.close()
            for _ in items:
                yield pickle.load(process.stdout)
        except (BrokenPipeError, EOFError) as error:  # it has ended before its time
            raise subprocess.CalledProcessError(process.wait(), command[:1]) from error


def main() -> None:
    """Be the process with the pool: what to do comes on stdin, results go to where stdout was."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no result
    function, items, workers = pickle.load(sys.stdin.buffer)
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
        for result in pool.map(function, items):
            pickle.dump(result, results)
            results.flush()
