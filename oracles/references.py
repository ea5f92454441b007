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
from typing import Any

from designloop.oracles import first_import, old_name, own_files, registry
from designloop.oracles.cards import OracleCard, card_of
from designloop.oracles.errors import OracleError
from designloop.oracles.facts import Facts, attribute_of, facts_of
from designloop.oracles.folder_copy import copy_folder, remove_copy
from designloop.paths import is_file, is_folder
from designloop.words import did_you_mean


@dataclass(frozen=True)
class InHand:
    """A function or class that this process has imported."""

    target: Callable[..., Any]
    reference: str
    imports: own_files.OwnImports | None = None
    """Needed around every call of an oracle of a file."""

    def facts(self, params: Mapping[str, Any]) -> Facts:
        """What it says of itself and of its parameters."""
        return facts_of(self.target, self.reference, params, self.imports.helpers() if self.imports else ())

    def card(self) -> OracleCard:
        """Its card."""
        return card_of(self.target, self.reference)

    def here(self) -> InHand:
        """Itself."""
        return self


@dataclass(frozen=True)
class InFile:
    """A function or class of a user's file, which a process of its own imports."""

    path: Path
    source: bytes
    """The file's bytes."""
    attribute: str
    reference: str

    def facts(self, params: Mapping[str, Any]) -> Facts:
        """What it says of itself and of its parameters."""
        return Facts.from_json(self._ask(params)["facts"])

    def card(self) -> OracleCard:
        """Its card."""
        return OracleCard.from_json(self._ask(None)["card"])

    def here(self) -> InHand:
        """The same, imported by this process, in a copy of its folder that goes with it."""
        imports = own_files.OwnImports(copy_folder(self.path, self.source))
        weakref.finalize(imports, remove_copy, imports.folder, os.getpid())
        return _import(self, imports)

    @property
    def place(self) -> str:
        """The file as the reference names it."""
        return self.reference.rpartition(":")[0] or self.reference

    def _ask(self, params: Mapping[str, Any] | None) -> Mapping[str, Any]:
        asked = {"reference": self.reference, "place": self.place, "attribute": self.attribute, "params": params}
        return first_import.ask(self.path, self.source, asked)


@dataclass(frozen=True)
class ResolvedReference:
    """The function or class that a reference names, and what makes it what it is."""

    subject: InHand | InFile
    identity: Mapping[str, str]
    """What of the reference counts in the fingerprint."""
    home: Path
    """The folder that its declared files are relative to."""
    source: Mapping[str, bytes] = field(default_factory=dict)
    """The user's own file: its name and bytes. Empty for an installed oracle, which does not travel."""


def find(reference: str, folder: Path, *, deadly: bool = False) -> ResolvedReference:
    """What the reference names.

    A file of a user's own is imported by a process of its own, in a copy of its folder: whatever it does to the process
    that imports it, and whatever it writes beside itself, is gone with that process. What is built in and what is
    installed is imported here: it has been imported before it was installed.

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
        return ResolvedReference(InHand(target, name), {"built_in": name}, Path(registry.__file__).parent)
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
    target = attribute_of(module, attribute, module_name)
    home = Path(module.__file__).parent if module.__file__ else folder
    # A result is known by the name that built-ins have always had, whichever of the two is written.
    name = module_name.removeprefix("designloop.") if module_name.startswith(f"{old_name.FULL}.") else module_name
    return ResolvedReference(InHand(target, f"{module_name}:{attribute}"), {"module": f"{name}:{attribute}"}, home)


def _in_file(path: Path, attribute: str, reference: str, deadly: bool) -> ResolvedReference:
    if is_folder(path):
        raise OracleError(f"{reference!r} names a folder, expected a file; write ./my_oracle.py:FUNCTION")
    if not is_file(path):
        meant = did_you_mean(path.name, (other.name for other in path.parent.glob("*.py")))
        hint = meant or "paths are relative to the campaign's folder"
        raise OracleError(f"there is no file {path}; {hint}")
    source = path.read_bytes()
    named = InFile(path, source, attribute, reference)
    subject = _import(named, own_files.OwnImports(path)) if deadly else named
    identity = {"function": attribute, "source": hashlib.sha256(source).hexdigest()}
    return ResolvedReference(subject, identity, path.parent, {path.name: source})


def _import(named: InFile, imports: own_files.OwnImports) -> InHand:
    with contextlib.chdir(imports.folder):  # what it declares it finds by relative names, as where it runs
        module = own_files.import_file(named.path, named.source, imports)
    return InHand(attribute_of(module, named.attribute, named.place), named.reference, imports)
