"""What is suggested is written down with how it was chosen and what was foreseen of it."""

from __future__ import annotations

from pathlib import Path

from designloop.records import UNIFORM, Candidate
from designloop.tables.durable import publish_json
from designloop.tables.suggestions import FILE, Suggestion, read_suggestions, write_suggestions

FORESEEN = {"score": (0.5, 0.25), "potency": (6.0, 1.0)}


def test_suggestions_come_back_as_they_were_given(tmp_path: Path) -> None:
    candidate = Candidate(
        "CCO", "mutation", "[C][C][O]", ("CC",), 3, chosen=UNIFORM, predicted_mean=0.5, predicted_sd=0.25
    )
    given = [
        Suggestion("M0001", candidate, 1, "CC", 0.5, FORESEEN, "why", 2.0),
        Suggestion("M0002", Candidate("C", "x"), 2),
    ]
    write_suggestions(tmp_path, "c", given)
    assert read_suggestions(tmp_path, "c") == given


def test_a_file_from_before_it_was_written_how_they_were_chosen_is_read(tmp_path: Path) -> None:
    candidate = {"smiles": "CCO", "proposer": "mutation", "selfies": None, "parents": ["CC"], "model_round": 0,
                 "written": None, "allowed": True}  # fmt: skip
    row = {"id": "M0001", "candidate": candidate, "batch": 1, "nearest": None, "similarity": None, "predicted": {},
           "reason": "", "price": None}  # fmt: skip
    publish_json(tmp_path / FILE, {"campaign": "c", "suggestions": [row]})
    assert read_suggestions(tmp_path, "c") == [Suggestion("M0001", Candidate("CCO", "mutation", parents=("CC",)), 1)]
