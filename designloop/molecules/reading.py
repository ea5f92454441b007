"""Reading a user's molecules from .smi, .csv or .parquet, bad lines reported by number and never dropped in silence."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rdkit import Chem, rdBase

from designloop.molecules.errors import MoleculeError

_COLUMNS = ("smiles", "canonical_smiles", "structure", "smi")


@dataclass(frozen=True, slots=True)
class LineProblem:
    """One line that holds no molecule that can be used."""

    line: int
    """From 1, the header counted."""
    text: str
    reason: str


@dataclass(frozen=True)
class ReadMolecules:
    """What a file of molecules holds."""

    smiles: list[str]
    """As written."""
    names: list[str]
    """Names beside them, empty where there are none."""
    lines: list[int]
    """Line number of each, from 1."""
    problems: list[LineProblem]


def read_molecules(path: Path | str) -> ReadMolecules:
    """The molecules of a ``.smi`` (SMILES, then a name), ``.csv`` or ``.parquet`` (a column ``smiles``) file.

    Raises:
        MoleculeError: no such file, an ending that is not known, no SMILES column, or no line that RDKit can read.
    """
    path = Path(path)
    if not path.is_file():
        raise MoleculeError(f"{path} is not a file; give a .smi, .csv or .parquet file of molecules")
    readers = {".smi": _smi, ".smiles": _smi, ".txt": _smi, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise MoleculeError(
            f"{path} ends in {path.suffix!r}, expected .smi, .csv, .tsv or .parquet; rename or convert it"
        )
    smiles, names, lines, problems = [], [], [], []
    try:
        with rdBase.BlockLogs():
            for line, text, name in reader(path):
                mol = Chem.MolFromSmiles(text) if text else None
                if mol is None or mol.GetNumAtoms() == 0:
                    problems.append(
                        LineProblem(line, text, "empty" if not text else "not a SMILES that RDKit can read")
                    )
                else:
                    smiles.append(text)
                    names.append(name)
                    lines.append(line)
    except UnicodeDecodeError as error:
        raise MoleculeError(
            f"{path}:{_line_not_utf8(path)}: not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise MoleculeError(
            f"{path} cannot be read as a table ({error}); look for a quote that is not closed"
        ) from error
    if not smiles:
        first = f"; line {problems[0].line} holds {problems[0].text!r}" if problems else ""
        where = "one SMILES a line" if path.suffix.lower() == ".smi" else "SMILES in a column smiles"
        raise MoleculeError(f"{path} holds no molecule that RDKit can read{first}; give {where}")
    return ReadMolecules(smiles, names, lines, problems)


def _smi(path: Path) -> Iterator[tuple[int, str, str]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            text, *name = line.split(maxsplit=1)
            if number == 1 and text.lower() in _COLUMNS:
                continue
            yield number, text, name[0].strip() if name else ""


def _line_not_utf8(path: Path) -> int:
    """Number of the first line that is not UTF-8: a reader's own error counts from where its buffer starts."""
    content = path.read_bytes()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1


def _csv(path: Path) -> Iterator[tuple[int, str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        header = next(reader, [])
        smiles_column, name_column = _column(path, header)
        for row in reader:
            if not row:
                continue
            yield (
                reader.line_num,
                row[smiles_column].strip() if smiles_column < len(row) else "",
                row[name_column].strip() if name_column is not None and name_column < len(row) else "",
            )


def _parquet(path: Path) -> Iterator[tuple[int, str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise MoleculeError(f"{path} is not a Parquet file ({error}); export it again") from error
    smiles_column, name_column = _column(path, table.column_names)
    texts: Iterable[object] = table.column(smiles_column).to_pylist()
    names: Iterable[object] = (
        table.column(name_column).to_pylist() if name_column is not None else [""] * table.num_rows
    )
    for number, (text, name) in enumerate(zip(texts, names, strict=True), start=1):
        yield number, str(text or "").strip(), str(name or "")


def _column(path: Path, header: list[str]) -> tuple[int, int | None]:
    """Where the SMILES and the names stand."""
    low = [name.strip().lower() for name in header]
    smiles_column = next((low.index(name) for name in _COLUMNS if name in low), None)
    if smiles_column is None:
        raise MoleculeError(
            f"{path} has the columns {', '.join(header) or '(none)'}, expected one named smiles; rename it"
        )
    return smiles_column, next((low.index(name) for name in ("name", "id", "title") if name in low), None)
