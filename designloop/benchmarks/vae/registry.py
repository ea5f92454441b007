"""The methods of the VAE library by name: each is a file of ``methods/``, or a folder in it with a ``method.py``."""

from __future__ import annotations

from typing import cast

from designloop.benchmarks.common.registry import load_by_name, modules_by_name
from designloop.benchmarks.vae.method import Method

METHODS = "designloop.benchmarks.vae.methods"


def available() -> list[str]:
    """Returns the names of all methods, sorted."""
    return list(modules_by_name(METHODS, "method"))


def load(name: str) -> Method:
    """Imports the method of a name.

    Raises:
        InputError: there is none.
    """
    return cast("Method", load_by_name(name, METHODS, "method", "VAE method", "none"))
