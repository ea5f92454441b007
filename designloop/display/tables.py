"""Lines and tables on the terminal, or wherever standard output goes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer


def say(line: str = "") -> None:
    """Prints a line as it is."""
    typer.echo(line)


def grid(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints rows under their columns, numbers to the right; nothing where there is nothing.

    Nothing is ever cut, so that a molecule can be copied: on a terminal that is too narrow the last column moves to a
    line of its own under its row.
    """
    rows = [list(row) for row in rows]
    texts = [[cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    right = [any(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    narrow = sys.stdout.isatty() and sum(widths) + 2 * len(widths) > shutil.get_terminal_size().columns
    say(typer.style(_line(columns, widths, right, narrow), bold=True))
    for row in texts:
        say(_line(row, widths, right, narrow))


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool], narrow: bool) -> str:
    padded = [
        f"{text:>{width}}" if left else f"{text:{width}}"
        for text, width, left in zip(texts, widths, right, strict=True)
    ]
    if narrow and len(texts) > 1:
        return "  ".join(padded[:-1]).rstrip() + "\n    " + texts[-1]
    return "  ".join(padded).rstrip()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def cell(value: object) -> str:
    """A value as text: three decimals, thousands apart, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, list | tuple):
        return " ".join(map(cell, value))
    return str(value)


def property_value(value: float | None, desirability: float | None) -> str:
    """Writes ``value (desirability)``; empty where there is none."""
    return "" if value is None or desirability is None else f"{value:.4g} ({desirability:.2f})"
