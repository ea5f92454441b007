"""Where a worker's oracles are loaded and called: each in a folder of its own, which each request finds as new.

    SCRATCH/0/own/       the first oracle's working folder: its file and those that it declares
    SCRATCH/0/params/    the files that its parameters name
    SCRATCH/tmp/         temporary files, of all of them

Oracles that share a process are called one after the other, so one folder for temporary files is enough; each has a
working folder of its own all the same, for two of them may declare a `model.json`.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designloop.loop.evaluation.child.as_loaded import FolderAsLoaded, ProcessAsLoaded
from designloop.loop.evaluation.child.missing_files import remedy
from designloop.loop.evaluation.child.oracle_child import TEMPORARY, is_library
from designloop.loop.evaluation.child.program_remedies import program_remedy
from designloop.loop.evaluation.child.shared_places import SharedPlaces
from designloop.loop.evaluation.child.undeclared_reads import ReadAudit, UndeclaredReads
from designloop.words import shorten

if TYPE_CHECKING:
    from designloop.oracles import Answer, Oracle

_OWN = "own/"

_LAST_WORDS = 200
"""Characters of what a program said before it failed."""


@dataclass(frozen=True, slots=True)
class _Post:
    """An oracle and where it works."""

    oracle: Oracle
    folder: FolderAsLoaded
    """With its working folder and the files that its parameters name."""
    reads: UndeclaredReads | None
    """None of a built-in one."""

    def undeclared(self) -> str:
        """A sentence on what it read and does not declare; empty if there is nothing."""
        if self.reads is None:
            return ""
        oracle = self.oracle
        pointed = [name.split("/")[1] for name in oracle.file_bytes if name.startswith("params/")]
        texts = [str(oracle.given_params[key]) for key in pointed if key in oracle.given_params]
        return self.reads.describe([*oracle.files, *_defaults_of(oracle, pointed)], oracle.located, texts)


class Workplace:
    """The oracles of one worker process."""

    def __init__(self, scratch: Path, campaign: Path | None, pause: float = 0.0) -> None:
        """Starts without an oracle.

        Args:
            scratch: the process's private folder.
            campaign: the campaign's folder, if there is one on this machine.
            pause: how long to wait before each step that another process could disturb; for a check.
        """
        self._scratch = scratch
        self._campaign = campaign
        self._posts: dict[str, _Post] = {}
        self._numbers = itertools.count()
        self._temporary = FolderAsLoaded(scratch / TEMPORARY, temporary=True)
        tempfile.tempdir = str(self._temporary.root)
        self._process = ProcessAsLoaded()
        self._process.remember()
        self._shared = SharedPlaces(scratch, pause) if pause else None
        self._audit = ReadAudit()

    def load(self, recipe: Mapping[str, Any], file_bytes: Mapping[str, bytes]) -> dict[str, Any]:
        """Import and construct the oracle of a recipe; its error, if it has one."""
        home = self._scratch / str(next(self._numbers))
        folder = FolderAsLoaded(home)
        reads = self._reads_of(recipe["reference"])
        try:
            from designloop.oracles.loading import load_unpacked, unpack_files

            self._restore()
            unpack_files(recipe, file_bytes, home)
            (home / _OWN).mkdir(parents=True, exist_ok=True)
            os.chdir(home / _OWN)
            self._audit.begin(reads)
            loaded = load_unpacked(recipe, home)
            loaded.prepare()
            self._audit.end()
            folder.remember(loaded.file_bytes)
            self._temporary.remember()
            self._process.remember()
        except BaseException as error:  # sys.exit at the top of a user's file is one more way not to load
            self._audit.end()
            return {"error": self._in_one_line(error, folder, recipe["reference"])}
        self._posts[loaded.fingerprint] = _Post(loaded, folder, reads)
        return {}

    def score(self, fingerprint: str, smiles: Sequence[str], seeds: Sequence[int] | None) -> dict[str, Any]:
        """An oracle's answers as plain values, or the error of all of them, and its seconds."""
        from designloop.oracles import describe_unasked, read_answers

        post = self._posts[fingerprint]
        try:
            self._restore()
            post.folder.restore()
            os.chdir(post.folder.root / _OWN)
        except OSError as error:
            why = f"the folder in which the oracle runs cannot be emptied of what an earlier call left: {error}"
            return {"error": f"{why}; let the oracle remove what it writes", "seconds": 0.0}
        start = time.perf_counter()
        reply: dict[str, Any] = {}
        if self._shared is not None:
            self._shared.begin()
        self._audit.begin(post.reads)
        try:
            answer = post.oracle.score(smiles, seeds)
            answers = read_answers(smiles, answer)
            reply["answers"] = [_plain(answers[molecule]) for molecule in smiles]
            reply["unasked"] = describe_unasked(smiles, answer)
        except BaseException as error:  # whatever a user's code raises, sys.exit included, is its failure and no more
            reply = {"error": self._in_one_line(error, post.folder, post.oracle.reference)}
        if self._shared is not None:
            reply["shared"] = self._shared.end()
        self._audit.end()
        return {**reply, "seconds": time.perf_counter() - start, "reads": post.undeclared()}

    def _reads_of(self, reference: str) -> UndeclaredReads | None:
        """What will note the files that an oracle opens; None for a built-in one, which is no file."""
        from designloop.oracles.references import names_file

        place = reference.rpartition(":")[0]
        if not place:
            return None
        home = (self._campaign / place).parent if self._campaign and names_file(place) else None
        return UndeclaredReads(home, self._campaign, self._scratch)

    def _restore(self) -> None:
        """Bring back what all oracles share."""
        self._process.restore()
        self._temporary.restore()

    def _in_one_line(self, error: BaseException, folder: FolderAsLoaded, reference: str) -> str:
        """The error, the line of a user's code that it came from, and what to do about it where that is known."""
        from designloop.oracles.references import names_file

        text = " ".join(f"{type(error).__name__}: {error}{_last_words(error)}".split())
        user_frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_library(frame.filename)]
        where = f" ({Path(user_frames[-1].filename).name}:{user_frames[-1].lineno})" if user_frames else ""
        place = reference.rpartition(":")[0]
        home = (self._campaign / place).parent if self._campaign and names_file(place) else None
        removed = {name.removeprefix(_OWN) for name in folder.removed}
        work = folder.root / _OWN
        advice = remedy(error, work, home, self._campaign, removed) or program_remedy(error, work)
        advice = advice or self._about_environment(error)
        return text[:500] + where + (f"; {advice}" if advice else "")

    def _about_environment(self, error: BaseException) -> str:
        """What to do where an error comes of a variable that an earlier call had set."""
        name = error.args[0] if isinstance(error, KeyError) and error.args else "PATH"
        if not isinstance(error, KeyError | FileNotFoundError) or name not in self._process.undone:
            return ""
        return (
            f"{name} was set by an earlier call, and each call finds the environment as it was once the oracle was "
            "loaded; set it in each call, in the class's constructor, or when the file is imported"
        )


def _last_words(error: BaseException) -> str:
    """The last line that a program which failed wrote, on its standard error or else output, where that was kept."""
    if not isinstance(error, subprocess.CalledProcessError):
        return ""
    for kept in (error.stderr, error.output):
        text = kept.decode(errors="replace") if isinstance(kept, bytes) else str(kept or "")
        if lines := text.strip().splitlines():
            return f" It said: {shorten(lines[-1].strip(), _LAST_WORDS)}"
    return ""


def _defaults_of(oracle: Oracle, pointed: Sequence[str]) -> list[str]:
    """The files beside the oracle that parameters name by default."""
    return [str(oracle.params[key]) for key in pointed if key not in oracle.given_params]


def _plain(answer: Answer) -> tuple[Any, str | None]:
    """(value, error): a value is a number, or output name -> number, or why that output has none."""
    if isinstance(answer.value, Mapping):
        return {**answer.value, **answer.failed_outputs}, answer.error
    return answer.value, answer.error
