"""A laboratory's results as a CSV file: each row is matched with what was suggested, or refused with the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from designloop.loop.campaign.known_values import Reading, UnusableValue, is_relation, relation_beside, value_in
from designloop.loop.laboratory.pricing import PRICE
from designloop.loop.scoring.objective import FAILED
from designloop.molecules.chemistry import Mode, MoleculeError, Stereo, identity, standard_form
from designloop.molecules.reading_formats import DELIMITERS, OPEN_QUOTE, SEPARATOR_LINE
from designloop.tables.file_columns import name_beside
from designloop.tables.suggestions import Suggestion
from designloop.words import counted, meant_or_known

ID, STRUCTURE = "id", "smiles"
"""Columns beside those of the measured properties."""

PREDICTED = ("_predicted", "_predicted_sd")
"""What stands behind a property's name over what was expected of it in a file of suggestions."""

_DENIED = frozenset(("-", "0", "n", "no", "none", "false"))
"""What a column ``failed`` says, in small letters, of what did not fail, where a program keeps a flag there."""

BESIDE = (PRICE, "why", "proposer", "parents", "nearest", "similarity")
"""The other columns of such a file."""


def id_in_files(campaign: str, key: str) -> str:
    """How a molecule's id stands in files and tables: behind its campaign's name."""
    return f"{campaign}-{key}"


class ResultsError(ValueError):
    """A file of results that cannot be read as a whole; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not taken, and why."""

    line: int
    """In the file; the header's is 1."""
    what: str
    """Its id or structure, as written."""
    reason: str

    def __str__(self) -> str:
        return f"line {self.line} ({self.what or 'no id'}): {self.reason}"


@dataclass(frozen=True)
class ResultsFile:
    """What a file of results says."""

    readings: Mapping[str, Mapping[str, Reading]] = field(default_factory=dict)
    """Id of a suggestion -> property -> reading, in the order of the suggestions."""
    refused: Sequence[RefusedRow] = ()
    blank: int = 0
    """Rows of suggestions that say nothing yet."""
    remarks: Sequence[str] = ()
    """On molecules of which one row has a value and another one none, or whose rows are of several isomers."""
    unread: Sequence[str] = ()
    """Columns that are neither of ours nor among those that a file of suggestions has, and so were not read."""


