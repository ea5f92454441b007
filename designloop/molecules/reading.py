"""Reading a user's molecules from files as people have them; bad lines are told by number, never dropped in silence."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rdkit import rdBase

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import parse_anew, shown, what_instead
from designloop.molecules.reading_formats import READERS, FileRow, file_ending, split_smiles
from designloop.molecules.reading_refusals import line_not_utf8, what_file
from designloop.paths import is_file
from designloop.words import counted

EXPECTED_FILES = ".smi, .csv, .tsv, .sdf or .parquet"
"""What files of molecules may be, in words; the first four also as .gz."""

_MOST_SHOWN = 10

_NOT_READ, _EMPTY = "not a SMILES that RDKit can read", "empty"

_LINE_ENDINGS = frozenset(READERS) - {".sdf", ".parquet"}


def names_molecules(path: str) -> bool:
    """Whether a path ends as a file of molecules does that can be read."""
    return file_ending(Path(path)) in READERS


def is_text_file(path: Path) -> bool:
    """Whether a file of molecules is plain text, with a molecule a line."""
    return path.suffix.lower() in _LINE_ENDINGS


@dataclass(frozen=True, slots=True)
class LineProblem:
    """One line that holds no molecule that can be used."""

    line: int
    """From 1, the header counted."""
    text: str
    reason: str

    def sentence(self, file: Path | str) -> str:
        """Says where the molecule stands and why it cannot be used: ``mine.smi:3: 'C1CC' is not a SMILES …``."""
        written = shown(self.text)
        # A MoleculeError of the chemistry begins with the molecule.
        verb = "" if self.reason.split(" ", 1)[0] in ("has", "holds", "is", "stands") else "is "
        reason = self.reason if written in self.reason.partition(",")[0] else f"{written} {verb}{self.reason}"
        return f"{file}:{self.line}: {reason}"

    def beginning(self) -> str:
        """Says what stands there, and why it cannot be used where that is more than that RDKit cannot read it."""
        why = "" if self.reason in (_EMPTY, _NOT_READ) else f" ({self.reason})"
        return f"; line {self.line} holds {shown(self.text)}{why}"


@dataclass(frozen=True)
class ReadMolecules:
    """What a file of molecules holds."""

    smiles: list[str]
    """As written; of an SDF record, the canonical SMILES of what is drawn."""
    names: list[str]
    """Names beside them, empty where there are none."""
    lines: list[int]
    """Line number of each, from 1."""
    problems: list[LineProblem]
    columns: dict[str, list[str]] = field(default_factory=dict)
    """Header -> value of each molecule, of all other columns; empty unless they were asked for."""


def read_molecules(path: Path | str, columns: bool = False) -> ReadMolecules:
    """The molecules of a file: SMILES lines with names, a table with a column ``smiles``, or an SDF.

    A table's columns are parted by commas, semicolons or tabs, whichever gives a column of SMILES, or as a first line
    ``sep=;`` says. One without a header, whose first rows hold SMILES, is read as it is. What stands behind a SMILES
    in its own field (a CXSMILES extension, a name) is no part of the molecule.

    Args:
        path: .smi, .smiles, .txt, .csv, .tsv, .sdf (each also with .gz behind it) or .parquet.
        columns: keep the values of the other columns, too.

    Raises:
        MoleculeError: no such file, an ending that is not known, no SMILES column, or no line that RDKit can read.
    """
    path = Path(path)
    read = ReadMolecules([], [], [], [])
    try:
        if not is_file(path):
            raise MoleculeError(f"{path} is not a file; give a {EXPECTED_FILES} file of molecules")
        ending = file_ending(path)
        if ending not in READERS:
            raise MoleculeError(f"{path} ends in {path.suffix!r}, expected {EXPECTED_FILES}; rename or convert it")
        if (other := what_file(path)) is not None:
            raise MoleculeError(f"{path} {other}")
        with rdBase.BlockLogs():
            for row in READERS[ending](path):
                _add(row, read, columns)
    except UnicodeDecodeError as error:
        raise MoleculeError(
            f"{path}:{line_not_utf8(path)}: not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise MoleculeError(
            f"{path} cannot be read as a table ({error}); look for a quote that is not closed"
        ) from error
    except OSError as error:
        raise MoleculeError(f"{path} cannot be read ({error.strerror or error}); give a file that can") from error
    if not read.smiles:
        first = read.problems[0].beginning() if read.problems else ""
        expected = {".smi": "one SMILES a line", ".sdf": "records that end in $$$$"}
        where = expected.get(ending, "SMILES in a column smiles")
        raise MoleculeError(f"{path} holds no molecule that RDKit can read{first}; give {where}")
    return read


def bad_lines(file: Path | str, problems: Sequence[LineProblem], remedy: str) -> MoleculeError:
    """The error that names file, line and molecule of each of these problems; of many, the first ten."""
    count = counted(len(problems), "line holds", "lines hold")
    shown = [problem.sentence(file) for problem in problems[:_MOST_SHOWN]]
    more = [f"and {len(problems) - _MOST_SHOWN:,} more"] if len(problems) > _MOST_SHOWN else []
    lines = "\n  ".join([f"{file}: {count} no molecule that can be used; {remedy}", *shown, *more])
    return MoleculeError(lines)


def left_out(key: str, entries: Sequence[tuple[int | str, str]], which: str = "no molecule") -> str:
    """Says how many entries of a file or list were left out, and where each stands; of the first few also why.

    Args:
        key: of the campaign file.
        entries: (line, or the place in words where there are no lines; what is wrong with it) of each, in order.
        which: what they are.
    """
    named = [f"{f'line {place}' if isinstance(place, int) else place}: {why}" for place, why in entries[:_MOST_SHOWN]]
    places = ", ".join(str(place) for place, _ in entries[_MOST_SHOWN:])
    are_lines = isinstance(entries[-1][0], int)
    more = f"; and {'lines ' if are_lines else ''}{places}" if places else ""
    are = counted(len(entries), "entry that is", "entries that are")
    return f"{key}: {are} {which} left out ({'; '.join(named)}{more})"


def _add(row: FileRow, read: ReadMolecules, columns: bool) -> None:
    """Puts a row where it belongs: among the molecules, or among the problems."""
    smiles, behind = split_smiles(row.text)
    molecule = parse_anew(smiles) if smiles and not row.reason else None
    if molecule is None or molecule.GetNumAtoms() == 0:
        unread = what_instead(smiles) or _NOT_READ
        reason = row.reason or (unread if smiles else _EMPTY)
        read.problems.append(LineProblem(row.line, smiles or row.shown, reason))
        return
    if columns:
        for header in row.columns:  # in the file's order
            if header not in read.columns:
                read.columns[header] = [""] * len(read.smiles)
        for header, values in read.columns.items():
            values.append(row.columns.get(header, ""))
    read.smiles.append(smiles)
    read.names.append(row.name or behind)
    read.lines.append(row.line)
