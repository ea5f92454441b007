"""The formats in which people have molecules: each reader gives the rows of a file, whatever they hold."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from rdkit import Chem

from designloop.molecules.errors import MoleculeError

SMILES_HEADERS = frozenset("smiles canonicalsmiles isomericsmiles cxsmiles structure smi".split())
"""Headers of a column of SMILES, in small letters without spaces and underscores."""

NAME_HEADERS = frozenset("name id title chemblid moleculechemblid compoundid compoundname moleculename".split())

DELIMITERS = (",", ";", "\t")

_SEPARATOR_LINE = re.compile(r"\s*sep\s*=\s*(.)\s*$", re.IGNORECASE)
"""What Excel writes above a table to say what parts its columns."""

_EXTENSION = re.compile(r"\|[^|]*\|\s*")
"""A CXSMILES extension, which stands between a SMILES and its name."""

_PROPERTY = re.compile(r">.*<([^>]*)>")
"""The line above a value in an SDF record."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a file."""

    line: int
    """From 1, the header counted."""
    text: str
    """Its SMILES, and perhaps more behind it."""
    name: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Header -> value, of all other columns."""
    shown: str = ""
    """What a problem names where there is no SMILES."""
    reason: str = ""
    """Why there is none, where the reader knows."""


def file_ending(path: Path) -> str:
    """``.smi``, ``.csv``, ``.sdf``, ``.parquet`` …, in small letters, without a ``.gz`` behind it."""
    name = path.name.lower()
    plain = Path(name.removesuffix(".gz")).suffix
    return ".gz" if name.endswith(".gz") and plain == ".parquet" else plain


def split_smiles(text: str) -> tuple[str, str]:
    """The SMILES of a field, and the name behind it; a CXSMILES extension between them is dropped."""
    smiles, *behind = text.split(maxsplit=1)[:2] or [""]
    return smiles, _EXTENSION.sub("", behind[0], count=1).strip() if behind else ""


def line_not_utf8(path: Path) -> int:
    """Number of the first line that is not UTF-8: a reader's own error counts from where its buffer starts."""
    content = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1


def _lines(path: Path, newline: str | None = None) -> Iterator[str]:
    """The lines of a text file, packed or not.

    Raises:
        MoleculeError: it is packed, and damaged.
    """
    file: TextIO
    if path.suffix.lower() != ".gz":
        with path.open(encoding="utf-8-sig", newline=newline) as file:
            yield from file
        return
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig", newline=newline) as file:
            yield from file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MoleculeError(f"{path} cannot be unpacked ({error}); pack it again") from error


# ---- lines of SMILES


def _read_smiles_lines(path: Path) -> Iterator[FileRow]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, *name = line.split(maxsplit=1)
        if number == 1 and _header_word(text) in SMILES_HEADERS:
            continue
        yield FileRow(number, text, split_smiles(line)[1] if name else "")


