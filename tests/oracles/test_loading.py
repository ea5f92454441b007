from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from designloop.oracles import OracleError, describe, load, load_recipe, loading
from tests.oracles.conftest import Write

SOURCE = "def score(smiles, weight: float = 1.0):\n    return dict.fromkeys(smiles, weight)\n\nother = score\n"


def test_a_fingerprint_is_of_what_decides_the_values() -> None:
    plain = load("similarity", {"reference": "CCO"})
    assert len(plain.fingerprint) == 64
    assert plain == load("similarity", {"reference": "CCO", "fingerprint": "ecfp4"})  # a default, said or not
    assert plain != load("similarity", {"reference": "CCO", "fingerprint": "ecfp6"})
    assert plain != load("similarity", {"reference": "OCC"})
    assert load("qed") != load("logp")


def test_a_fingerprint_does_not_change_with_the_process_or_the_release_of_this_package(write: Write) -> None:
    """An old campaign is resumed, and its ledger read, only as long as this holds."""
    oracle = load("./my_oracle.py:score", {"weight": 2}, write(SOURCE))
    assert oracle.fingerprint == "3acee463e79908e583fc50d562187e373a0dd6b80e394499024a8876581eba42"


def test_rdkits_version_counts_where_it_is_declared(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    folder = write(SOURCE)
    qed, scored = load("qed"), load("./my_oracle.py:score", folder=folder)
    monkeypatch.setattr(loading, "_rdkit_version", lambda: "1999.01.1")
    assert load("qed") != qed
    assert load("./my_oracle.py:score", folder=folder) == scored


def test_the_version_counts(write: Write) -> None:
    source = "from designloop.oracles import oracle\n@oracle(version='1')\ndef score(smiles):\n    return {}"
    oracle = load("./my_oracle.py:score", folder=write(source))
    other = load("./my_oracle.py:score", folder=write(source.replace("'1'", "'2'")))
    assert (oracle.version, other.version) == ("1", "2")
    assert oracle != other


def test_the_bytes_of_a_file_count_and_not_its_place(write: Write) -> None:
    folder = write(SOURCE)
    oracle = load("./my_oracle.py:score", folder=folder)
    write(SOURCE, "deeper/renamed.py")
    assert oracle == load("./deeper/renamed.py:score", folder=folder)
    write(SOURCE + "# a remark")
    assert oracle != load("./my_oracle.py:score", folder=folder)


def test_two_functions_of_a_file_are_two_oracles(write: Write) -> None:
    folder = write(SOURCE)
    assert load("./my_oracle.py:score", folder=folder) != load("./my_oracle.py:other", folder=folder)


def test_the_bytes_of_declared_files_count(write: Write) -> None:
    folder = write("from designloop.oracles import oracle\n@oracle(files=['m.txt'])\ndef score(smiles):\n    return {}")
    write("1", "m.txt")
    oracle = load("./my_oracle.py:score", folder=folder)
    write("2", "m.txt")
    assert oracle != load("./my_oracle.py:score", folder=folder)


def test_functions_of_the_same_name_in_two_modules_are_two_oracles(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(SOURCE, "site/oracle_one.py")
    monkeypatch.syspath_prepend(str(write(SOURCE, "site/oracle_two.py") / "site"))
    assert load("oracle_one:score") != load("oracle_two:score")


@pytest.mark.parametrize(("chirality", "sees_stereo"), [(False, False), (True, True)])
def test_seeing_stereo_may_depend_on_a_parameter(chirality: bool, sees_stereo: bool) -> None:
    assert load("substructure", {"smarts": "C", "chirality": chirality}).sees_stereo is sees_stereo
    assert load("similarity", {"reference": "C", "chirality": chirality}).sees_stereo is sees_stereo


def test_the_parameter_that_stereo_depends_on_must_be_there(write: Write) -> None:
    folder = write(
        "from designloop.oracles import oracle\n@oracle(sees_stereo='chiral')\ndef score(smiles):\n    return {}"
    )
    with pytest.raises(OracleError, match="declares sees_stereo='chiral', which is no true/false parameter of it"):
        load("./my_oracle.py:score", folder=folder)


def test_an_installed_oracle_travels_as_its_name(tmp_path: Path) -> None:
    oracle = load("similarity", {"reference": "CCO"})
    assert dict(oracle.file_bytes) == {}
    on_worker = load_recipe(oracle.recipe(), None, tmp_path)
    assert on_worker == oracle
    assert on_worker.score(["CCO"]) == {"CCO": 1.0}


def test_a_default_travels_with_the_code_and_not_as_json(write: Write, tmp_path: Path) -> None:
    folder = write(
        "def score(smiles, weight: float = None, box=(1, 2)):\n    return dict.fromkeys(smiles, box == (1, 2))"
    )
    oracle = load("./my_oracle.py:score", folder=folder)
    on_worker = load_recipe(oracle.recipe(), dict(oracle.file_bytes), tmp_path / "worker")
    assert on_worker.score(["CCO"]) == {"CCO": True}


def test_another_rdkit_on_a_worker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load("qed").recipe()
    monkeypatch.setattr(loading, "_rdkit_version", lambda: "1999.01.1")
    with pytest.raises(OracleError, match=r"'qed' is not the same here .*: RDKit is 1999\.01\.1 here and 20.* there"):
        load_recipe(recipe)


def test_another_release_of_a_module_on_a_worker_is_refused() -> None:
    recipe: dict[str, Any] = {**load("qed").recipe(), "fingerprint": "0" * 64}
    with pytest.raises(OracleError, match="its module differs; install the same versions wherever workers run"):
        load_recipe(recipe)


NAMELESS = '''
from __future__ import annotations
from functools import partial
from pathlib import Path
from designloop.oracles import oracle

def scaled(smiles, factor: float = 1.0):
    """Scaled lengths."""
    return {molecule: factor * len(molecule) for molecule in smiles}

class Scorer:
    """Lengths, by an object."""
    def __call__(self, smiles, offset: float = 0.0):
        return {molecule: len(molecule) + offset for molecule in smiles}

twice = partial(scaled, factor=2.0)
deep = partial(partial(scaled), factor=3.0)
called = Scorer()
declared = oracle(version="7", name="mine")(partial(scaled, factor=4.0))
'''


@pytest.mark.parametrize(
    ("attribute", "name", "value", "summary"),
    [
        ("twice", "twice", 6.0, "Scaled lengths."),
        ("deep", "deep", 9.0, "Scaled lengths."),
        ("called", "called", 3.0, "Lengths, by an object."),
        ("declared", "mine", 12.0, "Scaled lengths."),
    ],
)
def test_what_has_no_name_of_its_own_has_that_of_the_reference_here_and_on_a_worker(
    write: Write, tmp_path: Path, attribute: str, name: str, value: float, summary: str
) -> None:
    oracle = load(f"./my_oracle.py:{attribute}", {}, write(NAMELESS))
    on_worker = load_recipe(oracle.recipe(), dict(oracle.file_bytes), tmp_path / "worker")
    assert (oracle.name, oracle.summary) == (name, summary)
    assert on_worker == oracle
    assert oracle.score(["CCO"]) == on_worker.score(["CCO"]) == {"CCO": value}
    card = describe(f"./my_oracle.py:{attribute}", tmp_path)
    assert (card.name, card.summary) == (name, summary)
    assert {parameter.kind for parameter in card.parameters} == {"number"}


@pytest.mark.parametrize(
    "method",
    [
        "@staticmethod\n    def score(smiles, k=1):",
        "@classmethod\n    def score(cls, smiles):",
        "def score(self, smiles):",
    ],
)
def test_a_class_may_have_any_kind_of_method(method: str, write: Write) -> None:
    source = f"class Odd:\n    {method}\n        return dict.fromkeys(smiles, 1.0)\n"
    assert load("./my_oracle.py:Odd", folder=write(source)).score(["C"]) == {"C": 1.0}


def test_a_method_without_a_place_for_the_molecules_is_refused(write: Write) -> None:
    with pytest.raises(OracleError, match=r"it is called with \(smiles\); put these parameters first"):
        load("./my_oracle.py:Odd", folder=write("class Odd:\n    def score(self):\n        return {}\n"))
