"""Work on all cores, for scripts that are guarded or not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from designloop.molecules.pool import map_on_cores

SCRIPT = """
import numpy as np
open("runs.txt", "a").write("x")
from designloop.molecules.corpus import tokenise, zinc, zinc_codec
from designloop.molecules.training_corpus import fingerprint_targets

smiles = ["C" * length for length in range(1, 8)] * 200  # of more than one chunk
rows = tokenise(smiles, zinc_codec(), processes=2)
print(len(rows), fingerprint_targets(rows, zinc_codec(), 2).shape)
"""


def squared(number: int) -> tuple[int, int]:
    os.write(1, b"what is printed is no result")
    return number * number, os.getpid()


def failing(number: int) -> int:
    return 1 // number


def test_results_come_in_the_order_of_the_items_from_other_processes() -> None:
    results = list(map_on_cores(squared, range(20), 2))
    assert [square for square, _ in results] == [number * number for number in range(20)]
    assert os.getpid() not in {pid for _, pid in results}


def test_nothing_to_do_gives_nothing() -> None:
    assert list(map_on_cores(squared, [], 1)) == []


def test_what_raises_ends_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        list(map_on_cores(failing, [1, 0, 1], 1))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_who_loses_interest_is_not_waited_for() -> None:
    coming = map_on_cores(squared, [1] * 5000, 1)
    assert next(coming)[0] == 1
    coming.close()


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"DESIGNLOOP_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1400 (1400, 2)\n"
    assert (tmp_path / "runs.txt").read_text() == "x"
