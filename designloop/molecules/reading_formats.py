"""The formats in which people have molecules: each reader gives the rows of a file, whatever they hold."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rdkit import Chem

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import parse_anew
from designloop.molecules.reading_refusals import DAMAGED_PACKING, not_unpacked
from designloop.words import shorten

if TYPE_CHECKING:
    import pyarrow as pa

SMILES_HEADERS = tuple("smiles isomericsmiles cxsmiles canonicalsmiles structure smi".split())
"""Headers of a column of SMILES, in small letters without spaces and underscores; of several columns the first in
this order is read, since PubChem's ``canonicalsmiles`` has no stereo."""

NAME_HEADERS = frozenset(
    "name id title chemblid moleculechemblid compound compoundid compoundname moleculename".split()
)
"""Headers of a column of names, written likewise."""

DELIMITERS = (",", ";", "\t")

SEPARATOR_LINE = re.compile(r"\s*sep\s*=\s*(.)\s*$", re.IGNORECASE)
"""What Excel writes above a table to say what parts its columns."""

OPEN_QUOTE = "look for a quote in this row or behind it that is not closed, or not doubled within a text in quotes"
"""What to do about a table that cannot be read."""

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


def _why_no_field(text: str) -> str:
    """Why a field holds no SMILES, where it goes on in another line; else empty."""
    return "broken over lines" if len(text.splitlines()) > 1 else ""


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
    except DAMAGED_PACKING as error:
        raise not_unpacked(path, error) from error


# ---- lines of SMILES


def _read_smiles_lines(path: Path) -> Iterator[FileRow]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, *name = line.split(maxsplit=1)
        if number == 1 and _header_word(text) in SMILES_HEADERS:
            continue
        whole = line.strip()
        broken = _why_no_field(whole)
        yield FileRow(number, "" if broken else text, split_smiles(line)[1] if name else "", {}, whole, broken)


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

    def column_names(self) -> dict[int, str]:
        """Place -> name of each other column, each name once: one without a header is told by its place."""
        names: dict[int, str] = {}
        for place, header in enumerate(self.header):
            if place not in (self.smiles, self.name):
                name = header or f"column {place + 1}"
                names[place] = f"{name} ({place + 1})" if name in names.values() else name
        return names


def _read_table(path: Path) -> Iterator[FileRow]:
    lines = _lines(path, newline="")
    head = list(islice(lines, 1))
    delimiters: Sequence[str] = ("\t", ",", ";") if file_ending(path) == ".tsv" else DELIMITERS
    separator = SEPARATOR_LINE.match(head[0]) if head else None
    if separator:
        delimiters, head = (separator.group(1),), []
    skipped = int(bool(separator))
    for line in chain(head, lines):
        head = [line]
        if line.strip():
            break
        skipped += 1
    first_lines = [*head, *islice(lines, 200)]
    layout = _find_layout(path, first_lines, delimiters)
    # Strict, or else a quote that is not closed takes all rows behind it into its field.
    reader = csv.reader(chain(first_lines, lines), delimiter=layout.delimiter, strict=True)
    width = len(layout.header)
    names = layout.column_names()
    start = skipped + 1
    try:
        for row, cells in enumerate(reader):
            values = [cell.strip() for cell in cells]
            # A blank line is no row, nor what Excel writes for one.
            if any(values) and not (row == 0 and layout.has_header):
                reason = _why_no_row(values, layout)
                values += [""] * (width - len(values))
                name = "" if layout.name is None else values[layout.name]
                columns = {header: values[place] for place, header in names.items()}
                text = values[layout.smiles]
                yield FileRow(reader.line_num + skipped, "" if reason else text, name, columns, text, reason)
            start = reader.line_num + skipped + 1
    except csv.Error as error:
        raise MoleculeError(f"{path}:{start}: cannot be read as a table ({error}); {OPEN_QUOTE}") from error


def _why_no_row(values: Sequence[str], layout: _Layout) -> str:
    """Why a row cannot be read as one of a table, so that nothing in it stands where it belongs; empty if it can."""
    width = len(layout.header)
    if any(values[width:]):
        return f"in a row of {len(values)} cells, expected {width} at most: quote a text that holds the delimiter"
    return _why_no_field(values[layout.smiles]) if layout.smiles < len(values) else ""


