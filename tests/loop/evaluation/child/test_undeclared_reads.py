"""Files that an oracle reads and does not declare are named, with what to do; what is nobody's business is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from designloop import api
from designloop.loop.evaluation.child import undeclared_reads
from designloop.loop.evaluation.child.exchange import PortableOracle, Reply, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.child.undeclared_reads import UndeclaredReads
from designloop.oracles import load
from designloop.paths import real
from designloop.testing import NonConformance, check_oracle
from tests.campaigns import write_campaign
from tests.commands import succeeds

HEAD = "import json, os, pathlib\nfrom designloop.oracles import oracle\n\n"
READS = "    weight = json.loads(pathlib.Path({path!r}).read_text())\n    return dict.fromkeys(smiles, float(weight))\n"


@pytest.fixture
def campaign_folder(tmp_path: Path) -> Path:
    """A campaign's folder with an oracle's folder in it, and files in both, and one beside."""
    folder = tmp_path / "campaign"
    (folder / "oracles" / ".cache").mkdir(parents=True)
    for place in ("weights.json", "oracles/weights.json", "oracles/.cache/weights.json", "../weights.json"):
        (folder / place).write_text("2")
    return folder


def score(folder: Path, text: str, params: dict[str, object] | None = None) -> Reply:
    """What a process of the oracle in ``oracles/my_oracle.py`` answers for one molecule."""
    (folder / "oracles" / "my_oracle.py").write_text(HEAD + text)
    oracle = load("./oracles/my_oracle.py:score", params or {}, folder)
    portable = PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))
    process = OracleProcess([portable], ProcessEnvironment.of_driver(folder))
    try:
        return process.score(Request(oracle.fingerprint, ("C",), None, 60.0))
    finally:
        process.close()


def function(path: Path, declared: str = "") -> str:
    return f"@oracle({declared})\ndef score(smiles):\n" + READS.format(path=str(path))


BY_PARAMETER = "def score(smiles, weights: {kind}):\n    return dict.fromkeys(smiles, float(open(weights).read()))\n"
IN_CONSTRUCTOR = """class score:
    def __init__(self):
        self.weight = float(open({path!r}).read())

    def score(self, smiles):
        return dict.fromkeys(smiles, self.weight)
"""
OWN_CACHE = """def score(smiles):
    with open({path!r}, "w") as file:
        file.write("2")
    return dict.fromkeys(smiles, float(open({path!r}).read()))
"""


@pytest.mark.parametrize(
    ("text", "params", "named"),
    [
        (lambda f: function(f / "oracles/weights.json"), {}, "weights.json undeclared.*files=['weights.json']"),
        (lambda f: IN_CONSTRUCTOR.format(path=str(f / "oracles/weights.json")), {}, "weights.json undeclared.*files=["),
        (lambda f: function(f / "weights.json"), {}, "weights.json undeclared.*name it under params"),
        (
            lambda f: BY_PARAMETER.format(kind="str"),
            {"weights": "weights.json"},
            "weights.json undeclared.*weights with",
        ),
        (lambda f: BY_PARAMETER.format(kind="pathlib.Path"), {"weights": "weights.json"}, ""),
        (lambda f: function(Path("weights.json"), "files=['weights.json']"), {}, ""),
        (lambda f: function(f / "oracles/weights.json", "files=['weights.json']"), {}, ""),
        (lambda f: function(f / "oracles/.cache/weights.json"), {}, ""),
        (lambda f: function(f / "../weights.json"), {}, ""),
        (lambda f: OWN_CACHE.format(path=str(f / "cache.json")), {}, ""),
    ],
)
def test_what_is_read_and_not_declared_is_named_with_its_remedy(
    campaign_folder: Path, text: Callable[[Path], str], params: dict[str, object], named: str
) -> None:
    reply = score(campaign_folder, text(campaign_folder), params)
    assert reply.answers == ((2.0, None),)
    assert bool(reply.reads) == bool(named)
    for part in named.split(".*"):
        assert part in reply.reads


def test_a_failure_tells_what_was_read_as_well(campaign_folder: Path) -> None:
    text = function(campaign_folder / "weights.json").replace("    return", "    raise RuntimeError\n    return")
    reply = score(campaign_folder, text)
    assert reply.failure == "raised"
    assert "weights.json undeclared" in reply.reads


def test_each_file_is_looked_at_when_it_was_opened_and_not_at_every_later_request(
    campaign_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def noted(path: Path) -> Path:
        looked.append(str(path))
        return real(path)

    monkeypatch.setattr(undeclared_reads, "real", noted)
    reads = UndeclaredReads(campaign_folder / "oracles", campaign_folder, campaign_folder / "scratch")
    (campaign_folder / "oracles" / "data").mkdir()
    for number in range(20):
        for name in (f"data/{number}", f"{number}.txt"):
            (campaign_folder / "oracles" / name).write_text("2")
            reads.note(campaign_folder / "oracles" / name, 0)
        reads.note(campaign_folder / "oracles" / f"not there {number}", 0)
        said = reads.describe(["data"], {}, [])
    assert said.startswith("reads 0.txt, 1.txt, 2.txt and 17 more undeclared")
    assert len([path for path in looked if path.endswith("/data/0")]) == 1
    assert len([path for path in looked if path.endswith("/0.txt")]) == 1
    reads.note(campaign_folder / "oracles" / "1.txt", os.O_WRONLY)
    reads.note(campaign_folder / "oracles" / "1.txt", 0)
    assert reads.describe(["data"], {}, []).startswith("reads 0.txt, 2.txt, 3.txt and 16 more undeclared")


def write_reading(folder: Path, model: Path) -> Path:
    """A campaign whose oracle reads a file beside it by an absolute path."""
    path = write_campaign(folder, model, {"budget.oracle_calls": 3})
    (folder / "weights.json").write_text("1")
    (folder / "my_oracle.py").write_text(HEAD + function(folder / "weights.json"))
    return path


def test_validate_run_and_check_oracle_name_it_and_a_fresh_run_from_the_ledger_too(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = write_reading(tmp_path, tiny_model)
    said = "oracle 'score' reads weights.json undeclared"
    validated = succeeds("validate", path)
    assert f"remark: {said}" in validated
    assert "Ready" in validated
    (tmp_path / "small.ledger.sqlite").unlink()
    assert said in succeeds("run", path)
    assert any(said in remark for remark in api.status(path).remarks)
    assert said in succeeds("run", path, "--fresh"), "nothing is run again, and what is known may be stale"
    with pytest.raises(NonConformance, match=r"reads: it reads weights\.json undeclared"):
        check_oracle("./my_oracle.py:score", folder=tmp_path, skip=["elsewhere", "side_by_side"])


def test_what_declares_all_is_remarked_by_nobody(tmp_path: Path, tiny_model: Path) -> None:
    path = write_reading(tmp_path, tiny_model)
    (tmp_path / "my_oracle.py").write_text(HEAD + function(Path("weights.json"), "files=['weights.json']"))
    assert "undeclared" not in succeeds("validate", path)
    assert "undeclared" not in succeeds("run", path)
    assert "undeclared" not in succeeds("run", path, "--fresh")
