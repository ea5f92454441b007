from __future__ import annotations

import logging
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from designloop.oracles import Answer, OracleError, read_answers, unasked

ASKED = ["CCO", "CCN", "CCC"]


def error_of(value: Any) -> str:
    answer = read_answers(["CCO"], {"CCO": value})["CCO"]
    assert answer.value is None
    assert answer.error is not None
    return answer.error


def test_answers_go_by_molecule_in_the_order_asked() -> None:
    read = read_answers(ASKED, {"CCC": 3.0, "CCO": 1, "CCN": 2.0})
    assert list(read.items()) == [("CCO", Answer(1.0)), ("CCN", Answer(2.0)), ("CCC", Answer(3.0))]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, 2.0),
        (True, 1.0),
        (np.bool_(False), 0.0),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(-3), -3.0),
        (np.array(1.5), 1.5),
        (Decimal("0.25"), 0.25),
        (Fraction(1, 4), 0.25),
    ],
)
def test_whatever_is_one_number_is_read_as_one(value: Any, number: float) -> None:
    answer = read_answers(["CCO"], {"CCO": value})["CCO"]
    assert answer == Answer(number)
    assert type(answer.value) is float


def test_minus_zero_is_zero() -> None:
    assert str(read_answers(["CCO"], {"CCO": -0.0})["CCO"].value) == "0.0"


def test_a_torch_scalar_is_a_number() -> None:
    torch = pytest.importorskip("torch")
    assert read_answers(["CCO"], {"CCO": torch.tensor(0.5)})["CCO"] == Answer(0.5)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "answered None"),
        (float("nan"), "answered nan, expected a finite number"),
        (float("-inf"), "answered -inf, expected a finite number"),
        (10**400, "expected a number"),
        ("docking failed", "answered 'docking failed', expected a number"),
        ("3.2", "answered '3.2', expected a number"),
        (b"3.2", "answered b'3.2', expected a number"),
        (1 + 2j, r"answered (1+2j) (complex), expected a number"),
        ([0.5], "answered [0.5] (list), expected a number"),
        (np.array([0.5]), "answered an array of shape (1,), expected one number"),
        ({}, "answered a mapping with no outputs"),
    ],
)
def test_whatever_is_no_finite_number_is_a_failure_of_that_molecule(value: Any, why: str) -> None:
    assert why in error_of(value)


def test_a_long_answer_is_shown_on_one_short_line() -> None:
    error = error_of("line\n" * 1000)
    assert len(error) < 150
    assert "\n" not in error


def test_a_molecule_without_an_answer_has_failed_and_costs_no_other() -> None:
    read = read_answers(ASKED, {"CCO": 1.0, "CCC": 3.0})
    assert read["CCN"] == Answer(None, "no answer for this molecule")
    assert read["CCO"] == Answer(1.0)


def test_an_answer_that_was_not_asked_for_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read = read_answers(ASKED, {"OCC": 1.0, "NCC": 2.0, "CCC": 3.0})
    assert read["CCO"].error == (
        "no answer for this molecule, but one for 'OCC', which was not asked (and 1 more); "
        "use the SMILES as they were given for keys"
    )
    assert read["CCC"] == Answer(3.0)
    assert "'OCC', which was not asked" in caplog.text


def test_a_molecule_asked_twice_has_one_answer() -> None:
    assert read_answers(["CCO", "CCO"], {"CCO": 1.0}) == {"CCO": Answer(1.0)}


def test_nothing_asked_and_nothing_answered() -> None:
    assert read_answers([], {}) == {}


def test_another_kind_of_mapping_is_as_good() -> None:
    assert read_answers(["CCO"], OrderedDict(CCO=1.0)) == {"CCO": Answer(1.0)}


@pytest.mark.parametrize("answer", [[1.0, 2.0, 3.0], (1.0, 2.0, 3.0), np.ones(3), iter([1.0])])
def test_a_bare_list_is_refused_with_the_fix(answer: Any) -> None:
    with pytest.raises(OracleError, match=r"nothing says which value .* return a mapping instead: dict\(zip\(smiles, "):
        read_answers(ASKED, answer)


def test_no_answer_at_all_is_refused() -> None:
    with pytest.raises(OracleError, match="returned None; return a mapping"):
        read_answers(ASKED, None)


def test_one_number_for_the_whole_batch_is_refused() -> None:
    with pytest.raises(OracleError, match=r"returned 0\.5 \(float\); return a mapping"):
        read_answers(ASKED, 0.5)


OUTPUTS = {"CCO": {"affinity": -7.0, "strain": None}, "CCN": {"affinity": float("nan")}, "CCC": 1.0}


def test_outputs_that_are_good_are_kept_beside_those_that_failed() -> None:
    read = read_answers(ASKED, OUTPUTS)
    assert read["CCO"] == Answer({"affinity": -7.0}, None, {"strain": "answered None"})
    assert read["CCN"].value is None
    assert read["CCN"].error == "output 'affinity': answered nan, expected a finite number"


@pytest.mark.parametrize(
    ("output", "molecule", "expected"),
    [
        ("affinity", "CCO", Answer(-7.0)),
        ("strain", "CCO", Answer(None, "output 'strain': answered None")),
        ("afinity", "CCO", Answer(None, "answered no output 'afinity'; did you mean 'affinity'?")),
        ("affinity", "CCN", Answer(None, "output 'affinity': answered nan, expected a finite number")),
        (
            "affinity",
            "CCC",
            Answer(None, "answered one number where output 'affinity' was asked; leave 'output' out"),
        ),
    ],
)
def test_one_output_is_picked(output: str, molecule: str, expected: Answer) -> None:
    assert read_answers(ASKED, OUTPUTS, output)[molecule] == expected


def test_several_outputs_are_not_one_number() -> None:
    picked = read_answers(["CCO"], {"CCO": {"a": 1.0, "b": 2.0}})["CCO"].pick(None)
    assert picked == Answer(None, "answered several outputs (a, b); name one of them by 'output'")


def test_answers_beside_the_right_ones_are_found() -> None:
    assert unasked(ASKED, dict.fromkeys(ASKED, 1.0)) == unasked(ASKED, [1.0]) == ""
    answer = dict.fromkeys([*ASKED, "OCC", "NCC"], 1.0)
    assert unasked(ASKED, answer) == "'OCC', which was not asked (and 1 more)"
