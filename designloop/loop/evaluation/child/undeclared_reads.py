"""Files that an oracle reads and does not declare: their content is no part of its fingerprint, so values go stale.

An audit hook in the oracle's process sees what Python opens below the folder of the oracle's file and of the campaign.
What a library opens by itself, in C++ say, and what a program reads, it does not see.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from designloop.loop.evaluation.child.oracle_child import is_library
from designloop.paths import real

_MOST_NAMED = 3
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class UndeclaredReads:
    """What one oracle has read so far below its author's folders, outside the private folder in which it runs."""

    def __init__(self, oracle: Path | None, campaign: Path | None, scratch: Path) -> None:
        """Begins with nothing.

        Args:
            oracle: where the author has the oracle's file, if this machine has that folder.
            campaign: where the author has the campaign file, likewise.
            scratch: the private folder.
        """
        self._oracle, self._campaign = oracle, campaign
        self._scratch = f"{scratch}{os.sep}"
        folders = [folder for folder in (oracle, campaign) if folder is not None]
        self._roots = tuple({f"{name}{os.sep}" for folder in folders for name in (folder, real(folder))})
        self._opened: dict[str, None] = {}
        """Since ``describe`` was called; what is right is forgotten then, so that a long campaign costs no more."""
        self._undeclared: dict[str, tuple[str, str]] = {}
        """Name -> how it is called, and what to do about it."""
        self._written: set[str] = set()

    def note(self, path: object, flags: object) -> None:
        """Takes in that Python opens a file."""
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - links are not to be followed, nor files opened
        if name.startswith(self._roots) and not name.startswith(self._scratch):
            if isinstance(flags, int) and flags & _WRITING:
                self._written.add(name)
                self._opened.pop(name, None)
                self._undeclared.pop(name, None)
            elif name not in self._written and name not in self._undeclared:
                self._opened[name] = None

    def describe(
        self, declared: Collection[str], located: Mapping[str, Mapping[str, str]], pointed: Collection[str]
    ) -> str:
        """A sentence on what was read and is not declared, with what to do; empty if all is.

        Args:
            declared: files and folders that the oracle declares, relative to its own file.
            located: parameter -> text -> the file that it names; ``Oracle.located``.
            pointed: texts of parameters that are annotated as paths: the content of their files counts.
        """
        if self._opened:
            self._judge(declared, located, pointed)
        if not self._undeclared:
            return ""
        names, remedies = zip(*islice(self._undeclared.values(), _MOST_NAMED), strict=True)
        count = len(self._undeclared)
        more = f" and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""
        advice = "; ".join(dict.fromkeys(remedies))
        return (
            f"reads {', '.join(names)}{more} undeclared: when that changes, old values are taken for new "
            f"ones, and other machines lack it; {advice}"
        )

    def _judge(
        self, declared: Collection[str], located: Mapping[str, Mapping[str, str]], pointed: Collection[str]
    ) -> None:
        """Keep what was opened and is not declared, and forget the rest."""
        counted = {str(real(self._oracle / name)) for name in declared if self._oracle is not None}
        counted |= {str(real(self._campaign / name)) for name in pointed if self._campaign is not None}
        for name in self._opened:
            if _is_nobodys(name, self._roots):
                continue
            target = real(name)
            if target.is_file() and not any(target.is_relative_to(place) for place in counted):
                self._undeclared[name] = self._remedy(name, target, located)
        self._opened.clear()

    def _remedy(self, name: str, target: Path, located: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
        """How the file is called, and what to do about it."""
        for parameter, texts in located.items():
            for text, path in texts.items():
                if os.path.realpath(path) == str(target):
                    return text, f"annotate the parameter {parameter} with pathlib.Path"
        if self._oracle is not None and target.is_relative_to(real(self._oracle)):
            shown = str(target.relative_to(real(self._oracle)))
            declaration = f"@oracle(files=[{shown!r}]) after `from designloop.oracles import oracle`"
            return shown, f"declare it, {declaration}, and open it by that name"
        place = self._campaign if self._campaign is not None and Path(name).is_relative_to(self._campaign) else None
        shown = str(Path(name).relative_to(place)) if place is not None else name
        return shown, "name it under params, by a parameter of the oracle annotated pathlib.Path"


class ReadAudit:
    """The one audit hook of a process: the oracle at work, if there is one, is told of the files that are opened."""

    def __init__(self) -> None:
        self.reads: UndeclaredReads | None = None
        """Of the oracle at work."""
        self._is_set = False

    def begin(self, reads: UndeclaredReads | None) -> None:
        """An oracle is loaded or called."""
        self.reads = reads
        if reads is not None and not self._is_set:
            sys.addaudithook(self._hear)
            self._is_set = True

    def end(self) -> None:
        """It has answered."""
        self.reads = None

    def _hear(self, event: str, arguments: Sequence[Any]) -> None:
        if event == "open" and self.reads is not None:
            self.reads.note(arguments[0], arguments[2])


def _is_nobodys(name: str, roots: Sequence[str]) -> bool:
    """Whether a file is code, a library's, or in a hidden folder: none that an author would declare."""
    parts = Path(name.removeprefix(max((root for root in roots if name.startswith(root)), key=len))).parts
    hidden = any(part.startswith(".") or part in ("__pycache__", "site-packages", "dist-packages") for part in parts)
    return hidden or name.endswith((".py", ".pyc", ".so")) or is_library(name)
