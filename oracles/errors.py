"""What goes wrong with an oracle, in words that end in what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class OracleError(ValueError):
    """An oracle cannot be found, loaded or understood. The message ends in what to do next."""


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """One thing wrong with one parameter of an oracle."""

    parameter: str
    actual: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"parameter {self.parameter!r}: found {self.actual}, expected {self.expected}{hint}"


class ParameterError(OracleError):
    """The parameters given to an oracle are not the ones that it takes; ``problems`` has all of them."""

    def __init__(self, oracle_name: str, problems: Sequence[ParameterProblem]) -> None:
        super().__init__(f"oracle {oracle_name!r}: " + "\n".join(map(str, problems)))
        self.oracle_name = oracle_name
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[Any, ...]:  # BaseException pickles its message alone, which is not what made it
        return type(self), (self.oracle_name, self.problems)