# ---- tables


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a table is written."""

    delimiter: str
    header: list[str]
    """One text a column; of a table without a header, made up."""
    has_header: bool
    smiles: int
    """The column that holds SMILES."""
    name: int | None = None


def _read_table(path: Path) -> Iterator[FileRow]:
    lines = _lines(path, newline="")
    head = list(islice(lines, 1))
    delimiters: Sequence[str] = ("\t", ",", ";") if file_ending(path) == ".tsv" else DELIMITERS
    separator = _SEPARATOR_LINE.match(head[0]) if head else None
    if separator:
        delimiters, head = (separator.group(1),), []
    first_lines = [*head, *islice(lines, 200)]
    layout = _find_layout(path, first_lines, delimiters)
    reader = csv.reader(chain(first_lines, lines), delimiter=layout.delimiter)
    if layout.has_header:
        next(reader)
    width = len(layout.header)
    others = [place for place in range(width) if place not in (layout.smiles, layout.name)]
    for cells in reader:
        values = [cell.strip() for cell in cells]
        if not any(values):  # a blank line, or what Excel writes for one
            continue
        values += [""] * (width - len(values))
        name = "" if layout.name is None else values[layout.name]
        columns = {layout.header[place]: values[place] for place in others}
        yield FileRow(reader.line_num + bool(separator), values[layout.smiles], name, columns)


def _find_layout(path: Path, lines: Sequence[str], delimiters: Sequence[str]) -> _Layout:
    """How a table is written, as its first lines say.

    Raises:
        MoleculeError: no column has a name of SMILES, nor do the first rows hold any.
    """
    tables = {delimiter: list(islice(csv.reader(lines, delimiter=delimiter), 20)) for delimiter in delimiters}
    for delimiter, rows in tables.items():
        header = [cell.strip() for cell in rows[0]] if rows else []
        if (places := _find_columns(header)) is not None:
            return _Layout(delimiter, header, True, *places)
    for delimiter, rows in sorted(tables.items(), key=lambda table: -max(map(len, table[1]), default=0)):
        filled = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)][:5]
        width = min(map(len, filled), default=0)
        for place in range(width):
            if all(_is_smiles(row[place]) for row in filled):
                made_up = [f"column {number + 1}" for number in range(width)]
                return _Layout(delimiter, made_up, False, place)
    raise _no_smiles_column(path, next(iter(tables[delimiters[0]]), []))


def _no_smiles_column(path: Path, header: Sequence[str]) -> MoleculeError:
    shown = ", ".join(header) or "(none)"
    return MoleculeError(f"{path} has the columns {shown}, expected one named smiles; rename it")


def _find_columns(header: Sequence[str]) -> tuple[int, int | None] | None:
    """The places of the SMILES and of the names; None where no header is one of SMILES."""
    words = [_header_word(cell) for cell in header]
    smiles = next((place for place, word in enumerate(words) if word in SMILES_HEADERS), None)
    if smiles is None:
        return None
    return smiles, next((place for place, word in enumerate(words) if word in NAME_HEADERS), None)


def _is_smiles(cell: str) -> bool:
    smiles, _ = split_smiles(cell)
    return bool(smiles) and Chem.MolFromSmiles(smiles) is not None


def _header_word(cell: str) -> str:
    return re.sub(r"[\s_-]", "", cell).lower()


def _read_parquet(path: Path) -> Iterator[FileRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise MoleculeError(f"{path} is not a Parquet file ({error}); export it again") from error
    header = table.column_names
    if (places := _find_columns(header)) is None:
        raise _no_smiles_column(path, header)
    smiles_column, name_column = places
    values: list[Iterable[object]] = [table.column(place).to_pylist() for place in range(len(header))]
    others = [place for place in range(len(header)) if place not in (smiles_column, name_column)]
    for number, row in enumerate(zip(*values, strict=True), start=1):
        cells = ["" if value is None else str(value) for value in row]
        name = "" if name_column is None else cells[name_column]
        yield FileRow(number, cells[smiles_column].strip(), name, {header[place]: cells[place] for place in others})


# ---- drawn molecules


def _read_sdf(path: Path) -> Iterator[FileRow]:
    record: list[str] = []
    start = 1
    for number, line in enumerate(chain(_lines(path), ["$$$$"]), start=1):
        if line.strip() != "$$$$":
            record.append(line.rstrip("\r\n"))
            continue
        if any(text.strip() for text in record):
            yield _read_record(record, start)
        record, start = [], number + 1


def _read_record(record: Sequence[str], line: int) -> FileRow:
    """One record of an SDF: three lines of header, a mol block, and properties."""
    columns: dict[str, str] = {}
    end = next((place for place, text in enumerate(record) if text.startswith("M  END")), len(record) - 1) + 1
    key: str | None = None
    for text in record[end:]:
        if match := _PROPERTY.match(text):
            key = match.group(1)
            columns[key] = ""
        elif key is not None and text.strip():
            columns[key] = f"{columns[key]}\n{text}".strip()
        else:
            key = None
    molecule = Chem.MolFromMolBlock("\n".join(record[:end]))
    name = record[0].strip() or next((value for key, value in columns.items() if _header_word(key) in NAME_HEADERS), "")
    shown = name or f"the record of line {line}"
    if molecule is None:
        return FileRow(line, "", name, columns, shown, "not a mol block that RDKit can read")
    return FileRow(line, Chem.MolToSmiles(molecule), name, columns, shown)


READERS: Mapping[str, Callable[[Path], Iterator[FileRow]]] = {
    ".smi": _read_smiles_lines,
    ".smiles": _read_smiles_lines,
    ".txt": _read_smiles_lines,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".sdf": _read_sdf,
    ".parquet": _read_parquet,
}
"""Ending -> the reader of such a file."""
