from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from designloop.oracles import Oracle, OracleError, ParameterError, load, load_recipe, own_files
from tests.oracles.conftest import Write

MAIN = """
    from designloop.oracles import oracle
    import helper

    @oracle(files=["helper.py", "data"])
    def score(smiles):
        import later
        return dict.fromkeys(smiles, helper.factor() * later.FACTOR)
"""
HELPER = """
    from pathlib import Path

    def factor():
        return float((Path(__file__).parent / "data" / "factor.txt").read_text())
"""


@pytest.fixture
def with_helper(write: Write) -> Callable[[str, float], Path]:
    """Writes an oracle that needs a module when imported, another when called, and a file of data."""

    def into(folder: str, factor: float) -> Path:
        write(MAIN.replace('"data"', '"data", "later.py"'), f"{folder}/my_oracle.py")
        write(HELPER, f"{folder}/helper.py")
        write("FACTOR = 2.0", f"{folder}/later.py")
        return write(str(factor), f"{folder}/data/factor.txt") / folder

    return into


def moved(oracle: Oracle, folder: Path) -> Oracle:
    """As a worker on another machine has it."""
    return load_recipe(oracle.recipe(), dict(oracle.file_bytes), folder)


def test_an_oracle_travels_with_its_files(with_helper: Callable[[str, float], Path], tmp_path: Path) -> None:
    here = load("./my_oracle.py:score", folder=with_helper("a", 3.0))
    assert sorted(here.file_bytes) == ["own/data/factor.txt", "own/helper.py", "own/later.py", "own/my_oracle.py"]
    there = moved(here, tmp_path / "worker")
    (tmp_path / "a" / "helper.py").unlink()  # nothing of the first folder is needed any more
    assert there == here
    assert there.reference == "./my_oracle.py:score"
    assert there.score(["CCO"]) == {"CCO": 6.0}


def test_two_files_of_the_same_name_with_helpers_of_the_same_name_do_not_clash(
    with_helper: Callable[[str, float], Path], tmp_path: Path
) -> None:
    one = load("./my_oracle.py:score", folder=with_helper("a", 3.0))
    other = load("./my_oracle.py:score", folder=with_helper("b", 5.0))
    there = moved(one, tmp_path / "worker")
    for _ in range(2):
        assert one.score(["CCO"]) == there.score(["CCO"]) == {"CCO": 6.0}
        assert other.score(["CCO"]) == {"CCO": 10.0}


