"""Molecules that a campaign file gives: starting molecules and references, in the file or in one of their own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from designloop.loop.campaign.draft import Texts
from designloop.loop.campaign.known_values import (
    Reading,
    Readings,
    UnusableValue,
    ValueColumns,
    find_mixed_kinds,
    merged,
)
from designloop.loop.config.problems import Finding, PathKey, Problem
from designloop.loop.config.yaml_file import Document
from designloop.loop.config.yaml_nodes import quote
from designloop.molecules.chemistry import Mode, MoleculeError, Stereo, identity, parse, standard_form
from designloop.molecules.parsing import shown, what_instead
from designloop.molecules.reading import is_text_file, left_out, names_molecules, read_molecules
from designloop.paths import exists
from designloop.words import counted, did_you_mean, listed

_WEIGHTS = ".safetensors"


def is_path(text: str) -> bool:
    """Whether a value that may also be a name is the path of a file of molecules or weights."""
    return names_molecules(text) or Path(text).suffix.lower() == _WEIGHTS


def digest_of_forms(smiles: Sequence[str], only_allowed: bool, readings: Readings | None = None) -> str:
    """SHA-256 of molecules in standard form, in their order: of what they are, however and wherever they are written.

    Args:
        only_allowed: whether those that a filter refuses are left out, which makes it another digest.
        readings: what is known of them, which makes it another one, too.
    """
    said = [*smiles, *(["only allowed"] if only_allowed else [])]
    for molecule, of_molecule in (readings or {}).items():
        values = {name: list(reading.values) or reading.failure for name, reading in of_molecule.items()}
        said.append(f"{molecule} {json.dumps(values, sort_keys=True)}")
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def digest_of_lines(path: Path) -> str | None:
    """SHA-256 of what a text file of molecules says; None for a file of another kind.

    Blank lines, comments, line ends, blanks at either end and a byte order mark say nothing. Of a file without any of
    these it is the SHA-256 of its bytes.
    """
    if not is_text_file(path):
        return None
    lines = [line.strip() for line in path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()]
    return hashlib.sha256(b"".join(line + b"\n" for line in lines if line and line[:1] != b"#")).hexdigest()


@dataclass(frozen=True, slots=True)
class UserMolecule:
    """A molecule of the user's own."""

    smiles: str
    """Standard form."""
    written: str
    """As the user wrote it."""
    line: int | None = None
    """Where, in the campaign file or the file of molecules; None for one from the command line or from Python."""
    name: str = ""
    """What the user calls it; empty where nothing is said."""
    known: Mapping[str, Reading] = field(default_factory=dict)
    """Property -> what was measured of it before the campaign."""


