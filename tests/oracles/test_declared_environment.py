"""Environment variables that an oracle declares: they count for its fingerprint, and are the same wherever it runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.oracles import Oracle, OracleError, load
from designloop.oracles.declaration import Declaration

READS_AT_IMPORT = """
import os
from designloop.oracles import oracle

OFFSET = float(os.environ.get("DESIGNLOOP_TEST_OFFSET", "0"))


@oracle({declared})
def score(smiles):
    return dict.fromkeys(smiles, OFFSET + float(os.environ.get("DESIGNLOOP_TEST_OFFSET", "0")))
"""
DECLARED = "env=['DESIGNLOOP_TEST_OFFSET']"


def loaded(folder: Path, declared: str = DECLARED) -> Oracle:
    (folder / "my_oracle.py").write_text(READS_AT_IMPORT.format(declared=declared))
    return load("./my_oracle.py:score", folder=folder)


def test_the_fingerprint_is_another_with_another_value_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprints = {}
    for value in ("1.5", "2.5", ""):
        monkeypatch.setenv("DESIGNLOOP_TEST_OFFSET", value or "0")
        fingerprints[value] = loaded(tmp_path).fingerprint
    monkeypatch.delenv("DESIGNLOOP_TEST_OFFSET")
    fingerprints["none"] = loaded(tmp_path).fingerprint
    assert len(set(fingerprints.values())) == 4
    monkeypatch.setenv("DESIGNLOOP_TEST_OFFSET", "1.5")
    assert loaded(tmp_path).fingerprint == fingerprints["1.5"]


def test_what_is_not_declared_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = loaded(tmp_path, "").fingerprint
    monkeypatch.setenv("DESIGNLOOP_TEST_OFFSET", "3")
    assert loaded(tmp_path, "").fingerprint == before


@pytest.mark.parametrize(("value", "expected"), [("1.5", 3.0), (None, 0.0)])
def test_it_travels_to_a_process_that_has_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, expected: float
) -> None:
    if value is None:
        monkeypatch.delenv("DESIGNLOOP_TEST_OFFSET", raising=False)
    else:
        monkeypatch.setenv("DESIGNLOOP_TEST_OFFSET", value)
    oracle = loaded(tmp_path)
    portable = PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))
    monkeypatch.setenv("DESIGNLOOP_TEST_OFFSET", "77")  # a node with an environment of its own
    process = OracleProcess([portable])
    try:
        for _ in range(2):
            assert process.score(Request(oracle.fingerprint, ("C",), None, 60.0)).answers == ((expected, None),)
    finally:
        process.close()
    assert os.environ["DESIGNLOOP_TEST_OFFSET"] == "77"


def test_a_secret_is_in_no_fingerprint_and_no_printed_oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESIGNLOOP_TEST_OFFSET", "31415")
    oracle = loaded(tmp_path)
    assert "31415" not in repr(oracle)
    assert "31415" not in oracle.fingerprint
    assert "31415" in json.dumps(oracle.recipe()), "whoever runs it needs it"


def test_names_are_refused_that_are_none() -> None:
    with pytest.raises(OracleError, match=r"declared env='PATH'; expected names of variables"):
        Declaration(env="PATH")  # type: ignore[arg-type]
