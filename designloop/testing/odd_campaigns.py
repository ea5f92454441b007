"""Campaign files with mistakes of every kind, and what must be said of each: file, line, key, what was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from designloop.exit_codes import BAD_INPUT, exit_code
from designloop.loop.campaign.campaign import CampaignError, load_campaign

MOST_TOLD = 4000
"""Characters of all that is said of a file."""

OBJECTIVE = """\
objective:
  properties:
    - name: qed
      oracle: qed
      transform: {type: linear, low: 0.3, high: 0.8}
"""
BUDGET = "budget: {oracle_calls: 100}\n"
MINIMAL = OBJECTIVE + BUDGET


@dataclass(frozen=True, slots=True)
class CampaignCase:
    """A campaign file, and what must come of it."""

    name: str
    text: str | bytes | Callable[[Path], None]
    told: Sequence[str] = ()
    """Patterns: each matches one problem that is told, the file's name left out; none where the file is right."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """Name -> content, of what lies beside it."""
    says: str = ""
    """A pattern that matches a warning; no other case has any."""


def campaign_faults(case: CampaignCase, folder: Path) -> list[str]:
    """What is wrong with how a file is read, a line each; none where all is as the case says."""
    path = folder / "odd.yaml"
    for name, content in case.files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    if isinstance(case.text, str | bytes):
        path.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    else:
        case.text(path)
    try:
        campaign = load_campaign(path)
    except CampaignError as error:
        return list(_faults_of_problems(case, path, error))
    except Exception as error:  # whatever else it raises is the fault that is looked for
        return [f"traceback: {type(error).__name__}: {error}"]
    warnings = "\n".join(campaign.warnings)
    faults = [f"silent: it is read, expected {pattern!r}" for pattern in case.told]
    if bool(warnings) != bool(case.says) or not re.search(case.says, warnings):
        faults.append(f"silent: it warns {warnings!r}, expected {case.says!r}")
    return faults


def _faults_of_problems(case: CampaignCase, path: Path, error: CampaignError) -> Iterator[str]:
    if exit_code(error) != BAD_INPUT:
        yield f"exit code: {exit_code(error)}, expected {BAD_INPUT}"
    said = [str(problem) for problem in error.problems]
    names = {str(path), *(str(path.parent / name) for name in case.files)}
    for sentence in said:
        if not any(name in sentence for name in names):
            yield f"message: it names no file: {sentence}"
    left = [sentence.removeprefix(str(path)) for sentence in said]
    for pattern in case.told:
        match = next((sentence for sentence in left if re.search(pattern, sentence)), None)
        if match is None:
            yield f"message: nothing says {pattern!r}: {said}"
        else:
            left.remove(match)
    if left:
        yield f"message: it says more: {left}"
    if len(str(error)) > MOST_TOLD:
        yield f"message: it has {len(str(error)):,} characters"


def with_text(text: str) -> str:
    """A campaign file that is right but for this text."""
    return text + MINIMAL


def with_property(text: str) -> str:
    """A campaign file of one property, written in one line."""
    return f"objective:\n  properties:\n    - {text}\n{BUDGET}"


def with_transform(text: str) -> str:
    """A campaign file of one property with this transform."""
    return with_property(f"{{name: qed, oracle: qed, transform: {text}}}")


def link_to(target: str) -> Callable[[Path], None]:
    """Makes a symbolic link."""
    return lambda path: path.symlink_to(target)


def nothing(path: Path) -> None:
    """Makes nothing."""


PATHS = (
    CampaignCase("gone", nothing, ["this file cannot be read .No such file"]),
    CampaignCase("folder", Path.mkdir, ["this file cannot be read .Is a directory"]),
    CampaignCase("loop", link_to("odd.yaml"), ["this file cannot be read"]),
    CampaignCase("device", link_to("/dev/zero"), ["cannot be read|more than 2 MB|no plain file"]),
    CampaignCase("unreadable", link_to("/proc/self/mem"), ["this file cannot be read .Input/output error"]),
)
"""Paths that are no file which can be read."""
