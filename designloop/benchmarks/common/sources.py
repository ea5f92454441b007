"""A digest of the code that a peer's trials depend on, and of no other, so that what was run stays valid.

Followed are names: from the definitions of a module to those that they use, into other modules of this repository, to
where a name is defined at last. Comments, docstrings, layout, a module's place and imports do not count. What is only
reached by a name in a string is not seen, and has to be given.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
"""Where the packages lie."""


def code_of(*wanted: str) -> str:
    """Digest of the code of some modules (``package.module``) or definitions (``package.module:name``).

    Raises:
        ValueError: one of them is not there.
    """
    return hashlib.sha256("\n".join(f"{name}\n{code}" for name, code in _code(*wanted)).encode()).hexdigest()


def identity_of(function: Callable[..., object]) -> str:
    """A digest of a function's code and of all that it reaches by name, and what it is given beforehand.

    Args:
        function: of a module, or a partial of one; so are functions that it is given. What else it is given is known
            by its ``repr``.
    Raises:
        ValueError: it is no function of a module of this repository, or given what an address alone tells from others.
    """
    if not isinstance(function, partial):
        name = getattr(function, "__name__", None)
        if name is None:
            raise ValueError(f"found {function!r}, expected a function of a module, or a partial of one")
        return code_of(f"{function.__module__}:{name}")
    args = tuple(map(_given, function.args))
    keywords = {name: _given(value) for name, value in function.keywords.items()}
    return f"{identity_of(function.func)} of {args!r}, {keywords!r}"


def _given(value: Any) -> Any:
    """What is shown of a value that a function is given beforehand."""
    if callable(value):
        return identity_of(value)
    if re.search(r" at 0x[0-9a-f]+>", repr(value)):
        raise ValueError(f"found {value!r}, expected a value whose repr says what it is; give it one, or a function")
    return value


@lru_cache(2_000)
def code_alone(source: bytes) -> bytes:
    """The code of a file of Python's in one form: without comments, docstrings and layout.

    Raises:
        SyntaxError: it is none.
    """
    return ast.dump(_parsed(source)).encode()


def definitions_of(*wanted: str) -> list[str]:
    """``file: name`` of each definition whose code counts, sorted."""
    return [name for name, _ in _code(*wanted)]


def _code(*wanted: str) -> list[tuple[str, str]]:
    """(``file: name``, its code) of all that is reached, sorted."""
    taken: dict[tuple[Path, str], str] = {}
    for place in wanted:
        module, _, name = place.partition(":")
        source = _source(module)
        if source is None or (name and name not in source.definitions):
            raise ValueError(f"found {place!r}, expected a module or a definition below {ROOT}; correct the name")
        _take(source, name or None, taken)
    return sorted((f"{path.name}: {name}", code) for (path, name), code in taken.items())


@dataclass
class _Source:
    """A file: what it defines, and where what it imports comes from."""

    path: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    """Name -> the statements that bind it; other statements are under an empty name."""
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Name -> (module, name there), None where it is the module itself."""


def _take(source: _Source, name: str | None, taken: dict[tuple[Path, str], str]) -> None:
    """Adds a definition, or all of a file's, and what they use."""
    for defined in [name] if name is not None else list(source.definitions):
        if (source.path, defined) in taken:
            continue
        statements = source.definitions[defined]
        taken[source.path, defined] = "\n".join(map(_text, statements))
        for statement in statements:
            local = dict(_imports(statement))
            for used, attribute in _used(statement):
                if used in source.definitions and used not in local:
                    _take(source, used, taken)
                elif (origin := local.get(used) or source.imports.get(used)) is not None:
                    _follow(*origin, attribute, taken)


def _follow(module: str, name: str | None, attribute: str | None, taken: dict[tuple[Path, str], str]) -> None:
    """Adds what is imported by a name, or an attribute of it where it is a module; nothing of other packages."""
    inner = _source(f"{module}.{name}") if name is not None else _source(module)
    if inner is not None:
        if attribute is not None and attribute in inner.imports:
            _follow(*inner.imports[attribute], None, taken)
        else:
            _take(inner, attribute if attribute in inner.definitions else None, taken)
    elif name is not None and (source := _source(module)) is not None:
        if name in source.definitions:
            _take(source, name, taken)
        elif name in source.imports:
            _follow(*source.imports[name], attribute, taken)


def _used(statement: ast.stmt) -> Iterator[tuple[str, str | None]]:
    """Each name in a statement, with the attribute that is asked of it, if one is."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id, node.attr
            continue
        if isinstance(node, ast.Name):
            yield node.id, None
        todo.extend(ast.iter_child_nodes(node))


def _imports(node: ast.AST) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """(name, where it comes from) of the imports in a piece of code."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            yield from ((alias.asname or alias.name, (alias.name, None)) for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom) and inner.module is not None:
            yield from ((alias.asname or alias.name, (inner.module, alias.name)) for alias in inner.names)


@cache
def _source(module: str) -> _Source | None:
    """The file of a module of this repository, read; None of another."""
    stem = ROOT.joinpath(*module.split("."))
    path = next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)
    if path is None:
        return None
    source = _Source(path)
    for statement in _parsed(path.read_bytes()).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            source.imports.update(_imports(statement))
            continue
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            continue
        for name in _bound(statement) or [""]:
            source.definitions.setdefault(name, []).append(statement)
    return source


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement of a module binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", ast.Pass())]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _parsed(source: bytes) -> ast.Module:
    """A file without its docstrings, and without the strings below names that explain them."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [item for item in body if not _is_text(item)]
            body[:] = kept or [ast.Pass()]
    return tree


@cache
def _text(statement: ast.stmt) -> str:
    """The code of a statement in one form."""
    return ast.dump(_WithoutImports().visit(deepcopy(statement)))


class _WithoutImports(ast.NodeTransformer):
    """Takes the imports of functions away: what is imported counts, wherever it lies."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None


def _is_text(item: ast.stmt) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
