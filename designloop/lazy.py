"""Faces of packages: one list of public names, each loaded when it is first used.

    __getattr__, __dir__, __all__ = attach(__name__, {"model": ["VAE"], "training.fit": ["Batch", "fit"]})

Type checkers cannot follow this. They read the same names from imports under ``TYPE_CHECKING``, and a test keeps the
two equal (``tests/test_faces.py``).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def attach(
    package: str,
    names: Mapping[str, Sequence[str]],
    modules: Sequence[str] = (),
    elsewhere: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Args:
        package: its ``__name__``.
        names: module below the package -> the public names that it defines.
        modules: modules below the package that are public themselves.
        elsewhere: module below the package -> names that stood here once and are there now: the error says so.
    """
    home = {name: module for module, defined in names.items() for name in defined}
    public = [*home, *modules]
    moved = {name: module for module, defined in (elsewhere or {}).items() for name in defined}

    def attribute(name: str) -> Any:
        if name in home:
            return getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        if name in moved:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r} any more; it is in {package}.{moved[name]}"
            )
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it offers {', '.join(public)}")

    def listed() -> list[str]:
        return [*vars(sys.modules[package]), *public]

    return attribute, listed, public
