from __future__ import annotations

from collections.abc import Iterator

import pytest

from designloop.testing.report import NonConformance, Report, run_checks


def holds(subject: int) -> Iterator[str]:
    yield from ()


def is_even(subject: int) -> Iterator[str]:
    if subject % 2:
        yield f"{subject} is odd"


def divides(subject: int) -> Iterator[str]:
    if 1 / subject < 0.1:
        yield f"{subject} is large"


def test_all_failures_come_at_once() -> None:
    with pytest.raises(NonConformance) as caught:
        run_checks("number", 11, (holds, is_even, divides), ())
    assert str(caught.value) == "number fails 2 of 3 checks:\n- is_even: 11 is odd\n- divides: 11 is large"
    assert caught.value.problems == {"is_even": ["11 is odd"], "divides": ["11 is large"]}


def test_what_the_part_raises_is_a_failure_of_the_check() -> None:
    with pytest.raises(NonConformance, match="divides: raised ZeroDivisionError: division by zero"):
        run_checks("number", 0, (holds, divides), ())


def test_nothing_else_is_asked_when_the_first_checks_fail() -> None:
    with pytest.raises(NonConformance, match=r"fails 1 of 2 checks:\n- is_even: 11 is odd$"):
        run_checks("number", 11, (is_even, divides), ())


def test_a_check_may_be_left_out_and_the_report_says_so() -> None:
    assert run_checks("number", 11, (holds, is_even), ["is_even"]) == Report("number", ("holds",), ("is_even",))
    with pytest.raises(ValueError, match="skip='is_odd' is no check; the checks are holds, is_even"):
        run_checks("number", 11, (holds, is_even), ["is_odd"])
