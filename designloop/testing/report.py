"""How every conformance suite runs its checks and says what failed: all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

Subject = TypeVar("Subject")
Check = Callable[[Subject], Iterator[str]]
"""Yields a sentence for each thing wrong; its name is the check's name, its docstring what must hold."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a part was put to and passed."""

    name: str
    passed: tuple[str, ...]
    skipped: tuple[str, ...]


class NonConformance(AssertionError):
    """A part does not keep its contract; ``problems`` has what is wrong for each check that failed."""

    def __init__(self, name: str, checks: int, problems: Mapping[str, list[str]]) -> None:
        lines = [f"- {check}: {problem}" for check, sentences in problems.items() for problem in sentences]
        super().__init__(f"{name} fails {len(problems)} of {checks} checks:\n" + "\n".join(lines))
        self.problems = problems


def run_checks(
    name: str, subject: Subject, checks: Collection[Check[Subject]], skip: Collection[str], first: int = 1
) -> Report:
    """Run the checks, and return the report of a part that passes every one.

    Args:
        name: What the part is called in messages.
        subject: What the checks are given.
        checks: In order.
        skip: Names of checks to leave out.
        first: So many leading checks must pass for the others to mean anything.

    Raises:
        NonConformance: It fails some.
        ValueError: ``skip`` has a name that is no check.
    """
    names = [check.__name__ for check in checks]
    if unknown := sorted(set(skip) - set(names)):
        raise ValueError(f"skip={unknown[0]!r} is no check; the checks are {', '.join(names)}")
    problems: dict[str, list[str]] = {}
    for position, check in enumerate(checks):
        if check.__name__ in skip:
            continue
        if position >= first and any(early in problems for early in names[:first]):
            break
        if sentences := list(_guard(check, subject)):
            problems[check.__name__] = sentences
    if problems:
        raise NonConformance(name, len(names), problems)
    return Report(name, *(tuple(check for check in names if (check in skip) is left_out) for left_out in (False, True)))


def _guard(check: Check[Subject], subject: Subject) -> Iterator[str]:
    try:
        yield from check(subject)
    except Exception as error:  # the part is somebody else's code: whatever it raises is what is wrong with it
        yield f"raised {type(error).__name__}: {error}"
