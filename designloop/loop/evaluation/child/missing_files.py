"""What to do about a file that an oracle does not find where it runs, though its author sees it lie there.

An oracle runs in a folder of its own. What its file stands beside, and what the campaign file stands beside, is not
there unless it is declared or named by a parameter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from designloop.paths import real

if TYPE_CHECKING:
    from designloop.loop.evaluation.child.exchange import Reply

_ADVISED = "runs in a folder of its own"
"""What each remedy for a file that does not travel says."""

_MISSING = re.compile(r"No module named '([\w.]+)'|No such file or directory: '([^']+)'")

_NOWHERE = Path("/nonexistent/own")
"""A folder that no machine has, for one in which an oracle ran elsewhere."""

_FILE_NAME = re.compile(r"[\w.+\-/]*[\w+\-]\.\w+")
"""What may be a file's name in an error of a library that does not raise FileNotFoundError."""


def remedy(
    error: BaseException,
    work: Path,
    oracle_folder: Path | None,
    campaign_folder: Path | None,
    removed: Collection[str] = (),
) -> str:
    """A sentence on the file that an error is about, empty where it is about none that could be there.

    Args:
        error: what the oracle raised.
        work: the folder in which it ran.
        oracle_folder: where the author has the oracle's file, if it is a file and this machine has that folder.
        campaign_folder: where the author has the campaign file, if this machine has that folder.
        removed: what earlier requests left in ``work``, and is there no more.
    """
    for name in _names(error, work):
        if (work / name).exists():  # also where the call that failed wrote it itself
            continue
        if name in removed:
            return (
                f"{name} was left by an earlier call, and each call finds the folder as it was once the oracle was "
                "loaded; write it in the same call, in the class's constructor, or when the file is imported"
            )
        if oracle_folder is not None and _lies_in(oracle_folder, name):
            return (
                f"{name} lies beside the oracle's file, but the oracle runs in a folder of its own; "
                f"declare it: @oracle(files=[{name!r}]), after `from designloop.oracles import oracle`"
            )
        if campaign_folder is not None and (campaign_folder / name).exists():
            return (
                f"{name} lies beside the campaign file, but the oracle runs in a folder of its own; "
                "name it under params, by a parameter of the oracle (annotated pathlib.Path, it travels to workers too)"
            )
        parent = os.path.dirname(name)  # noqa: PTH120 - of a text, empty where there is none
        places = [place for place in (oracle_folder, campaign_folder) if place is not None]
        if parent and not (work / parent).exists() and any((place / parent).is_dir() for place in places):
            return (
                f"the folder {parent} lies beside the oracle or campaign, but the oracle runs in a folder of its own; "
                f"make it there: os.makedirs({parent!r}, exist_ok=True)"
            )
    return ""


def advised(reply: Reply, reference: str, campaign_folder: Path) -> Reply:
    """The reply, whose error ends in what to do about a missing file where the worker could not say so itself.

    A worker on a machine that lacks the author's folders sees only that the file is not there.
    """
    from designloop.oracles.references import names_file

    error = reply.error or ""
    if _ADVISED in error or not (missing := _MISSING.search(error)):
        return reply
    place = reference.rpartition(":")[0]
    home = (campaign_folder / place).parent if names_file(place) else None
    module, file = missing.groups()
    name = file.rpartition("/own/")[2] if file else ""  # what lies in the folder in which it ran
    problem = ModuleNotFoundError(name=module) if module else FileNotFoundError(2, "No such file or directory", name)
    advice = remedy(problem, _NOWHERE, home, campaign_folder)
    return replace(reply, error=f"{error}; {advice}") if advice else reply


def _lies_in(folder: Path, name: str) -> bool:
    return (folder / name).exists() and real(folder / name).is_relative_to(real(folder))


def _names(error: BaseException, work: Path) -> Iterator[str]:
    """The files that an error, or one that it came from, is about, relative to the folder in which the oracle ran."""
    chain: BaseException | None = error
    for _ in range(10):  # causes may go round in a circle
        if chain is None:
            return
        for name in _find_names(chain):
            text = os.path.relpath(name, work) if os.path.isabs(name) else os.path.normpath(name)  # noqa: PTH117
            if not os.path.isabs(name) or not text.startswith(".."):  # noqa: PTH117
                yield text
        chain = chain.__cause__ or chain.__context__


def _find_names(error: BaseException) -> list[str]:
    if isinstance(error, ModuleNotFoundError):
        place = (error.name or "").replace(".", "/")
        return [f"{place}.py", f"{place}/__init__.py"] if place else []
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        return [os.fsdecode(error.filename)]
    return _FILE_NAME.findall(str(error)[:2000])