def _find_layout(path: Path, lines: Sequence[str], delimiters: Sequence[str]) -> _Layout:
    """How a table is written, as its first lines say.

    Raises:
        MoleculeError: no column has a name of SMILES, nor do the first rows hold any; or two hold some.
    """
    tables = {delimiter: list(islice(csv.reader(lines, delimiter=delimiter), 20)) for delimiter in delimiters}
    for delimiter, rows in tables.items():
        header = [cell.strip() for cell in rows[0]] if rows else []
        if (places := _find_columns(path, header)) is not None:
            return _Layout(delimiter, header, True, *places)
    for delimiter, rows in sorted(tables.items(), key=lambda table: -max(map(len, table[1]), default=0)):
        filled = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)][:5]
        width = min(map(len, filled), default=0)
        of_smiles = [place for place in range(width) if all(_is_smiles(row[place]) for row in filled)]
        if len(of_smiles) > 1:
            numbers = " and ".join(str(place + 1) for place in of_smiles)
            raise MoleculeError(f"{path} has no header, and columns {numbers} hold SMILES; name one of them smiles")
        if of_smiles:
            made_up = [f"column {number + 1}" for number in range(max(map(len, filled)))]
            return _Layout(delimiter, made_up, False, of_smiles[0])
    raise _no_smiles_column(path, next(iter(tables[delimiters[0]]), []))


def _no_smiles_column(path: Path, header: Sequence[str]) -> MoleculeError:
    shown = shorten(", ".join(header), 200).strip() or "(none)"
    return MoleculeError(f"{path} has the columns {shown}, expected one named smiles; {_remedy_for(header)}")


def _remedy_for(header: Sequence[str]) -> str:
    """What to do about a table of which no column has a name of SMILES."""
    words = [_header_word(cell) for cell in header]
    if any(word.startswith(("inchi", "stdinchi", "standardinchi")) for word in words):
        return "InChI is not read: add a column smiles, by RDKit's Chem.MolToSmiles(Chem.MolFromInchi(inchi))"
    if any(word.strip("'\"`") in SMILES_HEADERS for word in words):
        return "write it without these quotes"
    for part in sorted(set(re.findall(r"[^\w-]", header[0]))) if len(header) == 1 else ():
        if any(_header_word(cell) in SMILES_HEADERS for cell in header[0].split(part)):
            return f"part the columns by commas, semicolons or tabs, or write a line sep={part} above them"
    return "rename it"


def _find_columns(path: Path, header: Sequence[str]) -> tuple[int, int | None] | None:
    """The places of the SMILES and of the names; None where no header is one of SMILES.

    Raises:
        MoleculeError: two columns have the same name of SMILES.
    """
    words = [_header_word(cell) for cell in header]
    smiles = next((words.index(word) for word in SMILES_HEADERS if word in words), None)
    if smiles is None:
        return None
    if words.count(words[smiles]) > 1:
        raise MoleculeError(f"{path} has more than one column named {header[smiles]}; rename all but one")
    return smiles, next((place for place, word in enumerate(words) if word in NAME_HEADERS), None)


def _is_smiles(cell: str) -> bool:
    smiles, _ = split_smiles(cell)
    return bool(smiles) and parse_anew(smiles) is not None


def _header_word(cell: str) -> str:
    return re.sub(r"[\s_-]", "", cell).lower()


def _read_parquet(path: Path) -> Iterator[FileRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        said = shorten(str(error).partition("\n")[0], 200)
        raise MoleculeError(f"{path} is not a Parquet file ({said}); export it again") from error
    header = table.column_names
    if (places := _find_columns(path, header)) is None:
        raise _no_smiles_column(path, header)
    layout = _Layout("", header, True, *places)
    values = [_texts(table.column(place)) for place in range(len(header))]
    names = layout.column_names()
    for number, cells in enumerate(zip(*values, strict=True), start=1):
        name = "" if layout.name is None else cells[layout.name]
        text, broken = cells[layout.smiles].strip(), _why_no_field(cells[layout.smiles].strip())
        columns = {header: cells[place] for place, header in names.items()}
        yield FileRow(number, "" if broken else text, name, columns, text, broken)


def _texts(column: pa.ChunkedArray) -> list[str]:
    """The values of a column of a Parquet file as texts; what is null is empty."""
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):  # dates that Python's do not reach
        import pyarrow as pa

        values = column.cast(pa.string()).to_pylist()
    texts = [value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value for value in values]
    return ["" if value is None else str(value) for value in texts]


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
            columns.setdefault(key, "")
        elif key is not None and text.strip():
            columns[key] = f"{columns[key]}\n{text}".strip()
        else:
            key = None
    blocks = sum(text.startswith("M  END") for text in record)
    if blocks > 1:
        reason = f"a record of {blocks} mol blocks: part them by lines of $$$$"
        return FileRow(line, "", "", columns, f"the record of line {line}", reason)
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
