"""What goes wrong with an oracle, in words that end in what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A hint that names the known word nearest to a misspelt one, else all of them."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(sorted(known))}" if known else "there are none"


class OracleError(ValueError):
    """An oracle cannot be found, loaded or understood. The message ends in what to do next."""


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """One thing wrong with one parameter of an oracle."""

    parameter: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"parameter {self.parameter!r}: found {self.found}, expected {self.expected}{hint}"


class ParameterError(OracleError):
    """The parameters given to an oracle are not the ones that it takes; ``problems`` has all of them."""

    def __init__(self, oracle_name: str, problems: Sequence[ParameterProblem]) -> None:
        super().__init__(f"oracle {oracle_name!r}: " + "\n".join(map(str, problems)))
        self.oracle_name = oracle_name
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[Any, ...]:  # BaseException pickles its message alone, which is not what made it
        return type(self), (self.oracle_name, self.problems)
