"""Texts among parameters that name files, for an oracle that runs elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from designloop.oracles import Oracle, load, load_recipe
from tests.oracles.conftest import Write

SOURCE = """
    from typing import Literal
    from designloop.oracles import oracle

    GOT = {}

    @oracle(files=["own.json"])
    def score(smiles, model: str = "m.json", others: list[str] = [], by_name: dict[str, str] = {},
              kind: Literal["a.b", "c"] = "c", **more):
        GOT.update(model=model, others=others, by_name=by_name, kind=kind, **more)
        return {molecule: GOT for molecule in smiles}
"""


@pytest.fixture
def folder(write: Write) -> Path:
    write(SOURCE, "oracles/my_oracle.py")
    write("{}", "oracles/own.json")
    write("1", "grids/a.map")
    write("1", "a.b")
    return write("1", "m.json")


def got(oracle: Oracle) -> Any:
    return oracle.score(["C"])["C"]


def here(folder: Path, **params: Any) -> Oracle:
    return load("oracles/my_oracle.py:score", params, folder)


def test_relative_paths_are_absolute_when_they_reach_the_oracle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    oracle = here(
        folder, model="m.json", others=["./grids/a.map", "grids"], by_name={"a": "grids/../m.json"}, free=["m.json", 3]
    )
    assert got(oracle) == {
        "model": f"{folder}/m.json",
        "others": [f"{folder}/grids/a.map", "grids"],
        "by_name": {"a": f"{folder}/m.json"},
        "kind": "c",
        "free": [f"{folder}/m.json", 3],
    }


@pytest.mark.parametrize("text", ["n.json", "CCO", "C/C=C/C", "/etc/hostname", "a.b\0", "x" * 5000 + ".y", "", "."])
def test_a_text_that_names_no_file_stays_as_it_is(folder: Path, text: str) -> None:
    assert got(here(folder, model=text))["model"] == text


def test_a_word_out_of_several_is_no_path_and_neither_is_a_default(folder: Path) -> None:
    values = got(here(folder, kind="a.b"))
    assert values["kind"] == "a.b"
    assert values["model"] == "m.json"


def test_the_fingerprint_has_the_text_as_it_is_written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "oracles").mkdir()
    for name in ("my_oracle.py", "own.json"):
        (elsewhere / "oracles" / name).write_bytes((folder / "oracles" / name).read_bytes())
    assert here(folder, model="m.json") == here(elsewhere, model="m.json"), "whether the file is there or not"
    assert here(folder, model="m.json").params["model"] == "m.json"


def test_a_worker_gets_the_same_paths_and_of_a_file_that_travels_its_own(folder: Path, tmp_path: Path) -> None:
    oracle = here(folder, model="oracles/own.json", others=["grids/a.map"])
    assert got(oracle)["model"] == f"{folder}/oracles/own.json"
    there = load_recipe(oracle.recipe(), dict(oracle.file_bytes), tmp_path / "worker")
    assert there == oracle
    assert got(there)["model"] == f"{tmp_path}/worker/{oracle.fingerprint}/own/own.json"
    assert got(there)["others"] == [f"{folder}/grids/a.map"]
    assert there.recipe() == oracle.recipe()
