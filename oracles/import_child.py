"""The process that imports a user's oracle file or an installed module, and says what the driver has to know of it.

Whatever that does to the process that imports it, it does to this one: the driver reads plain data from a socket.
"""

from __future__ import annotations

import builtins
import faulthandler
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from designloop.oracles.cards import card_of
from designloop.oracles.errors import OracleError, ParameterError
from designloop.oracles.facts import attribute_of, facts_of, fields_of, plain
from designloop.oracles.installed import home_of, import_installed
from designloop.oracles.own_files import OwnImports, import_file

CUT_OFF = 93
"""Exit code of a process whose socket the file has closed."""

_LONGEST = 4000
"""Characters of an error that are told."""


class _Channel:
    """A socket, read and written by functions that were taken before the file could replace them."""

    def __init__(self, number: int) -> None:
        os.set_inheritable(number, False)
        self.number = number
        self._read, self._write, self._stat, self._exit = os.read, os.write, os.fstat, os._exit
        self._dumps, self._loads = json.dumps, json.loads
        self._socket = _identity(os.fstat(number))
        self._buffer = b""

    def say(self, data: Mapping[str, Any]) -> None:
        """Writes a line; ends the process where the file has closed the socket, or put another file in its place."""
        try:
            if _identity(self._stat(self.number)) != self._socket:
                self._exit(CUT_OFF)
            rest = self._dumps(data, default=plain).encode() + b"\n"
            while rest:
                rest = rest[self._write(self.number, rest) :]
        except OSError:
            self._exit(CUT_OFF)

    def next(self) -> dict[str, Any]:
        """Returns the next line that comes; ends the process once there is none."""
        while b"\n" not in self._buffer:
            data = self._read(self.number, 1 << 16)
            if not data:
                self._exit(0)  # threads that the file started are not waited for
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        request: dict[str, Any] = self._loads(line)
        return request


def _identity(about: os.stat_result) -> tuple[int, int]:
    return about.st_dev, about.st_ino


_NEEDED = (builtins, json, os, signal, time)
"""Modules without whose functions no process can run an oracle."""


class _Process:
    """What of this process a file may change and the answers need."""

    def __init__(self) -> None:
        self._callable = callable
        self._functions = {module: {k: v for k, v in vars(module).items() if callable(v)} for module in _NEEDED}
        self._path = list(sys.path)
        self._depth = sys.getrecursionlimit()

    def restore(self) -> list[str]:
        """Takes back what the file did, and returns the functions that it has put something else in place of."""
        taken = []
        for module, functions in self._functions.items():
            now = module.__dict__
            taken += [f"{module.__name__}.{name}" for name in functions if not self._callable(now.get(name))]
            now.update(functions)
        sys.path[:] = self._path
        sys.setrecursionlimit(self._depth)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return taken


class _File:
    """A user's file, imported in a copy of its folder."""

    def __init__(self, what: Mapping[str, str]) -> None:
        self.label = f"{what['path']}: the file"
        self._path, self._copy = Path(what["path"]), Path(what["copy"])
        self._imports = OwnImports(self._copy)

    def load(self) -> ModuleType:
        """Imports it."""
        return import_file(self._path, self._copy.read_bytes(), self._imports)

    def home(self, module: ModuleType) -> Path:
        """The folder in which the user has it."""
        return self._path.parent

    def helpers(self) -> list[str]:
        """The files of its folder that it imports."""
        return self._imports.helpers()


class _Module:
    """An installed module."""

    def __init__(self, what: Mapping[str, str]) -> None:
        self.label = f"{what['module']}: the module"
        self._what = what

    def load(self) -> ModuleType:
        """Imports it."""
        return import_installed(self._what["module"], self._what["fix"])

    def home(self, module: ModuleType) -> Path:
        """The folder that it lies in."""
        return home_of(module, Path(self._what["folder"]))

    def helpers(self) -> list[str]:
        """Nothing: what it imports is installed as well."""
        return []


def main() -> None:
    """Imports what the arguments name, and answers what is asked of it until nobody asks."""
    channel, seconds = _Channel(int(sys.argv[2])), float(sys.argv[3])
    what = json.loads(sys.argv[4])
    code = _File(what) if "path" in what else _Module(what)
    process = _Process()
    faulthandler.enable(file=channel.number)
    faulthandler.dump_traceback_later(seconds, exit=True, file=channel.number)
    module, error = None, ""
    try:
        module = code.load()
    except BaseException as problem:  # whatever it is, the import did not kill the process
        error = str(problem)[:_LONGEST] or type(problem).__name__
    if (taken := process.restore()) and not error:
        error = (
            f"{code.label} puts something that cannot be called in place of {', '.join(taken[:3])}, which whoever "
            "runs it needs; leave that as it is"
        )
    faulthandler.cancel_dump_traceback_later()
    channel.say({"error": error})
    while module is not None:
        channel.say(_answer(module, code, channel.next()))


def _answer(module: ModuleType, code: _File | _Module, request: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is asked of the module's function or class, or what is wrong with it."""
    reference = request["reference"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever the file has made of them
            target = attribute_of(module, request["attribute"], request["place"])
            if request["params"] is None:
                return {"card": fields_of(card_of(target, reference))}
            facts = facts_of(target, reference, request["params"], code.home(module), code.helpers())
            return {"facts": fields_of(facts)}
    except ParameterError as error:
        return {"oracle": error.oracle_name, "problems": [asdict(problem) for problem in error.problems]}
    except OracleError as error:
        return {"error": str(error)}
    except BaseException as error:  # raised by what stands in the file, such as a property or an annotation
        return {"error": f"{reference!r} cannot be read: {type(error).__name__}: {error}"[:_LONGEST]}
