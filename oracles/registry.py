"""The built-in oracles by name."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from designloop.oracles.declaration import declaration_of
from designloop.oracles.errors import OracleError


@functools.cache
def built_ins() -> Mapping[str, Callable[..., Any]]:
    """Name -> function or class, of everything in this package that carries ``@oracle(...)``.

    Raises:
        OracleError: Two of the same name.
    """
    package = importlib.import_module("designloop.oracles")
    found: dict[str, Callable[..., Any]] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"designloop.oracles.{info.name}")
        for item in vars(module).values():
            elsewhere = getattr(item, "__module__", None) != module.__name__
            if elsewhere or "__oracle__" not in getattr(item, "__dict__", {}):
                continue
            name = declaration_of(item).name or item.__name__
            if name in found:
                raise OracleError(f"{module.__name__} and {found[name].__module__} both have {name!r}; rename one")
            found[name] = item
    return found