@dataclass(frozen=True)
class ResultsReader:
    """Reads files of results of one campaign."""

    suggestions: Sequence[Suggestion]
    """All that was ever suggested."""
    properties: Sequence[str]
    """The measured ones."""
    mode: Mode
    stereo: Stereo
    told: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Standard form -> measured properties of which it has a value already."""
    campaign: str = ""
    """Its name, which tables put before the id of a starting molecule; empty: they do not."""

    def read(self, path: Path) -> ResultsFile:
        """Reads and matches every row; several rows of one molecule are replicates.

        A value that is left blank was not measured, or, where the column ``failed`` says something, could not be. Where
        some of what is blank was told before, the rest could not be; where all of it was, that is withdrawn. A column
        that is not there is not blank, unless none is there.

        Raises:
            ResultsError: the file cannot be read, or lacks a column.
        """
        header, rows = _read_rows(path, self.properties)
        columns = [name for name in self.properties if name in header] or self.properties
        by_id = {item.id: item for item in self.suggestions}
        if self.campaign:
            by_id = {id_in_files(self.campaign, key): item for key, item in by_id.items()} | by_id
        by_identity = {identity(item.candidate.smiles, self.stereo): item for item in self.suggestions}
        values: dict[str, dict[str, list[float]]] = {}
        failures: dict[str, dict[str, str]] = {}
        refused: list[RefusedRow] = []
        forms: dict[str, dict[str, None]] = {}
        blank = 0
        for line, cells in rows:
            row = dict(zip(header, cells, strict=False))
            try:
                if len(cells) > len(header):
                    raise _Refusal(f"{len(cells)} cells, expected {len(header)}: quote a cell that holds a delimiter")
                item, form = self._match(row, by_id, by_identity)
                numbers = {name: _number(name, row) for name in self.properties if row.get(name)}
                why_not = _why_failed(row, bool(numbers))
                blanks = [name for name in columns if name not in numbers]
                known = self.told.get(item.candidate.smiles, ())
                without = [name for name in blanks if name not in known] or blanks
                if why_not and not without:
                    raise _Refusal(f"it has a value and says that there is none ({why_not}); keep one of both")
            except _Refusal as why:
                refused.append(RefusedRow(line, row.get(ID) or row.get(STRUCTURE) or "", str(why)))
                continue
            if numbers and form is not None:
                forms.setdefault(item.id, {})[form] = None
            for name, number in numbers.items():
                values.setdefault(item.id, {}).setdefault(name, []).append(number)
            for name in without if why_not else ():
                failures.setdefault(item.id, {}).setdefault(name, why_not)
            blank += not (numbers or why_not)
        known = self._columns
        unread = [name for name in header if name and name not in known and not is_relation(name, self.properties)]
        if blank and unread and not {*self.properties} & {*header}:
            silent = counted(blank, "row says", "rows say")
            raise ResultsError(
                f"{path} has the columns {', '.join(filter(None, header))}, and {silent} nothing; expected a column "
                f"{' or '.join(map(repr, self.properties))}"
            )
        remarks = [
            f"{name} of {key} has a value, and another row says that there is none ({why_not}); the value is taken"
            for key, of_molecule in failures.items()
            for name, why_not in of_molecule.items()
            if values.get(key, {}).get(name)
        ]
        remarks += [
            f"{key} has values of {' and '.join(isomers)}, which are one molecule here: they count as replicates; "
            "`stereo: keep` keeps them apart"
            for key, isomers in forms.items()
            if len(isomers) > 1
        ]
        readings = {
            item.id: _readings(values.get(item.id, {}), failures.get(item.id, {}), self.properties)
            for item in self.suggestions
        }
        return ResultsFile({key: read for key, read in readings.items() if read}, refused, blank, remarks, unread)

    @property
    def _columns(self) -> set[str]:
        """Those that are read, or that a file of suggestions has beside them."""
        predicted = {f"{name}{end}" for item in self.suggestions for name in item.predicted for end in PREDICTED}
        read = {ID, STRUCTURE, FAILED, *self.properties, *predicted}
        return {*read, *BESIDE, *name_beside(BESIDE, read).values()}

    def _match(
        self, row: Mapping[str, str], by_id: Mapping[str, Suggestion], by_identity: Mapping[str, Suggestion]
    ) -> tuple[Suggestion, str | None]:
        """The suggestion that a row is about, and its structure in standard form, where it has one.

        It is the one of its id, of its structure, or of both if they agree.
        """
        written_id, structure = row.get(ID, ""), row.get(STRUCTURE, "")
        if not (written_id or structure):
            raise _Refusal("it has neither an id nor a structure")
        form = key = None
        if structure:
            try:
                form = standard_form(structure, self.mode)
                key = identity(form, self.stereo)
            except MoleculeError as error:
                raise _Refusal(f"its structure is no molecule: {error}") from error
        if not written_id:
            if key not in by_identity:
                raise _Refusal(
                    f"{structure} was never suggested by this campaign; values of other molecules are given when a "
                    "campaign begins: `starting_molecules: {file: …, values: …}`"
                )
            return by_identity[str(key)], form
        if written_id not in by_id:
            known = meant_or_known(written_id, list(by_id)) if len(by_id) <= 100 else "see `designloop status`"
            raise _Refusal(f"there is no suggestion {written_id!r} in this campaign; {known}")
        item = by_id[written_id]
        if key is not None and key != identity(item.candidate.smiles, self.stereo):
            raise _Refusal(f"{written_id} was suggested as {item.candidate.smiles}, found {structure}: not the same")
        return item, form


class _Refusal(Exception):
    """Why a row is not taken."""


def _read_rows(path: Path, properties: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, in the writing of ours where a name differs by case alone, and the rows that are not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ResultsError(f"{path} cannot be read ({error.strerror}); name a CSV file of results") from error
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path} is no text in UTF-8 ({error.reason}); save it as CSV in UTF-8") from error
    begun, skipped = text.lstrip("\r\n"), 0
    first = begun.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    if separator := SEPARATOR_LINE.match(first):
        delimiter, begun = separator[1], begun.partition("\n")[2].lstrip("\r\n")
    skipped = text[: len(text) - len(begun)].count("\n")
    # Strict, or else a quote that is not closed takes all rows behind it into its cell. No str.splitlines: it cuts at
    # U+2028, too.
    reader = csv.reader(io.StringIO(begun, newline="\n"), delimiter=delimiter, strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            lines.append((skipped + reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        line = lines[-1][0] + 1 if lines else skipped + 1
        raise ResultsError(f"{path}, line {line}: {error}; {OPEN_QUOTE}") from error
    if not lines or not any(lines[0][1]):
        raise ResultsError(f"{path} is empty or lacks a header; its first line names the columns: id, smiles, …")
    ours = {name.lower(): name for name in (ID, STRUCTURE, FAILED, *properties)}
    header = [ours.get(name.lower(), name) for name in lines[0][1]]
    listed = ", ".join(name for name in header if name)
    if twice := [name for name in ours.values() if header.count(name) > 1]:
        raise ResultsError(f"{path} has two columns {twice[0]!r}; keep one, and write replicates as rows")
    if not {ID, STRUCTURE} & set(header):
        raise ResultsError(f"{path} has the columns {listed}; expected a column {ID!r}, or {STRUCTURE!r}, or both")
    if not {FAILED, *properties} & set(header):
        expected = " or ".join(repr(name) for name in (*properties, FAILED))
        raise ResultsError(f"{path} has the columns {listed}; expected a column {expected}")
    return header, [(line, cells) for line, cells in lines[1:] if any(cells)]


def _number(name: str, row: Mapping[str, str]) -> float:
    try:
        return value_in(row[name], relation_beside(name, row))
    except UnusableValue as why:
        advice = f"leave it blank where nothing was measured, and say in the column {FAILED!r} why nothing could be"
        raise _Refusal(f"{name} is {why}; {advice}") from None


def _why_failed(row: Mapping[str, str], has_value: bool) -> str:
    """Why a row has no value, as it says; empty where it does not say that it failed."""
    said = row.get(FAILED, "")
    if said.lower() not in _DENIED:
        return said
    if not has_value:
        raise _Refusal(
            f"{FAILED} is {said!r}: leave it blank where nothing was measured yet, or say why nothing could be"
        )
    return ""


def _readings(
    values: Mapping[str, Sequence[float]], failures: Mapping[str, str], properties: Sequence[str]
) -> dict[str, Reading]:
    """One reading a property that anything is said of; where some replicates have values, these count."""
    readings = {}
    for name in properties:
        if values.get(name):
            readings[name] = Reading(tuple(values[name]))
        elif name in failures:
            readings[name] = Reading((), failures[name])
    return readings
