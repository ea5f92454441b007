"""What is built: each file once, the oracles and the data along, and it works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

build = pytest.importorskip("hatchling.build", reason="hatchling, of the extra `dev`, builds what is tested here")

ROOT = Path(__file__).parent.parent

BUILD = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"

USES_BOTH_NAMES = """
import designloop, sys
from oracles import oracle
from designloop.oracles import available, load
import designloop.api, designloop.oracles, oracles
assert oracles is designloop.oracles
assert load("./my_oracle.py:score").version == "7"
assert "qed" in {card.name for card in available()}
assert "own_model" in designloop.api.templates()
assert designloop.__file__.startswith(sys.argv[1]), designloop.__file__
"""


def built(kind: str, checkout: Path, folder: Path) -> Path:
    """The wheel or the source distribution of a checkout, built by a process of its own."""
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(folder)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    return folder / done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built("sdist", ROOT, folder)) as archive:
        names = [member.name for member in archive if member.isfile()]
        assert not [name for name, times in Counter(names).items() if times > 1]
        assert not [member.name for member in archive if member.issym() or member.islnk()]
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def wheels(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of the checkout, and that of the source distribution."""
    return {
        "checkout": built("wheel", ROOT, tmp_path_factory.mktemp("wheel")),
        "sdist": built("wheel", checkout, tmp_path_factory.mktemp("wheel_of_sdist")),
    }


def test_a_wheel_holds_every_file_of_the_package_once(wheels: dict[str, Path]) -> None:
    beside = ("oracles", "campaigns")
    tracked = subprocess.run(["git", "ls-files", "designloop", *beside], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("no checkout under git, so nothing says which files there are to be")
    files = set(tracked.stdout.split())
    expected = {name if name.startswith("designloop/") else f"designloop/{name}" for name in files}
    expected -= {"designloop/oracles"}  # the link
    for wheel in wheels.values():
        names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
        assert not [name for name, times in Counter(names).items() if times > 1]
        assert set(names) == expected


@pytest.mark.parametrize("source", ["checkout", "sdist"])
def test_what_is_installed_knows_both_names_of_the_oracles(
    wheels: dict[str, Path], source: str, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheels[source]).extractall(site)
    declared = "from oracles import oracle\n\n@oracle(version='7')\ndef score(smiles):\n    return {}"
    (tmp_path / "my_oracle.py").write_text(declared)
    # -S and the path by hand: an installation for development would have the checkout on it.
    path = [str(site), *(entry for entry in sys.path if entry.endswith("site-packages"))]
    command = [sys.executable, "-S", "-c", USES_BOTH_NAMES, str(site)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_editable_install_is_a_path_to_the_checkout(tmp_path: Path) -> None:
    with zipfile.ZipFile(built("editable", ROOT, tmp_path)) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".pth")]
        assert [Path(line) for line in wheel.read(name).decode().split()] == [ROOT]
        assert not [name for name in wheel.namelist() if name.startswith("designloop/")], "nothing is copied"
