"""The built-in oracles by name."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from designloop.oracles.declaration import declaration_of
from designloop.oracles.errors import OracleError
from designloop.parts import Registry, modules_in


@functools.cache
def built_ins() -> Mapping[str, Callable[..., Any]]:
    """Name -> function or class, of everything in this package that carries ``@oracle(...)``.

    Raises:
        OracleError: Two of the same name.
    """
    oracles: Registry[Callable[..., Any]] = Registry("oracle")
    for module_name in modules_in("designloop.oracles"):
        module = importlib.import_module(f"designloop.oracles.{module_name}")
        for item in vars(module).values():
            elsewhere = getattr(item, "__module__", None) != module.__name__
            if elsewhere or "__oracle__" not in getattr(item, "__dict__", {}):
                continue
            try:
                oracles.register(declaration_of(item).name or item.__name__, item)
            except ValueError as error:
                raise OracleError(str(error)) from error
    return oracles
