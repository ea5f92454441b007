"""Why molecules fail, in few words: kinds of errors, the commonest first, and each said once."""

from __future__ import annotations

from collections.abc import Mapping

from designloop.loop.reasons import MOST, Reasons, commonest
from designloop.records import Candidate, Evaluation, Result, Scored, Status


def row(smiles: str, error: str | None = None, status: Status = "failed") -> Scored:
    result = Result(1.0) if error is None else Result(None, status, error)
    score = 1.0 if error is None else None
    return Scored(Evaluation(Candidate(smiles, "test"), {"dock": result}), {"dock": score}, score)


def test_errors_that_differ_in_molecule_numbers_or_what_they_quote_are_of_one_kind() -> None:
    errors = [
        ("no pose for CCO in 3.1 s", "CCO"),
        ("no licence", "CCC"),
        ("no pose for CCN in 12 s", "CCN"),
        ("no file 'a.pdbqt'", "CC"),
        ("no pose for C in 1e-3 s", "C"),
        ("no file 'b.pdbqt'", "CCCC"),
    ]
    assert commonest(errors) == ["3 x no pose for CCO in 3.1 s (CCO)", "2 x no file 'a.pdbqt' (CC)", "no licence (CCC)"]


def test_no_more_are_told_than_asked_for_and_one_without_words_is_one_kind() -> None:
    errors: Mapping[str, str | None] = {"C": None, "CC": None, "CCC": "a", "CCCC": "b", "N": "c"}
    pairs = [(error, molecule) for molecule, error in errors.items()]
    assert commonest(pairs, most=1) == ["2 x no reason given (C)"]
    assert len(commonest(pairs)) == MOST
    assert commonest([]) == []


def test_a_reason_is_said_once_and_a_new_one_when_it_comes() -> None:
    reasons = Reasons()
    assert reasons.after([row("C"), row("CC")]) == []
    assert reasons.after([row("C"), row("CC", "no licence")]) == ["dock failed: no licence (CC)"]
    assert reasons.after([row("N"), row("NN", "no licence")]) == []
    assert reasons.after([row("O"), row("OO", "no licence"), row("OOO", "no answer within 60 s", "timeout")]) == [
        "dock timeout: no answer within 60 s (OOO)"
    ]


def test_where_a_round_gives_nothing_its_reasons_are_said_again() -> None:
    reasons = Reasons()
    rows = [row("C", "no licence"), row("CC", "no grid"), row("CCC", "no licence")]
    told = ["dock failed: 2 x no licence (C)", "dock failed: no grid (CC)"]
    assert reasons.after(rows) == told
    assert reasons.after(rows) == told


def test_reasons_that_found_no_room_are_said_after_a_later_round() -> None:
    reasons = Reasons()
    rows = [row("C"), *(row("C" * number, word) for number, word in enumerate(("a", "b", "c", "d"), 2))]
    assert len(reasons.after(rows)) == MOST
    assert reasons.after(rows) == ["dock failed: d (CCCCC)"]
