"""`oracles` means the modules of `designloop.oracles`, or somebody else's, and never a second copy."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from designloop.oracles import OracleError, load
from tests.oracles.conftest import Write

ROOT = Path(__file__).parents[2]

DECLARED = (
    "from oracles import oracle\n\n@oracle(version='7')\ndef score(smiles):\n    return dict.fromkeys(smiles, 1.0)"
)

SAME = """
import oracles.base, oracles.declaration
from oracles import oracle
import designloop.oracles as full
import designloop.oracles.base, designloop.oracles.declaration
assert oracles is full and oracle is full.oracle
assert oracles.base is full.base and oracles.declaration is full.declaration
assert [name for name in sys.modules if name.startswith("oracles.")] == ["oracles.base", "oracles.declaration"]
assert full.__spec__.name == "designloop.oracles" and full.base.__spec__.name == "designloop.oracles.base"
"""


def python(code: str, folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """A fresh process in a folder, with nothing but this folder and a path of ours to import from."""
    environment = os.environ | {"PYTHONPATH": str(path)}
    command = [sys.executable, "-S", "-c", f"import sys\n{code}"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with ``designloop`` and no ``oracles`` beside it, as an installation has it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "designloop").symlink_to(ROOT / "designloop")
    return tmp_path / "site"


@pytest.mark.parametrize("first", ["", "import designloop", "import designloop.oracles"])
def test_in_a_checkout_both_names_are_one_package(first: str) -> None:
    done = python(first + SAME, ROOT, ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("files", [{}, {"oracles/my_oracle.py": ""}, {"oracles/notes.txt": ""}])
def test_where_it_is_installed_the_short_name_is_understood_once_designloop_is_there(
    write: Write, installed: Path, files: dict[str, str], tmp_path: Path
) -> None:
    for name, text in files.items():
        write(text, name)
    done = python("import designloop" + SAME, tmp_path, installed)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["oracles.py", "oracles/__init__.py", "site/oracles/__init__.py"])
def test_who_else_has_the_short_name_keeps_it_and_hinders_nothing(
    write: Write, installed: Path, name: str, tmp_path: Path
) -> None:
    write("MINE = 1", name)
    code = "import designloop, designloop.oracles.declaration\nimport oracles\nassert oracles.MINE == 1"
    done = python(code, tmp_path, installed)
    assert done.returncode == 0, done.stderr
    refused = python("import designloop\nfrom oracles.declaration import oracle", tmp_path, installed)
    assert "ModuleNotFoundError" in refused.stderr


def test_a_name_that_the_package_lacks_is_not_found(installed: Path, tmp_path: Path) -> None:
    done = python("import designloop\nimport oracles.nonsense", tmp_path, installed)
    assert "ModuleNotFoundError: No module named 'oracles.nonsense'" in done.stderr


@pytest.mark.parametrize("name", ["my_oracle.py", "oracles.py"])
def test_an_oracles_file_may_use_the_short_name(write: Write, name: str) -> None:
    oracle = load(f"./{name}:score", folder=write(DECLARED, name))
    assert oracle.version == "7"
    assert oracle.score(["CCO"]) == {"CCO": 1.0}


def test_the_short_name_beside_a_checkout_is_no_second_copy(write: Write) -> None:
    folder = write(DECLARED)
    (folder / "oracles").symlink_to(ROOT / "oracles")
    assert load("./my_oracle.py:score", folder=folder).version == "7"


@pytest.mark.parametrize("beside", ["oracles.py", "oracles/__init__.py"])
def test_a_module_of_that_name_in_the_files_own_folder_comes_first(write: Write, beside: str) -> None:
    folder = write(f"""
        from designloop.oracles import oracle
        from oracles import one

        @oracle(version='7', files=[{beside!r}])
        def score(smiles):
            return one(smiles)
    """)
    write("def one(smiles):\n    return dict.fromkeys(smiles, 2.0)", beside)
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "oracles"}
    oracle = load("./my_oracle.py:score", folder=folder)
    assert oracle.version == "7"
    assert oracle.score(["CCO"]) == {"CCO": 2.0}
    assert before == {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "oracles"}


def test_who_means_this_package_beside_a_module_of_that_name_is_told_what_to_write(write: Write) -> None:
    folder = write(DECLARED)
    write("MINE = 1", "oracles.py")
    with pytest.raises(OracleError, match=r"oracles\.py beside it; for designloop's, write `from designloop\.oracles"):
        load("./my_oracle.py:score", folder=folder)


def test_another_distribution_of_that_name_is_not_taken_for_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(write("MINE = 1", "elsewhere/oracles.py") / "elsewhere")
    folder = write(DECLARED, "campaign/my_oracle.py") / "campaign"
    assert load("./my_oracle.py:score", folder=folder).version == "7"
    assert "oracles" not in sys.modules or not hasattr(sys.modules["oracles"], "MINE")


def test_a_built_in_named_by_its_module_is_known_by_its_first_name() -> None:
    import rdkit

    identity = {"name": "qed", "version": "1", "oracle": {"module": "oracles.physchem:qed"}, "params": {}, "files": {}}
    text = json.dumps(identity | {"rdkit": rdkit.__version__}, sort_keys=True)
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert load("oracles.physchem:qed").fingerprint == load("designloop.oracles.physchem:qed").fingerprint == expected
