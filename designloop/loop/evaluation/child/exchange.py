"""What goes to a process that runs oracles, and what comes back: plain data, so that sending it imports nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

Failure = Literal["raised", "died", "timeout", "unloaded"]
"""How a request came to nothing; ``unloaded``: the oracle could not be imported or constructed."""


@dataclass(frozen=True, slots=True)
class PortableOracle:
    """What a process needs to become able to run an oracle; plain data, so that sending it imports nothing."""

    fingerprint: str
    recipe: Mapping[str, Any]
    """``Oracle.recipe()``"""
    file_bytes: Mapping[str, bytes] = field(repr=False)
    """``Oracle.file_bytes``"""


@dataclass(frozen=True, slots=True)
class Request:
    """Molecules for one oracle to score in one call."""

    fingerprint: str
    smiles: tuple[str, ...]
    seeds: tuple[int, ...] | None
    """One a molecule for a stochastic oracle, else None."""
    deadline: float
    """Seconds after which the child is killed."""
    expected: float = inf
    """Seconds that it should take, as far as one knows."""


Answer = tuple[float | Mapping[str, float | str] | None, str | None]
"""(value, error) of one molecule; a value may be output name -> number, or why that output has none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request."""

    answers: tuple[Answer, ...] | None
    """One a molecule, in their order; None where the request came to nothing."""
    failure: Failure | None = None
    error: str | None = None
    """One line for a person: why it came to nothing."""
    seconds: float = 0.0
    """The oracle's own time; the whole time waited where it never answered."""
    unasked: str = ""
    """In words, the answers to molecules that were not asked; they are dropped."""
    reads: str = ""
    """In words, the files below the oracle's or the campaign's folder that it read so far and does not declare."""
    shared: tuple[str, ...] = ()
    """Files outside its private folder that the oracle opened for writing; noted where ``ProcessEnvironment.pause``."""

    def __post_init__(self) -> None:
        """Makes every text one that files and databases take: a path in an error may hold bytes that are no UTF-8."""
        for name in ("answers", "error", "unasked", "reads", "shared"):
            object.__setattr__(self, name, _storable(getattr(self, name)))


def _storable(value: Any) -> Any:
    """The value with each lone surrogate in its texts written out, as in ``caf\\udce9``."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, tuple):
        return tuple(map(_storable, value))
    if isinstance(value, Mapping):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    return value
