"""Disks that fail: one that stops the world at a given step, and one that forgets what was not fsynced."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = ("open", "write", "fsync", "replace", "unlink", "mkdir")
"""The calls of ``os`` that change what is on a disk."""


def above(path: str) -> str:
    """The folder that a path is in."""
    return path.rpartition("/")[0]


class Stopped(BaseException):
    """The process was killed here; nothing of it runs any more."""


class StoppingOs:
    """``os`` for a process that is killed at step number ``step``: a write is cut in half, all else is not done.

    What a killed process wrote is there whether fsynced or not, so it does not wait for fsync.
    """

    def __init__(self, step: int = sys.maxsize, stop: Callable[[], None] | None = None) -> None:
        self.step = step
        self.steps = 0
        self._stop = stop
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._stepping(name, real) if name in STEPS else real

    def _stepping(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self.steps += 1
                if self.steps == self.step and name == "write":
                    descriptor, content = arguments
                    os.write(descriptor, content[: len(content) // 2])
                if self.steps >= self.step:
                    if self._stop is not None:
                        self._stop()
                    raise Stopped(f"step {self.step}: {name}")
            return None if name == "fsync" else real(*arguments, **options)

        return call


class ForgetfulOs:
    """``os`` that keeps a log, from which ``crash_image`` makes what a power cut may leave."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self._paths: dict[int, str] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        with self._lock:
            descriptor = os.open(path, flags, mode)
            self._paths[descriptor] = str(path)
            if flags & os.O_CREAT:
                self.log.append(("create", str(path)))
            return descriptor

    def write(self, descriptor: int, content: Any) -> int:
        with self._lock:
            self.log.append(("write", self._paths[descriptor], bytes(content)))
            return os.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        with self._lock:
            self.log.append(("fsync", self._paths[descriptor]))

    def replace(self, source: Any, target: Any) -> None:
        with self._lock:
            self.log.append(("replace", str(source), str(target)))
            os.replace(source, target)  # noqa: PTH105

    def unlink(self, path: Any) -> None:
        with self._lock:
            os.unlink(path)  # noqa: PTH108
            self.log.append(("unlink", str(path)))

    def mkdir(self, path: Any) -> None:
        with self._lock:
            os.mkdir(path)  # noqa: PTH102
            self.log.append(("mkdir", str(path)))


class Image:
    """A disk and what of it has reached the platter."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.durable_names: dict[str, int] = {}
        self.content: list[bytes] = []
        self.durable_content: list[bytes] = []
        self.folders: dict[str, bool] = {}
        """Path -> whether its name is durable."""

    def apply(self, entry: tuple[Any, ...]) -> None:
        what, path, *rest = entry
        if what == "create":
            if path in self.names:
                self.content[self.names[path]] = b""
            else:
                self.names[path] = len(self.content)
                self.content.append(b"")
                self.durable_content.append(b"")
        elif what == "write":
            self.content[self.names[path]] += rest[0]
        elif what == "fsync" and path in self.names:
            self.durable_content[self.names[path]] = self.content[self.names[path]]
        elif what == "fsync":
            inside = {name for name in (*self.names, *self.durable_names) if above(name) == path}
            for name in inside:
                self._keep(name)
            self.folders |= {folder: True for folder in self.folders if above(folder) == path}
        elif what == "replace":
            self.names[rest[0]] = self.names.pop(path)
        elif what == "unlink":
            del self.names[path]
        elif what == "mkdir":
            self.folders[path] = False

    def _keep(self, name: str) -> None:
        if name in self.names:
            self.durable_names[name] = self.names[name]
        else:
            self.durable_names.pop(name, None)

    def leave(self, root: str, target: Path, rng: random.Random, kept: float) -> None:
        """Writes under ``target`` what a power cut may leave of ``root``.

        Args:
            kept: probability with which a name or content that was not fsynced is there all the same.
        """
        written = {root}
        for folder, durable in sorted(self.folders.items()):
            if above(folder) in written and (durable or rng.random() < kept):
                written.add(folder)
                (target / os.path.relpath(folder, root)).mkdir(parents=True)
        for name in sorted({*self.names, *self.durable_names}):
            names = self.names if rng.random() < kept else self.durable_names
            if name in names and above(name) in written:
                content, synced = self.content[names[name]], self.durable_content[names[name]]
                if content != synced and rng.random() >= kept:
                    content = rng.choice([synced, content[: len(content) // 2], bytes(len(content))])
                (target / os.path.relpath(name, root)).write_bytes(content)
