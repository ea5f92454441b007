"""What is found by its name: each file of a folder, and each folder in it that holds one file of an agreed name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import cast

from designloop.benchmarks.common.options import Benchmark

BENCHMARKS = "designloop.benchmarks"


def modules_by_name(package: str, file: str) -> Mapping[str, str]:
    """Returns name -> module, sorted by name; ``latent_bo.py`` is called ``latent-bo``.

    A folder without the file is no entry: it is what the entries share. What begins with an underscore is none either.

    Args:
        package: whose files and folders are looked through.
        file: what a folder's own module is called: ``benchmark`` finds ``peers/benchmark.py``.
    """
    modules: dict[str, str] = {}
    for folder in import_module(package).__path__:
        for entry in iter_modules([folder]):
            if entry.name.startswith("_"):
                continue
            if not entry.ispkg:
                modules[entry.name.replace("_", "-")] = f"{package}.{entry.name}"
            elif Path(folder, entry.name, f"{file}.py").is_file():
                modules[entry.name.replace("_", "-")] = f"{package}.{entry.name}.{file}"
    return dict(sorted(modules.items()))


def load_by_name(name: str, package: str, file: str, what: str, otherwise: str) -> ModuleType:
    """Imports the module that ``modules_by_name`` knows by a name.

    Args:
        what: the entries in words, for the message: ``benchmark``.
        otherwise: what else may be given: ``all``.
    Raises:
        InputError: there is none; the message lists those there are.
    """
    from designloop.api import InputError

    modules = modules_by_name(package, file)
    if name not in modules:
        raise InputError(f"no {what} {name!r}; give one of {', '.join(modules)}, or {otherwise}")
    return import_module(modules[name])


def available() -> list[str]:
    """Returns the names of all benchmarks, sorted."""
    return list(modules_by_name(BENCHMARKS, "benchmark"))


def load(name: str) -> Benchmark:
    """Imports the benchmark of a name.

    Raises:
        InputError: there is none.
    """
    return cast("Benchmark", load_by_name(name, BENCHMARKS, "benchmark", "benchmark", "all"))