def test_the_path_and_the_modules_of_the_process_are_left_as_they_were(
    with_helper: Callable[[str, float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody_elses = type(sys)("helper")
    monkeypatch.setitem(sys.modules, "helper", somebody_elses)
    path = list(sys.path)
    loaded = load("./my_oracle.py:score", folder=with_helper("a", 3.0))
    assert loaded.score(["CCO"]) == {"CCO": 6.0}
    assert sys.path == path
    assert sys.modules["helper"] is somebody_elses
    assert "later" not in sys.modules


def test_a_failing_call_leaves_the_path_as_it_was(write: Write) -> None:
    loaded = load("./my_oracle.py:score", folder=write("def score(smiles):\n    raise RuntimeError('no GPU')"))
    path = list(sys.path)
    with pytest.raises(RuntimeError, match="no GPU"):
        loaded.score(["CCO"])
    assert sys.path == path


def test_a_helper_that_is_not_declared_is_refused_with_the_fix(write: Write) -> None:
    folder = write("import helper\ndef score(smiles):\n    return {}")
    write("", "helper.py")
    with pytest.raises(OracleError, match=r"imports helper\.py, which workers elsewhere would lack; declare it: "):
        load("./my_oracle.py:score", folder=folder)


def test_a_package_beside_the_oracle_is_declared_as_a_folder(write: Write, tmp_path: Path) -> None:
    folder = write("""
        from designloop.oracles import oracle
        from mine import one

        @oracle(files=["mine"])
        def score(smiles):
            return one(smiles)
    """)
    write("from mine.deep import one", "mine/__init__.py")
    write("def one(smiles):\n    return dict.fromkeys(smiles, 1.0)", "mine/deep.py")
    here = load("./my_oracle.py:score", folder=folder)
    assert moved(here, tmp_path / "worker").score(["CCO"]) == {"CCO": 1.0}
    assert not [name for name in here.file_bytes if "__pycache__" in name]


def test_the_project_itself_is_never_loaded_a_second_time(write: Write) -> None:
    folder = write("from designloop.oracles import oracle\n@oracle(version='7')\ndef score(smiles):\n    return {}")
    write("raise ImportError('a second copy')", "designloop/__init__.py")  # a checkout is the campaign's folder
    assert load("./my_oracle.py:score", folder=folder).version == "7"


def test_a_file_may_be_named_like_a_module_of_the_standard_library(write: Write) -> None:
    import random

    folder = write("import json\ndef score(smiles):\n    return dict.fromkeys(json.loads(json.dumps(smiles)), 1.0)")
    write("", "random.py")
    assert load("./my_oracle.py:score", folder=folder).score(["CCO"]) == {"CCO": 1.0}
    assert sys.modules["random"] is random


def test_a_stale_byte_code_file_is_not_taken_for_the_oracle(write: Write) -> None:
    for value in (1.0, 2.0):  # same length, and within the second that a file's time is kept to
        folder = write(f"def score(smiles):\n    return dict.fromkeys(smiles, {value})")
        os.utime(folder / "my_oracle.py", (0, 0))
        assert load("./my_oracle.py:score", folder=folder).score(["CCO"]) == {"CCO": value}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("model.pkl", "declared file 'model.pkl' is not in .*; put it there or leave it out"),
        ("../model.pkl", "declared file '../model.pkl' lies outside .*, so it cannot travel; put it beside the oracle"),
    ],
)
def test_a_declared_file_that_is_not_there_is_refused(write: Write, declared: str, message: str) -> None:
    source = (
        f"from designloop.oracles import oracle\n@oracle(files=[{declared!r}])\ndef score(smiles):\n    return {{}}"
    )
    folder = write(source, "deeper/my_oracle.py") / "deeper"
    with pytest.raises(OracleError, match=message):
        load("./my_oracle.py:score", folder=folder)


READS_A_FILE = """
    from pathlib import Path

    def score(smiles, model: Path, other: Path = Path("default.txt")):
        return dict.fromkeys(smiles, float(model.read_text()) + float(other.read_text()))
"""


def test_a_parameter_that_is_a_path_is_a_file_beside_the_campaign_and_travels(write: Write, tmp_path: Path) -> None:
    write(READS_A_FILE, "oracles/my_oracle.py")
    write("10", "oracles/default.txt")
    folder = write("1", "models/m.txt")
    here = load("oracles/my_oracle.py:score", {"model": "models/m.txt"}, folder)
    assert here.params["model"] == "models/m.txt"
    there = moved(here, tmp_path / "worker")
    assert here.score(["CCO"]) == there.score(["CCO"]) == {"CCO": 11.0}
    assert there == here


def test_what_a_path_parameter_points_at_counts_and_not_where_it_lies(write: Write) -> None:
    write(READS_A_FILE)
    write("10", "default.txt")
    write("1", "deeper/m.txt")
    folder = write("1", "m.txt")
    one = load("./my_oracle.py:score", {"model": "m.txt"}, folder)
    assert one == load("./my_oracle.py:score", {"model": "deeper/m.txt"}, folder)
    write("2", "m.txt")
    assert one != load("./my_oracle.py:score", {"model": "m.txt"}, folder)
    with pytest.raises(ParameterError, match=r"'model': found '.*/n\.txt', expected a file; relative paths are"):
        load("./my_oracle.py:score", {"model": "n.txt"}, folder)


def test_files_that_did_not_come_are_asked_for(with_helper: Callable[[str, float], Path], tmp_path: Path) -> None:
    here = load("./my_oracle.py:score", folder=with_helper("a", 3.0))
    with pytest.raises(OracleError, match=r"the files of oracle '\./my_oracle\.py:score' did not come with its recipe"):
        load_recipe(here.recipe(), None, tmp_path / "worker")
    with pytest.raises(OracleError, match="did not come with its recipe; send file_bytes too"):
        load_recipe(here.recipe(), {**here.file_bytes, "own/helper.py": b""}, tmp_path / "worker")
    moved(here, tmp_path / "worker")
    assert load_recipe(here.recipe(), None, tmp_path / "worker") == here  # now they lie there


def test_files_that_were_changed_on_the_worker_are_written_again(
    with_helper: Callable[[str, float], Path], tmp_path: Path
) -> None:
    here = load("./my_oracle.py:score", folder=with_helper("a", 3.0))
    moved(here, tmp_path / "worker")
    (tmp_path / "worker" / here.fingerprint / "own" / "data" / "factor.txt").write_text("99")
    assert moved(here, tmp_path / "worker").score(["CCO"]) == {"CCO": 6.0}
    assert os.listdir(tmp_path / "worker") == [here.fingerprint]  # noqa: PTH208 (nothing half-written is left aside)


def test_two_workers_may_write_the_same_files_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, files = tmp_path / "worker" / "f", {"own/a.py": b"1", "own/b/c.bin": b"\0"}
    first = Path.rename

    def somebody_was_first(aside: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", first)
        own_files.write_files(files, target)
        return first(aside, target)

    monkeypatch.setattr(Path, "rename", somebody_was_first)
    own_files.write_files(files, folder)
    assert own_files.holds(folder, own_files.digests(files))


def test_a_worker_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert own_files.worker_folder().stat().st_mode & 0o777 == 0o700
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    (tmp_path / f"designloop-oracles-{user + 1}").mkdir()
    with pytest.raises(OracleError, match="belongs to another user; remove it, or set TMPDIR to a folder of your own"):
        own_files.worker_folder()


def test_a_recipe_is_the_same_oracle_in_another_process(write: Write, tmp_path: Path) -> None:
    import json

    source = "def score(smiles):\n    return {s: float(len(s)) for s in smiles}"
    here = load("./my_oracle.py:score", folder=write(source))
    (tmp_path / "recipe.json").write_text(json.dumps(here.recipe()))
    code = (
        "import json, sys; from designloop.oracles import load_recipe\n"
        f"oracle = load_recipe(json.load(open('recipe.json')), {dict(here.file_bytes)!r})\n"
        "print(oracle.fingerprint, oracle.score(['CCO', 'C']))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(own_files.__file__).parents[2]), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split(maxsplit=1) == [here.fingerprint, "{'CCO': 3.0, 'C': 1.0}\n"]


def test_a_program_among_the_files_stays_one_and_permissions_do_not_count_in_the_fingerprint(
    write: Write, tmp_path: Path
) -> None:
    write("#!/bin/sh\n", "tools/dock")
    write("#!/bin/sh\n", "other.sh")
    source = (
        "from pathlib import Path\nfrom designloop.oracles import oracle\n@oracle(files=['tools'])\n"
        "def score(smiles, program: Path):\n    return {}"
    )
    folder = write(source)

    def here(mode: int) -> Oracle:
        (folder / "tools" / "dock").chmod(mode)
        (folder / "other.sh").chmod(mode)
        return load("./my_oracle.py:score", {"program": "other.sh"}, folder)

    text, program = here(0o644), here(0o755)
    assert text == program
    for oracle, mode in ((text, 0o644), (program, 0o755), (here(0o550), 0o755)):
        moved(oracle, tmp_path / "worker")
        home = tmp_path / "worker" / oracle.fingerprint
        assert (home / "own" / "tools" / "dock").stat().st_mode & 0o777 == mode, "one that lay there before is replaced"
        assert (home / "params" / "program" / "other.sh").stat().st_mode & 0o777 == mode


def test_a_file_is_known_by_its_own_name_while_it_is_at_work_only(write: Write) -> None:
    import pickle

    folder = write(
        "import pickle\nclass Thing:\n    pass\ndef score(smiles):\n    return {'C': pickle.dumps(Thing())}", "mine.py"
    )
    one, other = load("./mine.py:score", folder=folder), load("./mine.py:score", folder=folder)
    assert b"mine" in one.score(["C"])["C"] == other.score(["C"])["C"]
    assert "mine" not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="mine"):
        pickle.loads(one.score(["C"])["C"])


def test_a_file_that_fails_is_forgotten(write: Write) -> None:
    with pytest.raises(OracleError, match="ZeroDivisionError"):
        own_files.import_file(folder := write("1 / 0", "mine.py") / "mine.py", b"1 / 0", own_files.OwnImports(folder))
    assert "mine" not in sys.modules


def test_a_link_to_a_file_elsewhere_is_an_oracle_too(write: Write) -> None:
    folder = write("", "campaign/other.txt") / "campaign"
    (folder / "linked.py").symlink_to(
        write("def score(smiles):\n    return {'C': 1.0}", "elsewhere/my_oracle.py") / "elsewhere/my_oracle.py"
    )
    assert load("./linked.py:score", folder=folder).score(["C"]) == {"C": 1.0}
