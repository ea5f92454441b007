"""The molecules that a campaign never wants: what the filter ``exclude`` reads."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from designloop.molecules.chemistry import Mode, MoleculeError, Stereo, identity, standard_form
from designloop.molecules.reading import LineProblem, bad_lines, read_molecules


class ExcludedFile(BaseModel):
    """A file of molecules with what is said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    file: Path
    """A file of molecules."""
    skip_bad: bool = False
    """Leave out what cannot be read; how many and which lines is told."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """What such a file holds."""

    identities: frozenset[str]
    """What molecules are compared by."""
    problems: tuple[LineProblem, ...]
    """Lines that hold no molecule that is understood."""


def read_excluded(path: Path, standardize: Mode, stereo: Stereo) -> Excluded:
    """Reads a file of molecules; twice in a process only if it has changed meanwhile.

    Raises:
        MoleculeError: it cannot be read, or holds no molecule.
    """
    status = path.stat()
    return _read((path, status.st_mtime_ns, status.st_size), standardize, stereo)


def refuse_bad_lines(path: Path, excluded: Excluded) -> None:
    """Returns if all lines are understood: a molecule that is not would be proposed, and paid for.

    Raises:
        MoleculeError: some are not; each is named.
    """
    if excluded.problems:
        remedy = "filters.exclude: mend or delete them, or leave them out by {file: …, skip_bad: true}"
        raise bad_lines(path, excluded.problems, remedy)


@functools.lru_cache(maxsize=4)
def _read(file: tuple[Path, int, int], standardize: Mode, stereo: Stereo) -> Excluded:
    read = read_molecules(file[0])
    problems, identities = list(read.problems), set()
    for line, text in zip(read.lines, read.smiles, strict=True):
        try:
            identities.add(identity(standard_form(text, standardize), stereo))
        except MoleculeError as error:
            problems.append(LineProblem(line, text, str(error)))
    problems.sort(key=lambda problem: problem.line)
    return Excluded(frozenset(identities), tuple(problems))
