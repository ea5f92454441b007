"""The methods of the VAE library by name: each is a file of ``methods/``, or a folder in it with a ``method.py``."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from designloop.benchmarks.common.registry import modules_by_name
from designloop.benchmarks.vae.method import Method

METHODS = "designloop.benchmarks.vae.methods"


def available() -> list[str]:
    """Returns the names of all methods, sorted."""
    return list(modules_by_name(METHODS, "method"))


def load(name: str) -> Method:
    """Imports the method of a name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    from designloop.api import InputError

    modules = modules_by_name(METHODS, "method")
    if name not in modules:
        raise InputError(f"no method {name!r} of the benchmark vae; give one of {', '.join(modules)}, or none")
    return cast("Method", import_module(modules[name]))
