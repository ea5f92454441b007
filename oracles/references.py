"""What a reference names: a built-in, a function of an installed module, or one of a file beside the campaign."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from designloop.oracles import first_import, old_name, own_files, registry
from designloop.oracles.errors import OracleError
from designloop.oracles.folder_copy import copy_folder, remove_copy
from designloop.paths import is_file, is_folder
from designloop.words import did_you_mean, meant_or_known


@dataclass(frozen=True)
class ResolvedReference:
    """The function or class that a reference names, and what makes it what it is."""

    target: Callable[..., Any]
    identity: Mapping[str, str]
    """What of the reference counts in the fingerprint."""
    home: Path
    """The folder that its declared files are relative to."""
    source: Mapping[str, bytes] = field(default_factory=dict)
    """The user's own file: its name and bytes. Empty for an installed oracle, which does not travel."""
    imports: own_files.OwnImports | None = None
    """Needed around every call of an oracle of a file."""


def find(reference: str, folder: Path, *, deadly: bool = False) -> ResolvedReference:
    """What the reference names, imported.

    A file of a user's own is imported in a copy of its folder, so that what it writes there when it is imported is gone
    with the oracle, and by a process of its own first, so that one that ends or blocks its process does not take this
    one along. What is built in and what is installed is not: it would cost a second import of libraries
    that may be large, and has been imported before it was installed.

    Args:
        deadly: This process may die of it, and the file's folder is its own, so the file is imported here only, and
            where it lies. Workers are such processes.
    Raises:
        OracleError: It is not there, or cannot be imported.
    """
    place, _, attribute = reference.rpartition(":")
    if names_file(reference) and not place:
        place, attribute = reference, ""
    if names_file(place):
        return _in_file(folder / place, attribute, reference, deadly)
    if place:
        return _in_module(place, attribute, folder)
    return _built_in(reference, folder)


def names_file(place: str) -> bool:
    """Whether it is a path, and not a module's or a built-in's name."""
    return place.endswith(".py") or "/" in place or "\\" in place


def _built_in(name: str, folder: Path) -> ResolvedReference:
    known = registry.built_ins()
    if name in known:
        target = known[name]
        return ResolvedReference(target, {"built_in": name}, Path(registry.__file__).parent)
    if is_file(folder / f"{name}.py"):
        raise OracleError(f"no oracle is called {name!r}; for your own file, write ./{name}.py:FUNCTION")
    if "." in name:
        module, _, attribute = name.rpartition(".")
        raise OracleError(f"no oracle is called {name!r}; for a function of your own, write {module}:{attribute}")
    lists = "`designloop oracles` lists them, ./my_oracle.py:FUNCTION names your own"
    raise OracleError(f"no oracle is called {name!r}; {did_you_mean(name, known) or lists}")


def _in_module(module_name: str, attribute: str, folder: Path) -> ResolvedReference:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise OracleError(f"module {module_name!r} imports {error.name!r}, which is not installed") from error
        beside = folder / f"{module_name.replace('.', '/')}.py"
        fix = "install it here and wherever workers run, or name a file: ./my_oracle.py:score"
        if is_file(beside):
            fix = f"for the file beside the campaign, write ./{beside.relative_to(folder)}:{attribute}"
        raise OracleError(f"no module {module_name!r} is installed; {fix}") from error
    except (Exception, SystemExit) as error:
        raise OracleError(
            f"module {module_name!r} fails when imported: {type(error).__name__}: {error}; mend or reinstall it"
        ) from error
    target = _attribute(module, attribute, module_name)
    home = Path(module.__file__).parent if module.__file__ else folder
    # A result is known by the name that built-ins have always had, whichever of the two is written.
    name = module_name.removeprefix("designloop.") if module_name.startswith(f"{old_name.FULL}.") else module_name
    return ResolvedReference(target, {"module": f"{name}:{attribute}"}, home)


def _in_file(path: Path, attribute: str, reference: str, deadly: bool) -> ResolvedReference:
    if is_folder(path):
        raise OracleError(f"{reference!r} names a folder, expected a file; write ./my_oracle.py:FUNCTION")
    if not is_file(path):
        meant = did_you_mean(path.name, (other.name for other in path.parent.glob("*.py")))
        hint = meant or "paths are relative to the campaign's folder"
        raise OracleError(f"there is no file {path}; {hint}")
    source = path.read_bytes()
    if deadly:
        imports = own_files.OwnImports(path)
    else:
        first_import.refuse_deadly(path, source)
        imports = own_files.OwnImports(copy_folder(path, source))
        weakref.finalize(imports, remove_copy, imports.folder, os.getpid())
    with contextlib.chdir(imports.folder):  # what it declares it finds by relative names, as where it runs
        module = own_files.import_file(path, source, imports)
    target = _attribute(module, attribute, reference.rpartition(":")[0] or reference)
    identity = {"function": attribute, "source": hashlib.sha256(source).hexdigest()}
    return ResolvedReference(target, identity, path.parent, {path.name: source}, imports)


def _attribute(module: ModuleType, name: str, place: str) -> Callable[..., Any]:
    """The function or class of that name in the module."""
    theirs = [key for key, item in vars(module).items() if _is_own(item, module) and not key.startswith("_")]
    if not name:
        raise OracleError(f"{place!r} names no function; write {place}:{theirs[0] if theirs else 'FUNCTION'}")
    if not hasattr(module, name):
        raise OracleError(f"{place} has no {name!r}; {meant_or_known(name, theirs)}")
    target = getattr(module, name)
    if not callable(target):
        raise OracleError(f"{name!r} of {place} is {type(target).__name__}; name a function or a class")
    return target  # type: ignore[no-any-return]


def _is_own(item: Any, module: ModuleType) -> bool:
    return callable(item) and getattr(item, "__module__", None) == module.__name__
