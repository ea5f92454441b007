"""Files stay short, and calls readable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

MOST_LINES = 400
MOST_POSITIONAL = 7


def sources() -> Iterator[Path]:
    for package in ("designloop", "oracles"):
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "designloop/oracles" not in str(path))


def long_signatures(source: str) -> list[str]:
    """Functions that take too many arguments by position; a decorated command's are options, given by name."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            arguments = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
            if len([name for name in arguments if name not in ("self", "cls")]) > MOST_POSITIONAL:
                names.append(node.name)
    return names


def test_no_file_is_long() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources()}
    assert len(lengths) > 300, "the packages are found"
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_takes_many_arguments_by_position() -> None:
    signatures = {path.relative_to(ROOT): long_signatures(path.read_text()) for path in sources()}
    assert {path: names for path, names in signatures.items() if names} == {}


def test_a_long_signature_is_seen() -> None:
    assert long_signatures("def f(a, b, c, d, e, f, g, h): ...") == ["f"]
    assert long_signatures("class C:\n    def f(self, a, b, c, d, e, f, g, *, h): ...") == []
