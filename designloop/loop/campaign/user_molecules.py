"""Molecules that a campaign file gives: starting molecules and references, in the file or in one of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from designloop.loop.campaign.draft import Texts
from designloop.loop.config.problems import Finding, PathKey, Problem
from designloop.loop.config.yaml_file import Document
from designloop.loop.config.yaml_nodes import quoted
from designloop.molecules.chemistry import Mode, MoleculeError, Stereo, identity, parse, standard_form
from designloop.molecules.reading import read_molecules

_TEXT_ENDINGS = (".smi", ".smiles", ".txt", ".csv", ".tsv")
_ENDINGS = (*_TEXT_ENDINGS, ".parquet", ".safetensors")


def is_path(text: str) -> bool:
    """Whether a value that may also be a name is the path of a file of molecules or weights."""
    return Path(text).suffix.lower() in _ENDINGS


def digest_of_forms(molecules: Sequence[GivenMolecule]) -> str:
    """SHA-256 of molecules in their order: of what they are, however and wherever they are written."""
    return hashlib.sha256("\n".join(molecule.smiles for molecule in molecules).encode()).hexdigest()


def digest_of_lines(path: Path) -> str | None:
    """SHA-256 of what a text file of molecules says; None for a file of another kind.

    Blank lines, comments, line ends, blanks at either end and a byte order mark say nothing. Of a file without any of
    these it is the SHA-256 of its bytes.
    """
    if path.suffix.lower() not in _TEXT_ENDINGS:
        return None
    lines = [line.strip() for line in path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()]
    return hashlib.sha256(b"".join(line + b"\n" for line in lines if line and line[:1] != b"#")).hexdigest()


@dataclass(frozen=True, slots=True)
class GivenMolecule:
    """A molecule of the user's own."""

    smiles: str
    """Standard form."""
    written: str
    """As the user wrote it."""
    line: int | None = None
    """Where, in the campaign file or the file of molecules; None for one from the command line or from Python."""
    name: str = ""
    """What the user calls it; empty where nothing is said."""


@dataclass
class Given:
    """The molecules of one key, and what is to be said of them."""

    molecules: list[GivenMolecule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of the user's, not yet read as a molecule."""

    text: str
    name: str
    file: str
    line: int | None
    column: int | None
    key: str


def read_given(
    document: Document, key: str, value: Texts | None, folder: Path, standardize: Mode, stereo: Stereo
) -> Given:
    """The molecules of a key: a list of SMILES, names with SMILES, or a file of them.

    What is no text there is None, and refused by the campaign's own declaration. Molecules that are the same in
    standard form (and but for stereo, under ``stereo: ignore``) are one, the first.
    """
    given = Given()
    entries = list(
        _in_file(key, value, document, folder, given)
        if isinstance(value, str)
        else _listed(document, key, value or [], given)
    )
    seen: dict[str, _Entry] = {}
    salts, repeats = 0, []
    for entry in entries:
        try:
            smiles = standard_form(entry.text, standardize)
            same = identity(smiles, stereo)
        except MoleculeError as error:
            found = f"{entry.text!r}, which is no molecule ({error})"
            given.problems.append(Problem(entry.file, entry.line, entry.column, entry.key, found))
            continue
        salts += "." in entry.text and "." not in smiles
        if same in seen:
            repeats.append(f"{entry.text} (the same as {seen[same].text})")
            continue
        seen[same] = entry
        given.molecules.append(GivenMolecule(smiles, entry.text, entry.line, entry.name))
    if salts:
        given.warnings.append(f"{key}: counterions and solvents were stripped from {_count(salts)}")
    if repeats:
        shown = ", ".join(repeats[:5]) + (", …" if len(repeats) > 5 else "")
        given.warnings.append(f"{key}: {_count(len(repeats))} left out that stood there already: {shown}")
    return given


def misread_text(document: Document, path: PathKey, text: str) -> Finding | None:
    """The finding that YAML did not read a SMILES or SMARTS as it was meant; None if it did.

    Without quotes it ends at ` #`, where a comment begins; in double quotes ``C\\N`` holds a line end.
    """
    if not text.isprintable():
        hint = "in double quotes a backslash is an escape: use single quotes"
        return Finding(path, f"{text!r}, with an invisible character", "a molecule", hint)
    if not document.is_cut(path):
        return None
    hint = f"write {quoted(text)} before the comment, or quote all of it"
    return Finding(path, f"{text!r}, cut off at ` #`", "a molecule in quotes where ` #` follows", hint)


def bracket_hint(document: Document, path: PathKey) -> str:
    """``quote the SMILES: '[Na+]'`` where YAML reads a list of one text and a bracket atom was meant; else empty."""
    written = document.bracketed(path)
    return f"quote the SMILES: {quoted(written)}" if written and parse(written) is not None else ""


def by_place(value: Texts) -> list[tuple[PathKey, str]]:
    """(place below the key, text) of each text; what is none has been refused elsewhere."""
    if isinstance(value, str):
        return [((), value)]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [((part,), text) for part, text in items if text is not None]


def _listed(document: Document, key: str, value: Texts, given: Given) -> Iterator[_Entry]:
    """The entries of a list, or of a mapping of names to SMILES."""
    for (part,), text in by_place(value):
        path = (key, part)
        finding = misread_text(document, path, text)
        # RDKit takes what stands behind a space for the molecule's name.
        if finding is None and (" " in text or parse(text) is None):
            hint = bracket_hint(document, (key,)) or "check its brackets, ring closures and valences"
            finding = Finding(path, repr(text), "a SMILES that RDKit can read", hint)
        if finding is not None:
            given.problems.append(document.problem(finding))
            continue
        place = document.problem(Finding(path, ""))
        name = part if isinstance(part, str) else ""
        yield _Entry(text, name, place.file, place.line, place.column, place.key)


def _in_file(key: str, path: str, document: Document, folder: Path, given: Given) -> Iterator[_Entry]:
    absolute = folder / path
    try:
        read = read_molecules(absolute)
    except (MoleculeError, OSError) as error:
        is_smiles = not absolute.exists() and parse(path) is not None
        hint = f"a molecule goes into a list: {key}: [{quoted(path)}]" if is_smiles else ""
        given.problems.append(document.problem(Finding((key,), str(error), hint=hint)))
        return
    for problem in read.problems:
        found, expected = f"{problem.text!r} ({problem.reason})", "a SMILES that RDKit can read"
        given.problems.append(
            Problem(str(absolute), problem.line, None, key, found, expected, "mend or delete the line")
        )
    for text, name, line in zip(read.smiles, read.names, read.lines, strict=True):
        yield _Entry(text, name, str(absolute), line, None, key)


def _count(number: int) -> str:
    return "1 molecule" if number == 1 else f"{number:,} molecules"
