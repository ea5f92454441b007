"""What is wrong with a campaign file, place by place, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from designloop.words import counted

PathKey = tuple[str | int, ...]
"""Where a value stands in a file: keys of mappings and positions in lists, e.g. ("objective", "properties", 0)."""

_QUOTED = re.compile(r"'[^']*'")

SHOWN_OF_ONE_KEY = 20
"""Problems listed for one key; a file of starting molecules may hold thousands of bad lines."""


def one_of_each(errors: Iterable[str]) -> list[str]:
    """The errors that say something new: of those that differ in what they quote only, the first."""
    first: dict[str, str] = {}
    for error in errors:
        first.setdefault(_QUOTED.sub("''", error), error)
    return list(first.values())


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem before it has a place in a file: where in the data, what was found, what was expected."""

    path: PathKey
    actual: str
    """What stands there; a whole sentence where ``expected`` is empty."""
    expected: str = ""
    hint: str = ""
    """What to do about it, where that does not follow from ``expected``."""
    at_key: bool = False
    """The mistake is the key itself, not its value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it stands, what was found there, what was expected, and what to do about it."""

    file: str
    """The file as the user named it; ``override`` for a value that came from the command line or from Python."""
    line: int | None
    """From 1; None where there is no line to show."""
    column: int | None
    key: str
    """The place in words, e.g. ``objective.properties[qed].weight``; empty for the file as a whole."""
    actual: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"found {self.actual}, expected {self.expected}" if self.expected else self.actual
        return f"{place}: " + (f"{self.key}: " if self.key else "") + text + (f"; {self.hint}" if self.hint else "")


class CampaignError(ValueError):
    """A campaign file that cannot be used; ``problems`` holds every mistake in it, in the order of its lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(_text(self.problems))


def _text(problems: Sequence[Problem]) -> str:
    lines: list[str] = []
    shown: dict[tuple[str, str], int] = {}
    for problem in problems:
        place = (problem.file, problem.key)
        shown[place] = shown.get(place, 0) + 1
        if shown[place] <= SHOWN_OF_ONE_KEY:
            lines.append(str(problem))
    lines += [
        f"{file}: {key}: and {count - SHOWN_OF_ONE_KEY} more like these"
        for (file, key), count in shown.items()
        if count > SHOWN_OF_ONE_KEY
    ]
    return "\n".join([*lines, f"{counted(len(problems), 'problem')} to correct, then try again"])
