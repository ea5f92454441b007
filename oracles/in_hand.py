"""A function or class in hand as a reference: by its module's name, or, of a script or notebook, by its source.

A script is not imported by workers, which would run it again from its first line. The function's own text is written
into a file instead, with the imports, constants and further functions that it uses.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import symtable
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from designloop.oracles.errors import OracleError

_REMEDY = "write it into a file and name that: ./my_oracle.py:FUNCTION"

_CONSTANTS = (bool, int, float, str, bytes, type(None), list, tuple, dict, set, frozenset)


def reference_of(target: Callable[..., Any], folder: Path, below: str) -> str:
    """The reference under which the function or class is found again, from ``folder``.

    Args:
        target: a function or class at the top of a module, a script or a notebook.
        folder: what a relative reference is relative to.
        below: the folder in it where the source of a script's function is written.
    Raises:
        OracleError: it is a lambda, stands inside a function, or uses what no source can say.
    """
    name = getattr(target, "__qualname__", "")
    if "<lambda>" in name:
        raise OracleError("a lambda has no name by which workers could find it; write def score(smiles): … instead")
    if not name.isidentifier():
        raise OracleError(
            f"{target!r} does not stand at the top of a module or script, where it has a name; move it there"
        )
    module = str(target.__module__)
    if module != "__main__" and _is_importable(module):
        return f"{module}:{name}"
    path = folder / below / f"{name}.py"
    source = source_of(target)
    if not path.is_file() or path.read_text(encoding="utf-8") != source:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return f"./{below}/{name}.py:{name}"


def source_of(target: Callable[..., Any]) -> str:
    """A module's text that defines the function or class, and whatever of its own script it uses.

    Raises:
        OracleError: its source is not known, or it uses an object that cannot be written down.
    """
    module = sys.modules.get(target.__module__)
    namespace: Mapping[str, Any] = getattr(target, "__globals__", None) or vars(module)
    parts: dict[str, str] = {}
    _add(target.__name__, target, namespace, str(target.__module__), parts)
    imports = sorted(part for part in parts.values() if part.startswith(("import ", "from ")))
    others = [part for part in parts.values() if part and not part.startswith(("import ", "from "))]
    return "\n".join(["from __future__ import annotations\n", *imports, "", *(f"\n{part}" for part in others)]) + "\n"


def _add(name: str, item: Any, namespace: Mapping[str, Any], home: str, parts: dict[str, str]) -> None:
    """Puts what defines a name into ``parts``, after what that needs."""
    if name in parts:
        return
    defined_in = getattr(item, "__module__", None)
    if isinstance(item, ModuleType):
        parts[name] = f"import {item.__name__}" if name == item.__name__ else f"import {item.__name__} as {name}"
    elif isinstance(defined_in, str) and defined_in != home and (found := _name_in(defined_in, item, name)):
        parts[name] = f"from {defined_in} import {found} as {name}"
    elif defined_in == home and (inspect.isfunction(item) or inspect.isclass(item)):
        text = _text_of(item)
        parts[name] = ""  # it may use itself
        _add_used(text, namespace, home, parts)
        del parts[name]
        parts[name] = text
    elif isinstance(item, _CONSTANTS) and _is_literal(item):
        parts[name] = f"{name} = {item!r}"
    else:
        raise OracleError(
            f"the oracle uses {name!r}, which is {type(item).__name__} and cannot be written down for workers; "
            f"make it inside the function, or {_REMEDY}"
        )


def _name_in(module: str, item: Any, name: str) -> str | None:
    """The name under which a module has a function, class or other object; None where it has it under none.

    An object that only says of what module its class is, such as a partial function or a fitted model, is in none.
    """
    names = [getattr(item, "__qualname__", None), getattr(item, "__name__", None), name]
    holder = sys.modules.get(module)
    return next((text for text in names if isinstance(text, str) and getattr(holder, text, None) is item), None)


def _add_used(text: str, namespace: Mapping[str, Any], home: str, parts: dict[str, str]) -> None:
    """Adds every global name that a piece of source reads; a parameter or local of the same name is none."""
    for name in dict.fromkeys(_global_names(symtable.symtable(text, "<oracle>", "exec"))):
        if name in namespace:
            _add(name, namespace[name], namespace, home, parts)


def _global_names(scope: symtable.SymbolTable) -> Iterator[str]:
    """The names that a scope, or one inside it, reads from the module."""
    yield from (symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global() and symbol.is_referenced())
    for inner in scope.get_children():
        yield from _global_names(inner)


def _text_of(item: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(item)).rstrip()
    except (OSError, TypeError) as error:
        raise OracleError(f"{item.__name__} comes from no file or cell whose text is known; {_REMEDY}") from error


def _is_literal(item: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(item)) == item)
    except (ValueError, SyntaxError):
        return False


def _is_importable(module: str) -> bool:
    """Whether the module's name leads to the module that is loaded, as it then does in a process of the same path."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    loaded = getattr(sys.modules.get(module), "__file__", None)
    return spec is not None and spec.origin is not None and loaded is not None and Path(spec.origin) == Path(loaded)
