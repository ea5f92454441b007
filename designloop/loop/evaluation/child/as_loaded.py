"""Putting an oracle's process back to how it was once its oracles were loaded, before each request.

What one request leaves behind the next must not find: a program that fails in silence would else be read by the output
of the molecule before, which would be a value on the wrong molecule. What an oracle made while it was loaded stays, for
a class may write in its constructor what it reads later.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from designloop.loop.evaluation.child.oracle_child import open_folders

KEPT_BYTES = 32 * 2**20
"""How much of what an oracle wrote while it was loaded is remembered, to be written again where a request changed it;
larger files are only kept from being removed."""

_NONE: Mapping[str, bytes] = MappingProxyType({})
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


@dataclass(frozen=True, slots=True)
class _File:
    stamp: tuple[int, ...]
    mode: int
    content: bytes | None
    """None of one too large to remember."""


@dataclass
class FolderAsLoaded:
    """A folder and what it is brought back to; by default it is brought back to being empty."""

    root: Path
    temporary: bool = False
    """It is the folder of temporary files: what libraries made there for themselves, privately, is left alone."""
    removed: set[str] = field(default_factory=set)
    """What was removed so far, relative to the folder."""
    _files: dict[str, _File] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)
    _others: set[str] = field(default_factory=set)
    """Links and the like."""

    def remember(self, known: Mapping[str, bytes] = _NONE) -> None:
        """Take the folder as it is for what it is brought back to.

        Args:
            known: path in the folder -> content, of files that need not be read for it.
        """
        self._files, self._folders, self._others = {}, set(), set()
        left = KEPT_BYTES
        for name, entry in _below(self.root):
            about = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(about.st_mode):
                (self._folders if stat.S_ISDIR(about.st_mode) else self._others).add(name)
                continue
            content = known.get(name)
            if about.st_size <= left:
                written = Path(entry.path).read_bytes()
                if written != content:
                    content = written
                    left -= len(content)
            elif content is not None and len(content) != about.st_size:
                content = None
            self._files[name] = _File(_stamp_file(entry.path), about.st_mode, content)

    def restore(self) -> None:
        """Bring the folder back.

        Raises:
            OSError: Something cannot be removed or written, so that a molecule might find what another left.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._clean(self.root, "")
        for name in self._folders:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name, file in list(self._files.items()):
            self._mend(self.root / name, name, file)

    def _clean(self, folder: Path, prefix: str) -> None:
        with os.scandir(folder) as entries:
            for entry in list(entries):
                name = prefix + entry.name
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    if name in self._folders or entry.name == "__pycache__" or self._is_a_librarys(entry):
                        self._clean(path, f"{name}/")
                    else:
                        self.removed.add(name)
                        _remove_tree(path)
                elif name not in self._files and name not in self._others and not self._is_a_librarys(entry):
                    self.removed.add(name)
                    path.unlink()

    def _is_a_librarys(self, entry: os.DirEntry[str]) -> bool:
        """Whether it is a folder for its user alone, as ``tempfile`` makes them, or a socket.

        multiprocessing and joblib make some when they are first used and count on them from then on; their names are
        drawn at random, so nothing is found there by mistake. Files in them are removed all the same.
        """
        mode = entry.stat(follow_symlinks=False).st_mode
        private = stat.S_ISDIR(mode) and not mode & (stat.S_IRWXG | stat.S_IRWXO)
        return self.temporary and (private or stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode))

    def _mend(self, path: Path, name: str, file: _File) -> None:
        """Write a file again that is not as it was; in place where that is possible, for somebody may have it open."""
        with contextlib.suppress(FileNotFoundError):
            if _stamp(os.lstat(path)) == file.stamp:
                return
        if file.content is None:
            return
        if path.is_symlink() or not os.access(path, os.W_OK):
            path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(stat.S_IMODE(file.mode))
        self._files[name] = _File(_stamp_file(path), file.mode, file.content)


@dataclass
class ProcessAsLoaded:
    """Environment, umask, signal handlers and timers of this process, and the way back to them."""

    undone: set[str] = field(default_factory=set)
    """Environment variables that were set back so far."""
    _environment: dict[str, str] = field(default_factory=dict)
    _umask: int = 0o022
    _handlers: dict[signal.Signals, Callable[..., Any] | int | None] = field(default_factory=dict)
    _timers: set[int] = field(default_factory=set)

    def remember(self) -> None:
        """Take the process as it is for what it is brought back to."""
        self._environment = dict(os.environ)
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals() if _is_ours(number)}
        self._timers = {timer for timer in _TIMERS if signal.getitimer(timer)[0]}

    def restore(self) -> None:
        """Bring the process back."""
        os.umask(self._umask)
        for timer in _TIMERS:
            if timer not in self._timers:
                signal.setitimer(timer, 0)
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
                if number == signal.SIGUSR2:  # how the guard asks where the oracle is
                    faulthandler.unregister(number)
                    faulthandler.register(number, file=2, all_threads=False)
        for name in os.environ.keys() | self._environment.keys():
            before = self._environment.get(name)
            if os.environ.get(name) == before:
                continue
            self.undone.add(name)
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


def _is_ours(number: signal.Signals) -> bool:
    """Whether a process may set what the signal does."""
    return number not in (signal.SIGKILL, signal.SIGSTOP)


def _below(root: Path, prefix: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(path relative to the root, entry) of all that lies below it; links are not followed."""
    with os.scandir(root) as entries:
        for entry in list(entries):
            yield prefix + entry.name, entry
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path), f"{prefix}{entry.name}/")


def _stamp_file(path: str | Path) -> tuple[int, ...]:
    """The file's stamp, from which any write shows: also one within the tick of the clock in which it was written."""
    about = os.lstat(path)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns - 10**9), follow_symlinks=False)
    return _stamp(os.lstat(path))


def _stamp(about: os.stat_result) -> tuple[int, ...]:
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_mode


def _remove_tree(folder: Path) -> None:
    """Remove a folder, also one that an oracle made unwritable."""
    open_folders(folder)
    shutil.rmtree(folder)
