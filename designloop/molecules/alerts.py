"""Structural alerts: RDKit's filter catalogues by name, and our own patterns of unstable and of reactive molecules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from rdkit import Chem
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogEntry, FilterCatalogParams

from designloop.molecules.errors import MoleculeError
from designloop.molecules.outline import Outline
from designloop.molecules.pattern_screen import PatternScreen
from designloop.words import did_you_mean

ALERT_SETS: tuple[str, ...] = tuple(sorted(FilterCatalogParams.FilterCatalogs.names))
"""RDKit's catalogues: PAINS (Baell & Holloway 2010), NIH (Jadhav et al. 2010), BRENK (Brenk et al. 2008), ZINC, and the
sets that ChEMBL collected."""


def check_alert_set(name: str) -> None:
    """Nothing, where there is such a set.

    Raises:
        MoleculeError: where there is none; the message lists them and gives the nearest.
    """
    if name not in ALERT_SETS:
        hint = did_you_mean(name, ALERT_SETS) or "take one of these."
        raise MoleculeError(f"found alert set {name!r}, expected one of {', '.join(ALERT_SETS)}; {hint}")


def alerts(mol: Chem.Mol, sets: Sequence[str] = ("PAINS", "NIH")) -> list[str]:
    """Names of the catalogue entries that the molecule hits, in the catalogue's order.

    Raises:
        MoleculeError: when there is no such set; the message lists them.
    """
    return list(_catalog(tuple(sets)).hits(mol, Outline.of(mol)))


def first_alert(mol: Chem.Mol, sets: Sequence[str] = ("PAINS", "NIH"), outline: Outline | None = None) -> str | None:
    """The first of ``alerts``, for the price of finding that one; None where there is none.

    Args:
        outline: of the molecule, where it has been made already.
    """
    return next(_catalog(tuple(sets)).hits(mol, outline or Outline.of(mol)), None)


def unstable(mol: Chem.Mol) -> list[str]:
    """Names of the patterns in ``unstable.smarts`` that the molecule hits, each once, in the file's order."""
    return list(dict.fromkeys(_unstable().hits(mol, Outline.of(mol))))


def first_unstable(mol: Chem.Mol, outline: Outline | None = None) -> str | None:
    """The first of ``unstable``, for the price of finding that one; None where there is none.

    Args:
        outline: of the molecule, where it has been made already.
    """
    return next(_unstable().hits(mol, outline or Outline.of(mol)), None)


def reactive(mol: Chem.Mol) -> list[str]:
    """Names the patterns in ``reactive.smarts`` that the molecule hits, each once, in the file's order."""
    return list(dict.fromkeys(_reactive().hits(mol, Outline.of(mol))))


def first_reactive(mol: Chem.Mol, outline: Outline | None = None) -> str | None:
    """Gives the first of ``reactive``, for the price of finding that one; None where there is none.

    Args:
        outline: of the molecule, where it has been made already.
    """
    return next(_reactive().hits(mol, outline or Outline.of(mol)), None)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A structural pattern with a name and a molecule that it hits."""

    name: str
    smarts: str
    example: str
    """A SMILES."""
    query: Chem.Mol
    """Of ``smarts``."""


@cache
def unstable_patterns() -> tuple[Pattern, ...]:
    """The patterns of ``unstable.smarts``, in the file's order."""
    return _read_patterns("unstable.smarts")


@cache
def reactive_patterns() -> tuple[Pattern, ...]:
    """Reads the patterns of ``reactive.smarts``, in the file's order."""
    return _read_patterns("reactive.smarts")


def _read_patterns(file: str) -> tuple[Pattern, ...]:
    patterns = []
    for line in (files("designloop.molecules") / file).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, smarts, example = line.split("\t")
            patterns.append(Pattern(name, smarts, example, Chem.MolFromSmarts(smarts)))
    return tuple(patterns)


class _Patterns:
    """Patterns of a file, of which a molecule is asked only those that it can hold."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._screen = PatternScreen([pattern.query for pattern in patterns])

    def hits(self, mol: Chem.Mol, outline: Outline | None) -> Iterator[str]:
        """Names of the patterns that the molecule hits, in the file's order."""
        possible = (self._patterns[row] for row in self._screen.possible(outline))
        return (pattern.name for pattern in possible if mol.HasSubstructMatch(pattern.query))


@cache
def _unstable() -> _Patterns:
    return _Patterns(unstable_patterns())


@cache
def _reactive() -> _Patterns:
    return _Patterns(reactive_patterns())


class _Catalog:
    """The entries of some alert sets, of which a molecule is asked only those that it can hit."""

    def __init__(self, sets: Sequence[str]) -> None:
        parameters = FilterCatalogParams()
        for name in sets:
            check_alert_set(name)
            parameters.AddCatalog(FilterCatalogParams.FilterCatalogs.names[name])
        catalog = FilterCatalog(parameters)
        self.entries = [catalog.GetEntryWithIdx(index) for index in range(catalog.GetNumEntries())]
        self.queries = [_query(entry) for entry in self.entries]
        """None where an entry's pattern could not be read: that entry is asked always."""
        self._screen = PatternScreen(self.queries)

    def hits(self, mol: Chem.Mol, outline: Outline | None) -> Iterator[str]:
        """Names of the entries that the molecule hits, in the catalogue's order."""
        possible = (self.entries[row] for row in self._screen.possible(outline))
        return (entry.GetDescription() for entry in possible if entry.HasFilterMatch(mol))


@lru_cache(32)
def _catalog(sets: tuple[str, ...]) -> _Catalog:
    return _Catalog(sets)


_SERIALISED_PATTERN = re.compile(
    rb"22 serialization::archive \d+ \d+ \d+\n0 0 1 4 1 1\n1 0 0 \d+ .*? (?P<length>\d+) (?=\xef\xbe\xad\xde)",
    re.DOTALL,
)
"""How RDKit writes a catalogue entry that is one SMARTS: class ids, its name, then the pattern's pickle."""

_AT_LEAST_ONCE = re.compile(rb" [1-9]\d* \d+ ")
"""What follows the pickle: the fewest and most matches asked for. An entry that asks for none may not be screened."""


def _query(entry: FilterCatalogEntry) -> Chem.Mol | None:
    """The one pattern without which the entry cannot match; None where it has no such pattern, or none is readable.

    RDKit gives no access to it but through the entry's serialised form.
    """
    text = bytes(entry.Serialize())
    head = _SERIALISED_PATTERN.match(text)
    if head is None:
        return None
    end = head.end() + int(head["length"])
    if not _AT_LEAST_ONCE.match(text, end):
        return None
    pickle: Any = text[head.end() : end]  # RDKit's stubs know text only
    query: Chem.Mol = Chem.Mol(pickle)
    return query
