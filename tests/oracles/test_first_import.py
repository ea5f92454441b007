"""Oracle files that kill or hang the process that imports them."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop.oracles import OracleError, describe, first_import, load, load_recipe
from tests.oracles.conftest import Write

SCORE = "\ndef score(smiles):\n    return dict.fromkeys(smiles, 1.0)\n"


def counted(tmp_path: Path) -> str:
    """The top of a file that leaves a mark, in a fixed place, each time that it is imported; of three lines."""
    return f"with open({str(tmp_path / 'imports.txt')!r}, 'a') as file:\n    file.write('x')\n\n"


def imports(folder: Path) -> int:
    return len((folder / "imports.txt").read_text())


@pytest.mark.parametrize(
    ("top", "line", "ended"),
    [
        ("import os\nos._exit(7)", r"\?", "exits with code 7"),
        ("import os\nos._exit(0)", r"\?", "exits with code 0"),
        ("import os\nos.kill(os.getpid(), 11)", "2", r"is killed by signal 11 \(SIGSEGV\)"),
        ("import os\nos.kill(os.getpid(), 9)", r"\?", r"is killed by signal 9 \(SIGKILL\)"),
    ],
)
def test_a_file_that_ends_its_process_is_refused_and_says_how(write: Write, top: str, line: str, ended: str) -> None:
    with pytest.raises(OracleError, match=rf"my_oracle\.py:{line}: the process that imports the file {ended}; take"):
        load("./my_oracle.py:score", folder=write(top + SCORE))


def test_a_file_that_hangs_is_refused_once_its_time_is_over(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_import, "IMPORT_SECONDS", 1.0)
    folder = write(counted(tmp_path) + "import time\ntime.sleep(1000)" + SCORE)
    for _ in range(2):
        with pytest.raises(OracleError, match=r"my_oracle\.py:5: the file is still being imported after 1 s; do at"):
            load("./my_oracle.py:score", folder=folder)
    assert imports(folder) == 1, "two properties of one file wait once"


def test_a_card_of_such_a_file_is_refused_too(write: Write) -> None:
    with pytest.raises(OracleError, match="exits with code 3"):
        describe("./my_oracle.py:score", write("import os\nos._exit(3)" + SCORE))


def test_a_file_that_asks_the_user_gets_no_answer(write: Write) -> None:
    with pytest.raises(OracleError, match=r"my_oracle\.py:1: EOFError: .*; the file must import without an error"):
        load("./my_oracle.py:score", folder=write("input('which?')" + SCORE))


def test_the_first_import_is_made_once_for_the_same_bytes_and_not_for_a_recipe(write: Write, tmp_path: Path) -> None:
    folder = write(counted(tmp_path) + SCORE)
    here = load("./my_oracle.py:score", folder=folder)
    assert imports(folder) == 2
    load("./my_oracle.py:score", folder=folder)
    assert imports(folder) == 3
    write(counted(tmp_path) + SCORE + "# changed\n")
    load("./my_oracle.py:score", folder=folder)
    assert imports(folder) == 5
    load_recipe(here.recipe(), dict(here.file_bytes), tmp_path / "worker")
    assert imports(folder) == 6


def test_a_file_that_was_mended_by_its_helper_is_tried_anew(write: Write) -> None:
    folder = write("from designloop.oracles import oracle\nimport helper\n@oracle(files=['helper.py'])" + SCORE)
    with pytest.raises(OracleError, match="No module named 'helper'"):
        load("./my_oracle.py:score", folder=folder)
    write("", "helper.py")
    assert load("./my_oracle.py:score", folder=folder).name == "score"


def test_threads_and_output_of_a_file_do_not_hold_up_its_import(write: Write) -> None:
    top = "import threading, time\nthreading.Thread(target=time.sleep, args=(0.5,)).start()\nprint('x' * 10**6)"
    assert load("./my_oracle.py:score", folder=write(top + SCORE)).score(["C"]) == {"C": 1.0}
