"""Why molecules fail, commonest first: many errors differ only in the molecule, in numbers, or in what they quote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from designloop.records import Scored

MOST = 3
"""Reasons told of one round, or of one property."""

_PARTICULARS = re.compile(r"'[^']*'|\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def commonest(errors: Iterable[tuple[str | None, str]], most: int = MOST) -> list[str]:
    """The commonest kinds of these errors, each as ``N x error (molecule)`` with the first of its kind.

    Args:
        errors: error and molecule.
    """
    kinds = _kinds(("", error, molecule) for error, molecule in errors)
    ranked = sorted(kinds.values(), key=len, reverse=True)  # stable: of equally common ones the first comes first
    return [_told(kind) for kind in ranked[:most]]


class Reasons:
    """What is said of failures while a campaign runs: each reason once, and again where a round gave nothing else."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def after(self, scored: Sequence[Scored]) -> list[str]:
        """The lines to say after a round with these rows."""
        errors = [
            (f"{name} {result.status}: ", result.error, row.smiles)
            for row in scored
            for name, result in row.evaluation.results.items()
            if result.status in ("failed", "timeout")
        ]
        kinds = _kinds(errors)
        fruitless = bool(errors) and all(row.score is None for row in scored)
        ranked = sorted((key for key in kinds if fruitless or key not in self._said), key=lambda key: -len(kinds[key]))
        self._said |= set(ranked[:MOST])
        return [f"{key[0]}{_told(kinds[key])}" for key in ranked[:MOST]]


def _kinds(errors: Iterable[tuple[str, str | None, str]]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(what failed, kind of error) -> (error, molecule) of each, from triples of what failed, error and molecule."""
    kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for failed, error, molecule in errors:
        text = error or "no reason given"
        kind = _PARTICULARS.sub("", text.replace(molecule, ""))
        kinds.setdefault((failed, kind), []).append((text, molecule))
    return kinds


def _told(kind: Sequence[tuple[str, str]]) -> str:
    error, molecule = kind[0]
    return (f"{len(kind):,} x " if len(kind) > 1 else "") + f"{error} ({molecule})"
