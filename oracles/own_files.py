"""A user's own oracle file: what travels with it, and importing it without it clashing with another.

Everything that counts is bytes. The file that runs is the one that was fingerprinted; on a worker the same bytes are
written into a folder of their own. ``own/`` holds the oracle's file and what it declares, ``params/NAME/`` the file
that its parameter NAME points at.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import os
import shutil
import stat
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType, ModuleType

from designloop.oracles import old_name
from designloop.oracles.errors import OracleError
from designloop.paths import exists, real

_number = itertools.count()

_NO_MODES: Mapping[str, int] = MappingProxyType({})

_NEVER_OURS = sys.stdlib_module_names | {"designloop"}
"""Modules of which there is never a second copy, whatever lies beside an oracle (a checkout, say)."""


def digests(file_bytes: Mapping[str, bytes]) -> dict[str, str]:
    """Name -> SHA-256 of the bytes, names sorted."""
    return {name: hashlib.sha256(file_bytes[name]).hexdigest() for name in sorted(file_bytes)}


def read_files(folder: Path, declared: Sequence[str]) -> dict[str, bytes]:
    """Path relative to the folder -> bytes, of each declared file and of each file below a declared folder.

    Raises:
        OracleError: One is missing, or lies outside the folder.
    """
    contents: dict[str, bytes] = {}
    for name in declared:
        path = folder / name
        if not real(path).is_relative_to(real(folder)):
            raise OracleError(
                f"declared file {name!r} lies outside {folder}, so it cannot travel; "
                "put it beside the oracle, or name it by a parameter annotated pathlib.Path"
            )
        if not exists(path):
            raise OracleError(f"declared file {name!r} is not in {folder}; put it there or leave it out of files=[…]")
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in below:
            if file.is_file() and "__pycache__" not in file.parts:
                contents[str(PurePosixPath(file.relative_to(folder)))] = file.read_bytes()
    return contents


def permissions(paths: Mapping[str, Path]) -> dict[str, int]:
    """Name -> permission bits of the file: without them a program would arrive as a text."""
    return {name: stat.S_IMODE(path.stat().st_mode) for name, path in paths.items()}


def write_files(file_bytes: Mapping[str, bytes], folder: Path, modes: Mapping[str, int] = _NO_MODES) -> None:
    """Write the folder, which then holds these bytes; several processes may write the same one at once.

    It is written aside and renamed into place, so that it is there whole or not at all; one whose bytes differ (after a
    crash, or a clean-up of old temporary files) is replaced.

    Args:
        file_bytes: path relative to the folder -> content.
        folder: where they go.
        modes: path -> permission bits, where they are known.
    """
    expected = digests(file_bytes)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{folder.name[:16]}.", dir=folder.parent))
    try:
        for name, data in file_bytes.items():
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if name in modes:
                path.chmod(modes[name] | stat.S_IRUSR)
        if folder.exists() and not holds(folder, expected, modes):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            aside.rename(folder)
        except OSError:  # another process was first, which is as good if its bytes are right
            if not holds(folder, expected, modes):
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    importlib.invalidate_caches()  # the finders may remember the folder as it was before


def worker_folder() -> Path:
    """The user's folder on this machine for files that came with recipes.

    Raises:
        OracleError: It belongs to somebody else, whose code would then be run.
    """
    folder = Path(tempfile.gettempdir()) / f"designloop-oracles-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise OracleError(f"{folder} belongs to another user; remove it, or set TMPDIR to a folder of your own")
    return folder


def holds(folder: Path, expected: Mapping[str, str], modes: Mapping[str, int] = _NO_MODES) -> bool:
    """Whether the folder has each of these files, with the bytes of that digest, executable where it should be."""
    if not all((folder / name).is_file() for name in expected):
        return False
    if any(modes.get(name, 0) & stat.S_IXUSR and not os.access(folder / name, os.X_OK) for name in expected):
        return False
    return digests({name: (folder / name).read_bytes() for name in expected}) == dict(expected)


class OwnImports:
    """What one oracle's file imports: its folder first on the path, its helper modules its own.

    Two campaigns may each have a ``helper.py``. So while an oracle of a file is imported, made or called, its folder
    leads ``sys.path`` and its own helpers stand in ``sys.modules``; afterwards both are as they were.
    """

    def __init__(self, file: Path) -> None:
        self.folder = real(file.parent)
        modules = {entry.stem for entry in self.folder.glob("*.py")}
        packages = {entry.parent.name for entry in self.folder.glob("*/__init__.py")}
        self._local = (modules | packages) - _NEVER_OURS
        if file.name == f"{old_name.SHORT}.py" or not old_name.is_taken(self.folder):
            self._local -= {old_name.SHORT}
        self._helpers: dict[str, ModuleType] = {}

    @contextmanager
    def active(self) -> Iterator[None]:
        """While this lasts, imports are those of the oracle's file."""
        others = self._take_out()
        sys.modules.update(self._helpers)
        sys.path.insert(0, str(self.folder))
        try:
            with old_name.short_name(self._local):
                yield
        finally:
            with suppress(ValueError):  # the oracle's own code may have set the path anew
                sys.path.remove(str(self.folder))
            self._helpers = self._take_out()
            sys.modules.update(others)

    def owns(self, name: str) -> bool:
        """Whether a module of that name is one of this folder's."""
        return name in self._local and "." not in name

    def forget(self, module: ModuleType) -> None:
        """Let go of a module whose import failed."""
        self._helpers = {name: helper for name, helper in self._helpers.items() if helper is not module}

    def helpers(self) -> list[str]:
        """Returns the files of the folder that were imported so far beside the oracle's own, relative to it."""
        # Links are not followed: a helper is a file of the folder in which it was found.
        files = [Path(module.__file__) for module in self._helpers.values() if module.__file__]
        return sorted({str(PurePosixPath(f.relative_to(self.folder))) for f in files if f.is_relative_to(self.folder)})

    def _take_out(self) -> dict[str, ModuleType]:
        """The modules whose names are this folder's, taken out of ``sys.modules``."""
        names = [name for name in sys.modules if name.partition(".")[0] in self._local]
        return {name: sys.modules.pop(name) for name in names}


