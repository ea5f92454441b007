from __future__ import annotations

import importlib
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from designloop.oracles import Oracle, OracleError, from_callable, load
from tests.oracles.conftest import Write

SOURCE = """
    def score(smiles):
        \"\"\"Ones.

        More.
        \"\"\"
        return dict.fromkeys(smiles, 1.0)

    def _private(smiles):
        return {}

    value = 3
"""


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("qde", r"no oracle is called 'qde'; did you mean 'qed'\?"),
        ("synthesis", r"no oracle is called 'synthesis'; `designloop oracles` lists them, \./my_oracle\.py:FUNCTION"),
        ("", "no oracle is called ''"),
        ("my_oracle", r"no oracle is called 'my_oracle'; for your own file, write \./my_oracle\.py:FUNCTION"),
        (
            "my_package.score",
            "no oracle is called 'my_package.score'; for a function of your own, write my_package:score",
        ),
        ("./my_oracle.py", r"names no function; write \./my_oracle\.py:score"),
        ("my_oracle.py:", r"names no function; write my_oracle\.py:score"),
        ("./my_oracel.py:score", r"there is no file .*/my_oracel\.py; did you mean 'my_oracle\.py'\?"),
        ("./other/x.py:score", r"there is no file .*/other/x\.py; paths are relative to the campaign's folder"),
        ("./my_oracle.py:scor", r"\./my_oracle\.py has no 'scor'; did you mean 'score'\?"),
        ("./my_oracle.py:value", r"'value' of \./my_oracle\.py is int; name a function or a class"),
        (
            "my_oracle:score",
            r"no module 'my_oracle' is installed; .* beside the campaign, write \./my_oracle\.py:score",
        ),
        ("no_such_module:score", "no module 'no_such_module' is installed; install it here and wherever workers run"),
        ("json:dunps", r"json has no 'dunps'; did you mean 'dumps'\?"),
        ("json.no_such:f", "no module 'json.no_such' is installed"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_to_write(write: Write, reference: str, message: str) -> None:
    folder = write(SOURCE)
    with pytest.raises(OracleError, match=message):
        load(reference, {}, folder)


def test_a_function_of_a_file_beside_the_campaign(write: Write) -> None:
    loaded = load("./my_oracle.py:score", folder=write(SOURCE))
    assert (loaded.name, loaded.reference, loaded.summary) == ("score", "./my_oracle.py:score", "Ones.")
    assert loaded.score(["CCO"]) == {"CCO": 1.0}


def test_a_file_may_be_named_without_the_dot_below_a_folder_or_absolutely(write: Write) -> None:
    folder = write(SOURCE, "deeper/my_oracle.py")
    for reference in ("deeper/my_oracle.py:score", f"{folder}/deeper/my_oracle.py:score"):
        assert load(reference, folder=folder).score(["CCO"]) == {"CCO": 1.0}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "x = 1\nimport no_such_module",
            r"my_oracle\.py:2: ModuleNotFoundError: No module named 'no_such_module'; the",
        ),
        ("def score(smiles)\n    return {}", r"my_oracle\.py:1: SyntaxError: expected ':'"),
        ("def f():\n    return 1 / 0\n\nf()", r"my_oracle\.py:2: ZeroDivisionError"),
        ("raise SystemExit('no licence')", r"my_oracle\.py:1: SystemExit: no licence; the file must import without"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why_and_where(write: Write, source: str, message: str) -> None:
    before = set(sys.modules)
    with pytest.raises(OracleError, match=message):
        load("./my_oracle.py:score", folder=write(source))
    assert set(sys.modules) <= before


@pytest.fixture
def installed(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path: whatever lies in it is installed."""
    folder = write("def score(smiles):\n    return dict.fromkeys(smiles, 2.0)", "site/installed_oracle.py") / "site"
    write("raise RuntimeError('no GPU')", "site/broken_oracle.py")
    write("import no_such_module", "site/needy_oracle.py")
    write("open('model.pkl')", "site/lost_oracle.py")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_a_function_of_an_installed_module(installed: Path) -> None:
    loaded = load("installed_oracle:score")
    assert loaded.score(["CCO"]) == {"CCO": 2.0}
    assert dict(loaded.file_bytes) == {}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "broken_oracle:score",
            "module 'broken_oracle' fails when imported: RuntimeError: no GPU; mend or reinstall it",
        ),
        ("needy_oracle:score", "module 'needy_oracle' imports 'no_such_module', which is not installed"),
        (
            "lost_oracle:score",
            r"FileNotFoundError: .*'model\.pkl'; it is imported in an empty folder, as by",
        ),
        ("installed_oracle:scores", r"installed_oracle has no 'scores'; did you mean 'score'\?"),
    ],
)
def test_an_installed_module_that_cannot_be_imported_says_why(installed: Path, reference: str, message: str) -> None:
    with pytest.raises(OracleError, match=message):
        load(reference)


def in_hand(smiles: list[str], weight: float = 1.0) -> dict[str, float]:
    return dict.fromkeys(smiles, weight)


def test_a_function_in_hand_is_loaded_as_a_campaign_would(installed: Path) -> None:
    installed_oracle = importlib.import_module("installed_oracle")
    assert from_callable(installed_oracle.score) == load("installed_oracle:score")
    mine = from_callable(in_hand, {"weight": 2})
    assert isinstance(mine, Oracle)
    assert mine.score(["CCO"]) == {"CCO": 2.0}


def test_a_function_that_workers_could_not_import_is_refused() -> None:
    with pytest.raises(OracleError, match="is not at the top of a module, so workers cannot import it; move it there"):
        from_callable(lambda smiles: {})


def test_a_file_is_imported_where_it_lies_and_cannot_move_the_process(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(
        "import os, pathlib\nFACTOR = float(pathlib.Path('factor.txt').read_text())\nos.chdir('/')\n" + dedent(SOURCE)
    )
    write("2", "factor.txt")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert load("./my_oracle.py:score", folder=folder).score(["C"]) == {"C": 1.0}
    assert Path.cwd() == folder / "elsewhere"
