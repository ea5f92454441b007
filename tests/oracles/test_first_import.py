"""Oracle files that kill or hang the process that imports them."""

from __future__ import annotations

import builtins
import gc
import json
import locale
import logging
import os
import random
import re
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from designloop.oracles import OracleError, ParameterError, describe, first_import, load, load_recipe, own_files
from designloop.testing import odd_imports
from designloop.testing.odd_oracles import OracleCase, installed_in
from designloop.testing.processes import living_in
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


def test_a_file_is_imported_by_one_other_process_and_here_only_where_it_is_called(write: Write, tmp_path: Path) -> None:
    folder = write(counted(tmp_path) + SCORE)
    here = load("./my_oracle.py:score", folder=folder)
    assert imports(folder) == 1
    assert here.score(["C"]) == here.score(["C"]) == {"C": 1.0}
    assert imports(folder) == 2
    load_recipe(here.recipe(), dict(here.file_bytes), tmp_path / "worker")
    assert imports(folder) == 3


def test_properties_of_one_campaign_share_the_process_that_imports_their_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    folder = write(counted(tmp_path) + SCORE + "def weighed(smiles, weight: float):\n    return {}\n")
    with first_import.shared_processes():
        load("./my_oracle.py:score", folder=folder)
        assert load("./my_oracle.py:weighed", {"weight": 2}, folder).params == {"weight": 2.0}
        with pytest.raises(ParameterError, match=r"'weight': found 'two', expected a valid number"):
            load("./my_oracle.py:weighed", {"weight": "two"}, folder)
        with pytest.raises(OracleError, match="has no 'scores'; did you mean 'score'"):
            load("./my_oracle.py:scores", folder=folder)
        assert imports(folder) == 1
    assert not list(own_files.worker_folder().iterdir()), "the copy goes with the process"
    load("./my_oracle.py:score", folder=folder)
    assert imports(folder) == 2, "a helper may have changed meanwhile"


def state_of_this_process() -> dict[str, Any]:
    """What a file that is imported might change of the process that imports it."""
    functions = {
        (module.__name__, key): value for module in (builtins, json, os, time) for key, value in vars(module).items()
    }
    return {
        "functions": functions,
        "path": list(sys.path),
        "modules": set(sys.modules),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "streams": (sys.stdin, sys.stdout, sys.stderr, *(os.fstat(number).st_ino for number in (0, 1, 2))),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 (names that go while they are listed)
        "threads": threading.enumerate(),
        "locale": locale.setlocale(locale.LC_ALL),
        "warnings": (list(warnings.filters), warnings.warn),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "timer": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "depth": sys.getrecursionlimit(),
        "hooks": (sys.excepthook, sys.displayhook, threading.excepthook, sys.getprofile(), sys.gettrace()),
        "random": random.getstate(),
        "garbage": (gc.isenabled(), gc.get_freeze_count()),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "sockets": socket.getdefaulttimeout(),
        "umask": int(re.search(r"Umask:\s*(\d+)", Path("/proc/self/status").read_text())[1]),  # type: ignore[index]
    }


@pytest.mark.parametrize("case", [*odd_imports.HABITS, *odd_imports.DEADLY], ids=lambda case: case.name)
def test_no_file_harms_the_process_that_loads_it(case: OracleCase, write: Write) -> None:
    """That workers give the right values then is tried by `designloop benchmark robustness`."""
    folder = write(str(case.source))
    load("qed")  # what this package loads once
    before = state_of_this_process()
    if case.told:
        with pytest.raises(OracleError, match=rf"my_oracle\.py\b.*{case.told}|^KeyboardInterrupt$"):
            load("./my_oracle.py:score", folder=folder)
    else:
        assert load("./my_oracle.py:score", folder=folder).name == "score"
    after = state_of_this_process()
    assert {key for key in before if before[key] != after[key]} == set()
    assert living_in(folder) == {}


@pytest.mark.parametrize("case", [*odd_imports.HABITS, *odd_imports.DEADLY][::5], ids=lambda case: case.name)
def test_no_module_harms_the_process_that_loads_it(case: OracleCase, write: Write) -> None:
    """All of them, and that workers give the right values then, are tried by `designloop benchmark robustness`."""
    folder = write(str(case.source), "odd_module.py")
    load("qed")
    with installed_in(folder):
        before = state_of_this_process()
        if case.told:
            with pytest.raises(OracleError, match=rf"\bodd_module\b.*{case.told}|^KeyboardInterrupt$"):
                load("odd_module:score")
        else:
            assert load("odd_module:score").name == "score"
        after = state_of_this_process()
    assert {key for key in before if before[key] != after[key]} == set()
    assert living_in(folder) == {}


def test_a_module_that_hangs_is_refused_with_the_line_where_it_is_and_tried_anew_once_it_is_mended(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_import, "IMPORT_SECONDS", 1.0)
    folder = write("import time\ntime.sleep(1000)" + SCORE, "slow_module.py")
    with installed_in(folder):
        message = r"slow_module \(.*/slow_module\.py:2\): the module is still being imported after 1 s; do at its top"
        with pytest.raises(OracleError, match=message):
            load("slow_module:score")
        monkeypatch.undo()
        write(SCORE, "slow_module.py")
        assert load("slow_module:score").name == "score"


def test_a_module_is_imported_by_one_other_process_in_an_empty_folder_and_here_only_where_it_is_called(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = "import os\nopen('mark.txt', 'w').close()\nassert os.listdir() == ['mark.txt']\n"
    folder = write(counted(tmp_path) + mark + SCORE + "def other(smiles):\n    return {}\n", "site/quiet_module.py")
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    with installed_in(folder / "site"), first_import.shared_processes():
        loaded = load("quiet_module:score", folder=folder)
        assert load("quiet_module:other", folder=folder).name == describe("quiet_module:other", folder).name == "other"
        assert imports(folder) == 1
        assert "quiet_module" not in sys.modules
        assert not list((folder / "here").iterdir())
        assert loaded.score(["C"]) == {"C": 1.0}
        assert imports(folder) == 2
        load("quiet_module:score", folder=folder)
        assert imports(folder) == 2, "it is imported here already"
    del sys.modules["quiet_module"]


def test_files_that_a_module_declares_are_found_beside_it(write: Write) -> None:
    declared = "from designloop.oracles import oracle\n@oracle(files=['weights.json'])"
    folder = write(declared + SCORE, "package/declaring.py")
    write("", "package/__init__.py")
    with installed_in(folder):
        with pytest.raises(OracleError, match=r"declared file 'weights\.json' is not in .*/package"):
            load("package.declaring:score")
        write("{}", "package/weights.json")
        first = load("package.declaring:score").fingerprint
        write("[]", "package/weights.json")
        assert load("package.declaring:score").fingerprint != first


def test_a_file_that_was_mended_by_its_helper_is_tried_anew(write: Write) -> None:
    folder = write("from designloop.oracles import oracle\nimport helper\n@oracle(files=['helper.py'])" + SCORE)
    with pytest.raises(OracleError, match="No module named 'helper'"):
        load("./my_oracle.py:score", folder=folder)
    write("", "helper.py")
    assert load("./my_oracle.py:score", folder=folder).name == "score"


def test_threads_and_output_of_a_file_do_not_hold_up_its_import(write: Write) -> None:
    top = "import threading, time\nthreading.Thread(target=time.sleep, args=(0.5,)).start()\nprint('x' * 10**6)"
    assert load("./my_oracle.py:score", folder=write(top + SCORE)).score(["C"]) == {"C": 1.0}