@dataclass
class UserMolecules:
    """The molecules of one key, and what is to be said of them."""

    molecules: list[UserMolecule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unreadable: list[Problem] = field(default_factory=list)
    """Entries that are no molecule."""
    unusable: list[Problem] = field(default_factory=list)
    """Rows whose value cannot be taken."""
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
    known: Mapping[str, Reading] = field(default_factory=dict)


def read_user_molecules(
    document: Document,
    place: PathKey,
    value: Texts | None,
    folder: Path,
    standardize: Mode,
    stereo: Stereo,
    skip_bad: bool = False,
    *,
    values: ValueColumns | None = None,
) -> UserMolecules:
    """Reads the molecules that stand at a place: a list of SMILES, names with SMILES, or a file of them.

    What is no text there is None, and refused by the campaign's own declaration. Molecules that are the same in
    standard form (and but for stereo, under ``stereo: ignore``) are one, the first.

    Args:
        skip_bad: leave out what is no molecule, and say so, as long as any is left.
        values: where the file holds what was measured of them. Several rows of one molecule are then replicates.
    """
    molecules = UserMolecules()
    key = str(place[0])
    entries = list(
        _FileReader(document, place, folder / value, molecules, values).read(value)
        if isinstance(value, str)
        else _read_list(document, place, value or [], molecules)
    )
    first_entries: dict[str, _Entry] = {}
    known: dict[str, list[Mapping[str, Reading]]] = {}
    forms: dict[str, str] = {}
    by_isomer: dict[str, dict[str, list[Mapping[str, Reading]]]] = {}
    salts, repeats = 0, []
    hint = "mend or delete the line" if isinstance(value, str) else ""
    for entry in entries:
        try:
            smiles = standard_form(entry.text, standardize)
            identity_key = identity(smiles, stereo)
        except MoleculeError as error:
            actual = f"{shown(entry.text)}, which is no molecule ({error})"
            molecules.unreadable.append(Problem(entry.file, entry.line, entry.column, entry.key, actual, hint=hint))
            continue
        salts += "." in entry.text and "." not in smiles
        known.setdefault(identity_key, []).append(entry.known)
        by_isomer.setdefault(identity_key, {}).setdefault(smiles, []).append(entry.known)
        if identity_key in first_entries:
            if not entry.known:
                repeats.append(f"{entry.text} (the same as {first_entries[identity_key].text})")
            continue
        first_entries[identity_key], forms[identity_key] = entry, smiles
    molecules.molecules += [
        UserMolecule(forms[identity_key], entry.text, entry.line, entry.name, merged(known[identity_key]))
        for identity_key, entry in first_entries.items()
    ]
    for bad, which in ((molecules.unreadable, "no molecule"), (molecules.unusable, "without a usable value")):
        if skip_bad and molecules.molecules and bad:
            ordered = sorted(bad, key=lambda entry: entry.line or 0)
            # A campaign that was built of a mapping has no lines.
            entries_left_out = [(entry.line or entry.key, entry.actual) for entry in ordered]
            molecules.warnings.append(left_out(key, entries_left_out, which))
        else:
            molecules.problems += _with_skipping(bad, place, value)
    if values is not None:
        molecules.warnings += [f"{key}: {said}" for said in _describe_isomers(by_isomer)]
    if salts:
        molecules.warnings.append(f"{key}: counterions and solvents were stripped from {counted(salts, 'molecule')}")
    if repeats:
        first = ", ".join(repeats[:5]) + (", …" if len(repeats) > 5 else "")
        molecules.warnings.append(
            f"{key}: {counted(len(repeats), 'molecule')} left out that stood there already: {first}"
        )
    return molecules


def _with_skipping(unreadable: Sequence[Problem], place: PathKey, value: Texts | None) -> list[Problem]:
    """The problems by line, of which the first says how all such lines of a file are left out, where they can be."""
    ordered = sorted(unreadable, key=lambda problem: problem.line or 0)
    if ordered and place[0] == "starting_molecules" and isinstance(value, str):
        skip = f"or leave all such lines out by {place[0]}: {{file: {value}, skip_bad: true}}"
        ordered[0] = replace(ordered[0], hint=", ".join(filter(None, [ordered[0].hint, skip])))
    return ordered


def misread_text(document: Document, path: PathKey, text: str) -> Finding | None:
    """Returns the finding that YAML did not read a SMILES or SMARTS as it was meant; None if it did.

    Without quotes it ends at ` #`, where a comment begins; in double quotes ``C\\N`` holds a line end.
    """
    if not text.isprintable():
        hint = "in double quotes a backslash is an escape: use single quotes"
        return Finding(path, f"{text!r}, with an invisible character", "a molecule", hint)
    if not document.is_cut(path):
        return None
    hint = f"write {quote(text)} before the comment, or quote all of it"
    return Finding(path, f"{text!r}, cut off at ` #`", "a molecule in quotes where ` #` follows", hint)


def bracket_hint(document: Document, path: PathKey) -> str:
    """``quote the SMILES: '[Na+]'`` where YAML reads a list of one text and a bracket atom was meant; else empty."""
    written = document.bracketed(path)
    return f"quote the SMILES: {quote(written)}" if written and parse(written) is not None else ""


def by_place(value: Texts) -> list[tuple[PathKey, str]]:
    """(place below the key, text) of each text; what is none has been refused elsewhere."""
    if isinstance(value, str):
        return [((), value)]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [((part,), text) for part, text in items if text is not None]


def _read_list(document: Document, place: PathKey, value: Texts, molecules: UserMolecules) -> Iterator[_Entry]:
    """Yields the entries of a list, or of a mapping of names to SMILES."""
    for (part,), text in by_place(value):
        path = (*place, part)
        if (misread := misread_text(document, path, text)) is not None:
            molecules.problems.append(document.problem(misread))
            continue
        # RDKit takes what stands behind a space for the molecule's name.
        if " " in text or parse(text) is None:
            instead = what_instead(text)
            actual = f"{shown(text)}, which {instead}" if instead else shown(text)
            hint = "" if instead else bracket_hint(document, place) or "check its brackets, ring closures and valences"
            unreadable = Finding(path, actual, "a SMILES that RDKit can read", hint)
            molecules.unreadable.append(document.problem(unreadable))
            continue
        spot = document.problem(Finding(path, ""))
        name = part if isinstance(part, str) else ""
        yield _Entry(text, name, spot.file, spot.line, spot.column, spot.key)


@dataclass(frozen=True)
class _FileReader:
    """Reads the entries of a file."""

    document: Document
    place: PathKey
    file: Path
    molecules: UserMolecules
    """Gets what is wrong with it."""
    values: ValueColumns | None

    def read(self, path: str) -> Iterator[_Entry]:
        """Yields the entries; ``path`` is the file as written."""
        try:
            read = read_molecules(self.file, columns=self.values is not None)
        except (MoleculeError, OSError) as error:
            is_smiles = not exists(self.file) and parse(path) is not None
            key = "smiles" if self.place[-1] == "file" else self.place[-1]
            hint = f"a molecule goes into a list: {key}: [{quote(path)}]" if is_smiles else ""
            self._refuse(Finding(self.place, str(error), hint=hint))
            return
        if missing := {name: column for name, column in self._columns.items() if column not in read.columns}:
            for name, column in missing.items():
                expected = f"a column of {path}: {listed(read.columns)}"
                hint = did_you_mean(column, read.columns)
                self._refuse(Finding((self.place[0], "values", name), repr(column), expected, hint))
            return
        for name, column in self._columns.items():
            if twins := [other for other in read.columns if other != column and _plain(other) == _plain(column)]:
                actual = f"{column!r}, and beside it {listed(map(repr, twins))}"
                self._refuse(
                    Finding(
                        (self.place[0], "values", name),
                        actual,
                        f"one such column in {path}",
                        "rename or delete the others; replicates are rows",
                    )
                )
                return
        for problem in read.problems:
            actual, expected = f"{shown(problem.text)} ({problem.reason})", "a SMILES that RDKit can read"
            self.molecules.unreadable.append(self._problem(problem.line, actual, expected, "mend or delete the line"))
        if self.values is not None:
            self.molecules.warnings += [
                f"{self.place[0]}: {said}" for said in find_mixed_kinds(self.values, read.columns)
            ]
        rows = zip(read.smiles, read.names, read.lines, strict=True)
        for row, (text, name, line) in enumerate(rows):
            try:
                known = self.values.read({c: texts[row] for c, texts in read.columns.items()}) if self.values else {}
            except UnusableValue as error:
                self.molecules.unusable.append(self._problem(line, str(error)))
                continue
            yield _Entry(text, name, str(self.file), line, None, str(self.place[0]), known)

    @property
    def _columns(self) -> Mapping[str, str]:
        return self.values.columns if self.values else {}

    def _problem(self, line: int, actual: str, expected: str = "", hint: str = "") -> Problem:
        return Problem(str(self.file), line, None, str(self.place[0]), actual, expected, hint)

    def _refuse(self, finding: Finding) -> None:
        self.molecules.problems.append(self.document.problem(finding))


def _plain(header: str) -> str:
    """A header in small letters, without the place that a second one of its name is told by."""
    return re.sub(r" \(\d+\)$", "", header).lower()


def _describe_isomers(readings: Mapping[str, Mapping[str, Sequence[Mapping[str, Reading]]]]) -> list[str]:
    """A sentence on molecules whose stereoisomers were measured apart, and differ, though they count as one here.

    Args:
        readings: molecule -> stereoisomer in standard form -> property -> readings of each row.
    """
    said = []
    for of_isomers in readings.values():
        merged_by_isomer = {form: merged(rows) for form, rows in of_isomers.items() if any(rows)}
        for name in dict.fromkeys(name for of in merged_by_isomer.values() for name in of):
            known = {form: of[name].mean for form, of in merged_by_isomer.items() if name in of and of[name].values}
            if len(set(known.values())) > 1:
                said.append(f"{name} " + ", ".join(f"{mean:.6g} of {form}" for form, mean in known.items()))
    if not said:
        return []
    more = f"; and {len(said) - 3:,} more" if len(said) > 3 else ""
    return [
        "stereoisomers that were measured apart are one molecule here, whose value is their mean "
        f"({'; '.join(said[:3])}{more}); `stereo: keep` keeps them apart"
    ]
