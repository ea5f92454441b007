"""Command lines as people mistype them: the exit code and the words that each must end in, and never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from designloop.exit_codes import BAD_INPUT, DONE

_LONG = "C" * 300
_NO_UTF8 = os.fsdecode(b"CC\xff")
_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class CommandCase:
    """A command line, in the folder of a campaign that has ended, and what must come of it."""

    arguments: Sequence[str]
    code: int = BAD_INPUT
    told: str = ""
    """A pattern in what it prints."""

    @property
    def name(self) -> str:
        """The command line, each word cut."""
        words = [word if len(word) <= 60 else f"{word[:30]}… of {len(word)}" for word in self.arguments]
        return ascii(" ".join(words))


def command_faults(case: CommandCase, folder: Path) -> list[str]:
    """What is wrong with how a command ends, a line each; none where all is as the case says."""
    done = subprocess.run(
        [sys.executable, "-m", "designloop", *case.arguments],
        cwd=folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    faults = []
    if "Traceback (most recent call last)" in said:
        faults.append(f"traceback: {said.strip().splitlines()[-1][:300]}")
    if done.returncode != case.code:
        faults.append(f"exit code: {done.returncode}, expected {case.code}: {said[-300:]}")
    if not re.search(case.told, said):
        faults.append(f"message: it does not say {case.told!r}: {said[-300:]}")
    return faults


_PATHS = {_LONG: "CCC", "small.yaml/x.csv": "x", "circle": "circle", _NO_UTF8: r"CC\\udcff|CC\ufffd|CC\?"}
"""A path that names nothing -> a pattern of how it is written."""

_READING = (
    "validate {}",
    "run {}",
    "run {} --dry-run",
    "retry {}",
    "score {} CCO",
    "suggest {}",
    "suggest {} --pending",
    "tell {} small.yaml",
    "status {}",
    "top {} small.yaml",
    "compare {} small.yaml",
    "query SELECT {}",
    "reconstruct --model {} CCO",
    "sample --model {}",
    "pretrain out --corpus {}",
    "oracles ./{}:score",
)
_WRITING = (
    "score small.yaml CCO --csv {}",
    "top small.yaml --csv {}",
    "top small.yaml --smi {}",
    "top small.yaml --sdf {}",
    "top small.yaml --svg {}",
    "query FROM_candidates small.yaml --csv {}",
)
_NUMBERS = (
    "top small.yaml --n {}",
    "sample --n {}",
    "sample --seed {}",
    "suggest small.yaml --n {}",
    "pretrain out --steps {}",
    "pretrain out --seed {}",
    "run small.yaml --workers {}",
    "retry small.yaml --workers {}",
    "benchmark demo --jobs {}",
    "benchmark demo --seeds {}",
    "benchmark demo --calls {}",
)

_WRONG_NUMBERS = ("-1", "x", "1.5", "", "0x10", "1" * 5000)


def _filled(command: str, value: str) -> list[str]:
    return [word.replace("_", " ").replace("{}", value) for word in command.split()]


def _of_paths() -> Iterator[CommandCase]:
    """Every command that takes a path, with one that names nothing or can be none."""
    for command in (*_READING, *_WRITING):
        for path, written in _PATHS.items():
            is_name = command in _WRITING and path == _NO_UTF8  # a file may be called so
            yield CommandCase(_filled(command, path), DONE if is_name else BAD_INPUT, written)


def _of_numbers() -> Iterator[CommandCase]:
    """Every option that is a number, with one that it cannot be."""
    for command in _NUMBERS:
        option = command.split()[-2]
        wrong = _WRONG_NUMBERS if option == "--seed" else ("0", *_WRONG_NUMBERS)
        for value in wrong:
            yield CommandCase(_filled(command, value), told=rf"(?s){option}.*found\W+{re.escape(value[:9])}")


ODD_VALUES = (*_of_paths(), *_of_numbers())
"""Every command with a path or number that is none."""

COMMANDS = (
    *ODD_VALUES,
    CommandCase(["score", "small.yaml", _LONG], DONE, "CCCCCC"),
    CommandCase(["score", "small.yaml", "C" * 6000], told="has 6,000 characters"),
    CommandCase(["score", "small.yaml", _NO_UTF8], told=r"U\+DCFF"),
    CommandCase(["score", "small.yaml", "CC\u041e"], told="CYRILLIC CAPITAL LETTER O"),
    CommandCase(["score", "small.yaml", "CC>>CO", "CC"], told="molecule:1: 'CC>>CO' is a reaction"),
    CommandCase(["score", "small.yaml", ""], told="molecule:1: found ''"),
    CommandCase(["score", "small.yaml", "gone.csv"], told=r"gone\.csv is not a file"),
    CommandCase(["score", "small.yaml", "CCO", "--csv", "/proc/x.csv"], told=r"/proc/x\.csv cannot be written"),
    CommandCase(["score", "small.yaml", "CCO", "--csv", f"{_LONG}.csv"], told="cannot be written"),
    CommandCase(["validate", f"{_LONG}.yaml"], told="this file cannot be read .File name too long"),
    CommandCase(["validate", "."], told="this file cannot be read .Is a directory"),
    CommandCase(["validate", "/dev/null"], told="the file is empty"),
    CommandCase(["run", "gone.yaml"], told=r"gone\.yaml: this file cannot be read"),
    CommandCase(["status", "/etc"], told="holds no campaign|cannot be read"),
    CommandCase(["top", "small.yaml", "--csv", "/proc/x.csv"], told="cannot be written"),
    CommandCase(["compare", "small.yaml", "gone"], told="gone"),
    CommandCase(["query", "SELEC 1", "small.yaml"], told="SELEC"),
    CommandCase(["query", "SELECT * FROM nowhere", "small.yaml"], told="nowhere"),
    CommandCase(["query", "COPY candidates TO 'x.csv'", "small.yaml"], told="read"),
    CommandCase(["query", "SELECT 1", "small.yaml", "--csv", "/proc/x.csv"], told="cannot be written"),
    CommandCase(["init", f"{_LONG}.yaml"], told="cannot be written|File name too long|there already"),
    CommandCase(["init", "new.yaml", "--template", "qickstart"], told="did you mean 'quickstart'"),
    CommandCase(["oracles", _LONG], told="no oracle is called"),
    CommandCase(["oracles", f"./{_LONG}.py:score"], told="there is no file"),
    CommandCase(["filters", "nope"], told="'nope'"),
    CommandCase(["sample", "--n", "99999999999"], told="found n=99999999999, expected a whole number"),
    CommandCase(["reconstruct", "--model", "tiny.safetensors", _LONG], DONE, "CCC"),
    CommandCase(["reconstruct", "--model", "small.yaml", "CCO"], told="small.yaml"),
    CommandCase(["benchmark", "nope"], told="no benchmark 'nope'"),
    CommandCase(["status", "small.yaml"], DONE, "45"),
)
"""Where each is run lie ``small.yaml``, its results, ``tiny.safetensors`` and ``circle``, a link to itself."""
