"""Files of molecules as people have them, and what must come of each: these molecules, or a refusal that says why.

A file is read as it was meant, or a MoleculeError names it and says what to do; a molecule that is left out is told
with its line. ``file_faults`` says what of that does not hold.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import parse_anew
from designloop.molecules.reading import ReadMolecules, read_molecules
from designloop.testing.damage import KINDS

MOST_TOLD = 2500
"""Characters of a message: more is no message, but the file over again."""


@dataclass(frozen=True, slots=True)
class FileCase:
    """A file, and what must come of it."""

    name: str
    content: bytes | Callable[[Path], None]
    """Its bytes, or what makes the path."""
    smiles: Sequence[str] | None = None
    """The molecules that are read; None where it is refused."""
    names: Sequence[str] | None = None
    """Their names; None where nothing is said of them."""
    told: str = ""
    """A pattern: what the refusal says behind the file's name, or the sentences on lines that hold no molecule."""
    is_damaged: bool = False
    """Nobody knows what is left in it: whatever is read are molecules, each of a line that is there."""
    label: str = ""
    """How the case differs from others of its name."""


def parquet(table: pa.Table) -> bytes:
    """The table as the bytes of a file."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def mol_block(smiles: str, name: str = "", *, v3000: bool = False) -> str:
    """A molecule drawn, as in an SDF."""
    mol = Chem.MolFromSmiles(smiles)
    mol.SetProp("_Name", name)
    return str(Chem.MolToMolBlock(mol, forceV3000=v3000))


def sdf(*records: str) -> str:
    """Records as the text of a file."""
    return "".join(f"{record}$$$$\n" for record in records)


def file_faults(case: FileCase, folder: Path) -> list[str]:
    """What is wrong with how a file is read, a line each; none where all is as the case says."""
    path = folder / case.name
    if isinstance(case.content, bytes):
        path.write_bytes(case.content)
    else:
        case.content(path)
    try:
        read = read_molecules(path, columns=True)
    except MoleculeError as error:
        return _faults_of_refusal(case, path, str(error))
    except Exception as error:  # whatever else it raises is the fault that is looked for
        return [f"traceback: {type(error).__name__}: {error}"]
    if case.is_damaged:
        return [f"silent: {smiles!r} is no molecule" for smiles in read.smiles if parse_anew(smiles) is None]
    if case.smiles is None:
        return [f"silent: it is read, as {read.smiles[:5]}"]
    return list(_faults_of_reading(case, read))


def _faults_of_refusal(case: FileCase, path: Path, said: str) -> list[str]:
    if case.smiles is not None:
        return [f"message: it is refused: {said}"]
    faults = []
    if str(path) not in said:
        faults.append(f"message: it does not name the file: {said}")
    if not case.is_damaged and not re.search(case.told, said.removeprefix(str(path))):
        faults.append(f"message: it does not say {case.told!r}: {said}")
    if len(said) - 2 * len(str(path)) > MOST_TOLD:
        faults.append(f"message: it has {len(said):,} characters")
    return faults


def _faults_of_reading(case: FileCase, read: ReadMolecules) -> Iterator[str]:
    if list(case.smiles or ()) != read.smiles:
        yield f"silent: it holds {read.smiles}, expected {case.smiles}"
    if case.names is not None and list(case.names) != read.names:
        yield f"silent: its names are {read.names}, expected {case.names}"
    sentences = "\n".join(problem.sentence(case.name) for problem in read.problems)
    if bool(case.told) != bool(sentences) or not re.search(case.told, sentences):
        yield f"silent: of lines left out it says {sentences!r}, expected {case.told!r}"
    if any(len(values) != len(read.smiles) for values in read.columns.values()):
        yield "silent: a column has not one value a molecule"


# ---- well-formed files, in every way of writing them

WRITTEN = (("CCO", "ethanol"), ("Cc1ccccc1", 'to"lu, ene;1'), ("CC(=O)[O-].[Na+]", "Natriumsalz ä"))
SMILES, NAMES = zip(*WRITTEN, strict=True)


def _table(delimiter: str, header: Sequence[str] | None, *columns: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([*([header] if header else []), *zip(*columns, strict=True)])
    return text.getvalue()


_ACTIVITIES = ("6,5", "", "1e-3")
_TAILED = [f"{smiles} |c:0,$a;b$|" for smiles in SMILES]
_BLANKS = "\n \n\n"

LAYOUTS: dict[str, tuple[str, Sequence[str] | None]] = {
    "lines.smi": ("".join(f"{smiles} {name}\n" for smiles, name in WRITTEN), NAMES),
    "tabs.smiles": ("smiles\tname\n" + "".join(f"{smiles}\t{name}\n" for smiles, name in WRITTEN), NAMES),
    "remarks.txt": (f"# a list\n{_BLANKS}" + "".join(f"  {smiles}\t \n\n" for smiles in SMILES), ("", "", "")),
    "tails.smi": ("".join(f"{smiles} |c:0| {name}\n" for smiles, name in WRITTEN), NAMES),
    "commas.csv": (_table(",", ("Smiles", "Name", "x"), SMILES, NAMES, _ACTIVITIES), NAMES),
    "semicolons.csv": (_table(";", ("ChEMBL ID", "Smiles"), NAMES, SMILES), NAMES),
    "tabs.csv": (_table("\t", ("x", "canonical_smiles", "ID"), _ACTIVITIES, SMILES, NAMES), NAMES),
    "tabs.tsv": (_table("\t", ("SMILES", "title"), SMILES, NAMES), NAMES),
    "commas.tsv": (_table(",", ("SMILES", "title"), SMILES, NAMES), NAMES),
    "excel.csv": ("sep=;\n" + _table(";", ("Name", "SMILES", "x"), NAMES, SMILES, _ACTIVITIES) + ";;\n;;\n", NAMES),
    "blank_first.csv": (f"{_BLANKS}{_table(',', ('name', 'smiles'), NAMES, SMILES)}{_BLANKS},\n", NAMES),
    "headless.csv": (_table(",", None, _ACTIVITIES, SMILES), ("", "", "")),
    "tails.csv": (_table(",", ("cxsmiles", "name"), _TAILED, NAMES), NAMES),
    "stereo_too.csv": (_table(",", ("CanonicalSMILES", "IsomericSMILES", "name"), ("C",) * 3, SMILES, NAMES), NAMES),
    "doubled.csv": (_table(",", ("smiles", "name", "x", "x", ""), SMILES, NAMES, *[_ACTIVITIES] * 3), NAMES),
    "drawn.sdf": (sdf(*(mol_block(*row) + "> <x>\n1\n\n" for row in WRITTEN)), NAMES),
    "drawn_v3000.sdf": (sdf(*(mol_block(*row, v3000=True) for row in WRITTEN)), NAMES),
}
"""File name -> its text, and the names in it."""

LINE_ENDS = {"unix": "\n", "windows": "\r\n", "macintosh": "\r"}


def well_formed() -> Iterator[FileCase]:
    """Each layout with each line end, with and without byte order mark, last line end and packing."""
    ways = itertools.product(LINE_ENDS.items(), (b"", b"\xef\xbb\xbf"), (True, False), (False, True))
    for (end, mark, whole, packed), (name, (text, names)) in itertools.product(ways, LAYOUTS.items()):
        written = (text if whole else text.rstrip("\n")).replace("\n", end[1]).encode()
        content = gzip.compress(mark + written, mtime=0) if packed else mark + written
        label = f"{end[0]}{' marked' * bool(mark)}{' cut' * (not whole)}"
        yield FileCase(name + ".gz" * packed, content, SMILES, names, label=label)
    columns = {"name": NAMES, "SMILES": SMILES, "x": [6.5, None, 1e-3]}
    yield FileCase("typed.parquet", parquet(pa.table(columns)), SMILES, NAMES)


def damaged(repeats: int) -> Iterator[FileCase]:
    """Every well-formed layout and format after every kind of damage, at so many places."""
    cases = [case for case in well_formed() if case.label in ("", "unix")]
    for case, (kind, damage), seed in itertools.product(cases, KINDS.items(), range(repeats)):
        assert isinstance(case.content, bytes)
        content = damage(case.content, random.Random(f"{case.name} {kind} {seed}"))
        yield replace(case, content=content, smiles=None, names=None, is_damaged=True, label=f"{kind} {seed}")


# ---- what is no plain file


def link_to(target: str) -> Callable[[Path], None]:
    """Makes a symbolic link."""
    return lambda path: path.symlink_to(target)


def nothing(path: Path) -> None:
    """Makes nothing."""


PATHS = (
    FileCase("gone.smi", nothing, told=r"is not a file; give a \.smi, \.csv, \.tsv, \.sdf or \.parquet file"),
    FileCase("folder.smi", Path.mkdir, told="is not a file"),
    FileCase("pipe.smi", os.mkfifo, told="is not a file"),
    FileCase("loop.csv", link_to("loop.csv"), told="is not a file"),
    FileCase("dangling.sdf", link_to("nowhere"), told="is not a file"),
    FileCase("device.smi", link_to("/dev/zero"), told="is not a file"),
    FileCase("y" * 300 + ".smi", nothing, told="is not a file"),
    FileCase("zero\0byte.smi", nothing, told="is not a file"),
    FileCase("not_utf8_\udcff.csv", nothing, told="is not a file"),
    *(
        FileCase(f"unreadable{ending}", link_to("/proc/self/mem"), told="cannot be read .Input/output error.")
        for ending in (".smi", ".csv", ".tsv", ".sdf", ".parquet", ".smi.gz", ".csv.gz")
    ),
)
"""Paths that are no file which can be read."""
