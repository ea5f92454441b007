"""A laboratory's results as a CSV file: each row is matched with what was suggested, or refused with the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from designloop.loop.campaign.known_values import Reading, UnusableValue, number_in
from designloop.molecules.chemistry import Mode, MoleculeError, Stereo, identity, standard_form
from designloop.tables.suggestions import Suggestion
from designloop.words import meant_or_known

ID, STRUCTURE, FAILED = "id", "smiles", "failed"
"""Columns beside those of the measured properties."""

_DELIMITERS = ",;\t"


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


@dataclass(frozen=True)
class ResultsReader:
    """Reads files of results of one campaign."""

    suggestions: Sequence[Suggestion]
    """All that was ever suggested."""
    properties: Sequence[str]
    """The measured ones."""
    mode: Mode
    stereo: Stereo

    def read(self, path: Path) -> ResultsFile:
        """Reads and matches every row; several rows of one molecule are replicates.

        A value that is left blank was not measured, or, where the column ``failed`` says something, could not be.

        Raises:
            ResultsError: the file cannot be read, or lacks a column.
        """
        header, rows = _read_rows(path, self.properties)
        by_id = {item.id: item for item in self.suggestions}
        by_identity = {identity(item.candidate.smiles, self.stereo): item for item in self.suggestions}
        values: dict[str, dict[str, list[float]]] = {}
        failures: dict[str, dict[str, str]] = {}
        refused: list[RefusedRow] = []
        blank = 0
        for line, cells in rows:
            row = dict(zip(header, cells, strict=False))
            try:
                if len(cells) > len(header):
                    raise _Refusal(f"{len(cells)} cells, expected {len(header)}: quote a cell that holds a delimiter")
                item = self._match(row, by_id, by_identity)
                numbers = {name: _number(name, row[name]) for name in self.properties if row.get(name)}
                why_not = row.get(FAILED, "")
                without = [name for name in self.properties if name not in numbers]
                if why_not and not without:
                    raise _Refusal(f"it has a value and says that there is none ({why_not}); keep one of both")
            except _Refusal as why:
                refused.append(RefusedRow(line, row.get(ID) or row.get(STRUCTURE) or "", str(why)))
                continue
            for name, number in numbers.items():
                values.setdefault(item.id, {}).setdefault(name, []).append(number)
            for name in without if why_not else ():
                failures.setdefault(item.id, {}).setdefault(name, why_not)
            blank += not (numbers or why_not)
        readings = {
            item.id: _readings(values.get(item.id, {}), failures.get(item.id, {}), self.properties)
            for item in self.suggestions
        }
        return ResultsFile({key: read for key, read in readings.items() if read}, refused, blank)

    def _match(
        self, row: Mapping[str, str], by_id: Mapping[str, Suggestion], by_identity: Mapping[str, Suggestion]
    ) -> Suggestion:
        """The suggestion that a row is about: the one of its id, of its structure, or of both if they agree."""
        written_id, structure = row.get(ID, ""), row.get(STRUCTURE, "")
        if not (written_id or structure):
            raise _Refusal("it has neither an id nor a structure")
        key = None
        if structure:
            try:
                key = identity(standard_form(structure, self.mode), self.stereo)
            except MoleculeError as error:
                raise _Refusal(f"its structure is no molecule: {error}") from error
        if not written_id:
            if key not in by_identity:
                raise _Refusal(
                    f"{structure} was never suggested by this campaign; values of other molecules are given when a "
                    "campaign begins: `starting_molecules: {file: …, values: …}`"
                )
            return by_identity[str(key)]
        if written_id not in by_id:
            known = meant_or_known(written_id, list(by_id)) if len(by_id) <= 100 else "see `designloop status`"
            raise _Refusal(f"there is no suggestion {written_id!r} in this campaign; {known}")
        item = by_id[written_id]
        if key is not None and key != identity(item.candidate.smiles, self.stereo):
            raise _Refusal(f"{written_id} was suggested as {item.candidate.smiles}, found {structure}: not the same")
        return item


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
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)  # str.splitlines cuts at U+2028, too
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise ResultsError(f"{path}, line {reader.line_num}: {error}; save it as CSV anew") from error
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


def _number(name: str, text: str) -> float:
    try:
        return number_in(text)
    except UnusableValue as why:
        advice = f"leave it blank where nothing was measured, and say in the column {FAILED!r} why nothing could be"
        raise _Refusal(f"{name} is {text!r}, {why}; {advice}") from None


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