def import_file(path: Path, source: bytes, imports: OwnImports) -> ModuleType:
    """The module that these bytes of a file make.

    It bears the file's own name, by which a process that the oracle starts (joblib's, multiprocessing's) imports the
    file from the path that it inherits, and finds there what was pickled here. Like the file's helpers it stands in
    ``sys.modules`` only while the oracle is at work. Where that name is a standard module's it bears one of its own.

    The bytes are compiled here rather than by Python's own loader, which may take a stale ``.pyc`` for the file.

    Args:
        path: where the user has the file, which messages and tracebacks name.
        source: its bytes.
        imports: of the folder in which it is imported: the user's, or a copy of that.

    Raises:
        OracleError: Whatever stopped the import, with the line of the file.
    """
    module = ModuleType(path.stem if imports.owns(path.stem) else f"oracle_file_{path.stem}_{next(_number)}")
    module.__file__ = str(imports.folder / path.name)
    try:
        with imports.active():
            sys.modules[module.__name__] = module  # dataclasses and pickle look a class up by its module's name
            exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        sys.modules.pop(module.__name__, None)
        imports.forget(module)
        text = f"{type(error).__name__}: {error}".replace(str(imports.folder), str(path.parent))
        hint = old_name.import_hint(error) or _hint_out_of_reach(error, path.parent, imports.folder)
        raise OracleError(
            f"{path}:{_line(error, path)}: {text}; {hint or 'the file must import without an error'}"
        ) from error
    return module


def _hint_out_of_reach(error: BaseException, users: Path, folder: Path) -> str:
    """What to do about a file that lies where the user has the oracle, and is none of what travels with it."""
    if not isinstance(error, FileNotFoundError) or not isinstance(error.filename, str):
        return ""
    name = os.path.relpath(folder / error.filename, folder)
    if not (users / name).exists():
        return ""
    return (
        f"{name} is there, but the file is imported in a folder of its own, as on every worker: name it under params, "
        "by a parameter of the oracle annotated pathlib.Path"
    )


def _line(error: BaseException, path: Path) -> int | str:
    """The line of the file at which it failed."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or "?"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] if lines else None) or "?"
