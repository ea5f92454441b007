"""What a reference names: a built-in, a function of an installed module, or one of a file beside the campaign."""

from __future__ import annotations

import contextlib
import hashlib
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from designloop.oracles import first_import, installed, old_name, own_files, registry
from designloop.oracles.cards import OracleCard, card_of
from designloop.oracles.errors import OracleError
from designloop.oracles.facts import Facts, attribute_of, facts_of
from designloop.oracles.first_import import FileCode, ModuleCode
from designloop.oracles.folder_copy import copy_folder, remove_copy
from designloop.paths import is_file, is_folder
from designloop.words import did_you_mean


@dataclass(frozen=True)
class InHand:
    """A function or class that this process has imported."""

    target: Callable[..., Any]
    reference: str
    home: Path
    """The folder that its declared files are relative to."""
    imports: own_files.OwnImports | None = None
    """Needed around every call of an oracle of a file."""

    def facts(self, params: Mapping[str, Any]) -> Facts:
        """What it says of itself and of its parameters."""
        return facts_of(self.target, self.reference, params, self.home, self.imports.helpers() if self.imports else ())

    def card(self) -> OracleCard:
        """Its card."""
        return card_of(self.target, self.reference)

    def here(self) -> InHand:
        """Itself."""
        return self


@dataclass(frozen=True)
class Elsewhere:
    """A function or class of a file or module that a process of its own imports."""

    code: FileCode | ModuleCode
    attribute: str
    reference: str

    def facts(self, params: Mapping[str, Any]) -> Facts:
        """What it says of itself and of its parameters."""
        return Facts.from_json(self._ask(params)["facts"])

    def card(self) -> OracleCard:
        """Its card."""
        return OracleCard.from_json(self._ask(None)["card"])

    def here(self) -> InHand:
        """The same, imported by this process; a file in a copy of its folder that goes with it."""
        if isinstance(self.code, ModuleCode):
            return _import_module(self.code, self.attribute)
        imports = own_files.OwnImports(copy_folder(self.code.path, self.code.source))
        weakref.finalize(imports, remove_copy, imports.folder, os.getpid())
        return _import_file(self.code, self.attribute, self.reference, imports)

    def _ask(self, params: Mapping[str, Any] | None) -> Mapping[str, Any]:
        place = _place_of(self.reference)
        asked = {"reference": self.reference, "place": place, "attribute": self.attribute, "params": params}
        return first_import.ask(self.code, asked)


@dataclass(frozen=True)
class ResolvedReference:
    """The function or class that a reference names, and what makes it what it is."""

    subject: InHand | Elsewhere
    identity: Mapping[str, str]
    """What of the reference counts in the fingerprint."""
    source: Mapping[str, bytes] = field(default_factory=dict)
    """The user's own file: its name and bytes. Empty for an installed oracle, which does not travel."""


def find(reference: str, folder: Path, *, deadly: bool = False) -> ResolvedReference:
    """What the reference names.

    What a user names is imported by a process of its own, a file in a copy of its folder, a module in an empty folder:
    whatever it does to the process that imports it, and whatever it writes where it is, is gone with that process. What
    is built in is imported here, and so is what this process has imported already.

    Args:
        deadly: This process may die of it, and the file's folder is its own, so it is imported here only, and a file
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
        return _in_module(place, attribute, folder, deadly)
    return _built_in(reference, folder)


def names_file(place: str) -> bool:
    """Whether it is a path, and not a module's or a built-in's name."""
    return place.endswith(".py") or "/" in place or "\\" in place


def _built_in(name: str, folder: Path) -> ResolvedReference:
    known = registry.built_ins()
    if name in known:
        target = known[name]
        return ResolvedReference(InHand(target, name, Path(registry.__file__).parent), {"built_in": name})
    if is_file(folder / f"{name}.py"):
        raise OracleError(f"no oracle is called {name!r}; for your own file, write ./{name}.py:FUNCTION")
    if "." in name:
        module, _, attribute = name.rpartition(".")
        raise OracleError(f"no oracle is called {name!r}; for a function of your own, write {module}:{attribute}")
    lists = "`designloop oracles` lists them, ./my_oracle.py:FUNCTION names your own"
    raise OracleError(f"no oracle is called {name!r}; {did_you_mean(name, known) or lists}")


def _in_module(module_name: str, attribute: str, folder: Path, deadly: bool) -> ResolvedReference:
    code = ModuleCode(module_name, folder, installed.fix_for(module_name, attribute, folder))
    is_harmless = deadly or installed.is_imported(module_name)
    elsewhere = Elsewhere(code, attribute, f"{module_name}:{attribute}")
    subject = elsewhere.here() if is_harmless else elsewhere
    # A result is known by the name that built-ins have always had, whichever of the two is written.
    name = module_name.removeprefix("designloop.") if module_name.startswith(f"{old_name.FULL}.") else module_name
    return ResolvedReference(subject, {"module": f"{name}:{attribute}"})


def _in_file(path: Path, attribute: str, reference: str, deadly: bool) -> ResolvedReference:
    if is_folder(path):
        raise OracleError(f"{reference!r} names a folder, expected a file; write ./my_oracle.py:FUNCTION")
    if not is_file(path):
        meant = did_you_mean(path.name, (other.name for other in path.parent.glob("*.py")))
        hint = meant or "paths are relative to the campaign's folder"
        raise OracleError(f"there is no file {path}; {hint}")
    code = FileCode(path, path.read_bytes())
    subject = (
        _import_file(code, attribute, reference, own_files.OwnImports(path))
        if deadly
        else Elsewhere(code, attribute, reference)
    )
    identity = {"function": attribute, "source": hashlib.sha256(code.source).hexdigest()}
    return ResolvedReference(subject, identity, {path.name: code.source})


def _import_file(code: FileCode, attribute: str, reference: str, imports: own_files.OwnImports) -> InHand:
    with contextlib.chdir(imports.folder):  # what it declares it finds by relative names, as where it runs
        module = own_files.import_file(code.path, code.source, imports)
    target = attribute_of(module, attribute, _place_of(reference))
    return InHand(target, reference, code.path.parent, imports)


def _import_module(code: ModuleCode, attribute: str) -> InHand:
    module = installed.import_installed(code.name, code.fix)
    target = attribute_of(module, attribute, code.name)
    return InHand(target, f"{code.name}:{attribute}", installed.home_of(module, code.folder))


def _place_of(reference: str) -> str:
    """The file or module as the reference names it."""
    return reference.rpartition(":")[0] or reference
