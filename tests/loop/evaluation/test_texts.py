"""What oracles say that is no text: errors, names and paths with bytes that are no UTF-8 stop no campaign."""

from __future__ import annotations

from pathlib import Path

from designloop.loop.evaluation.child.exchange import Reply
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.tables.durable import publish_json, read_json
from designloop.tables.ledger import Ledger
from tests.loop.evaluation.misbehaving import campaign, candidates, statuses

SOURCE = """
def score(smiles):
    if "O" in smiles:
        raise ValueError("cannot read b\\udce9.pdb")
    return {m: {"x\\udce9" if m == "N" else "x": 1.0, "y": "b\\udce9"} for m in smiles}
"""


def test_an_error_that_is_no_utf8_fails_its_molecule_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(SOURCE)
    asked = campaign(tmp_path, {"length": ("./odd.py:score", {}, "x")})
    with Ledger(tmp_path / "test.ledger.sqlite", "one") as ledger, Evaluator(asked, ledger) as evaluator:
        assert statuses(evaluator(candidates(["C", "CC", "O", "N"]))) == {
            "C": "ok",
            "CC": "ok",
            "O": "failed",
            "N": "failed",
        }
        errors = {run.smiles: run.error for run in ledger.runs() if run.attempt and run.error}
    assert "cannot read b\\udce9.pdb" in errors["O"]
    assert "answered no output 'x'" in errors["N"]


def test_every_text_of_a_reply_can_be_stored() -> None:
    reply = Reply((({"x\udce9": "\udce9"}, None), (1.0, None)), None, "\udce9", 0.0, "\udce9", "é\udce9", ("\udce9",))
    assert reply.answers == (({"x\\udce9": "\\udce9"}, None), (1.0, None))
    assert (reply.error, reply.unasked, reply.reads, reply.shared) == (
        "\\udce9",
        "\\udce9",
        "é\\udce9",
        ("\\udce9",),
    )


def test_a_sealed_file_keeps_a_path_that_is_no_utf8(tmp_path: Path) -> None:
    body = {"output": "é/b\udce9", "n": 1.0}
    publish_json(tmp_path / "file.json", body)
    assert read_json(tmp_path / "file.json") == body
    assert "é/b\\udce9" in (tmp_path / "file.json").read_bytes().decode()
