"""The benchmarks by name: each is a module of the folder above this one."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from designloop.benchmarks.common.options import Benchmark
from designloop.parts import modules_in


def available() -> list[str]:
    """Names of the benchmarks there are, sorted."""
    return sorted(name.replace("_", "-") for name in modules_in("designloop.benchmarks"))


def load(name: str) -> Benchmark:
    """The benchmark of a name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    from designloop.api import InputError

    if name not in available():
        raise InputError(f"no benchmark {name!r}; give one of {', '.join(available())}, or all")
    return cast("Benchmark", import_module(f"designloop.benchmarks.{name.replace('-', '_')}"))
