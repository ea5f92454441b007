"""Count fingerprints written in unary, in which the sum of the smaller counts is a product of zeros and ones.

A feature that a molecule has three times is three units of it, the first, the second and the third; two molecules share
the smaller number of them. So the MinMax similarity of counts is s / (|a| + |b| − s), s the number of shared units.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import rdkit
from rdkit.Chem import Mol
from scipy import sparse

from designloop.molecules.cache import UNREADABLE
from designloop.molecules.corpus import cache_folder, zinc
from designloop.molecules.fingerprints import BITS, count_fingerprint
from designloop.molecules.parsing import canonical, require

KIND = "ecfp6"
"""Of fingerprint, unless another is asked for; Morgan's, of radius 3."""

MOST = 512
"""Units of one feature that are told apart; no molecule that is ever paid for has more."""

UNITS = BITS * MOST

_COMMON = 1 / 16
"""Share of a bank's molecules from which on a unit is kept as a flag of each instead of a list."""

_BYTE = 255


@dataclass(frozen=True)
class Prints:
    """The units of some molecules, end to end."""

    units: np.ndarray
    """int32 numbers of units."""
    starts: np.ndarray
    """(n + 1,) where each molecule's begin."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> np.ndarray:
        """(n,) units of each molecule."""
        return np.diff(self.starts)

    def row(self, number: int) -> np.ndarray:
        """The units of one molecule."""
        return self.units[self.starts[number] : self.starts[number + 1]]

    @classmethod
    def joined(cls, rows: Sequence[np.ndarray]) -> Prints:
        """Those of molecules whose units are given one by one."""
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        return cls(np.concatenate([np.zeros(0, np.int32), *rows]), starts)


def units_of(mol: Mol, kind: str = KIND) -> np.ndarray:
    """The units of a molecule in a kind of fingerprint, those of one feature side by side."""
    counts = count_fingerprint(mol, kind)
    bits = np.fromiter(counts.keys(), np.int32, len(counts))
    repeats = np.minimum(np.fromiter(counts.values(), np.int32, len(counts)), MOST)
    ends = np.cumsum(repeats)
    levels = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - repeats, repeats)
    units: np.ndarray = (np.repeat(bits, repeats) * MOST + levels).astype(np.int32)
    return units


def prints_of(smiles: Sequence[str]) -> Prints:
    """The units of some molecules.

    Raises:
        MoleculeError: one of them is invalid.
    """
    return Prints.joined([units_of(require(text)) for text in smiles])


class Vocabulary:
    """The units of some molecules, numbered: what others have of them counts, and nothing else that others have."""

    def __init__(self, prints: Prints) -> None:
        distinct = np.unique(prints.units)
        # What two molecules share is no more than each has; small numbers are multiplied many at once.
        self._kind = np.int16 if prints.sizes.max(initial=0) <= np.iinfo(np.int16).max else np.float32
        self._column = np.full(UNITS, -1, np.int32)
        self._column[distinct] = np.arange(len(distinct), dtype=np.int32)
        self._count = len(distinct)

    def rows(self, prints: Prints) -> sparse.csr_array:
        """(molecules, units) ones where a molecule has a unit: int16, but for molecules too large to be counted so."""
        columns = self._column[prints.units]
        known = columns >= 0
        starts = np.concatenate([[0], np.cumsum(known)])[prints.starts]
        ones = np.ones(int(known.sum()), self._kind)
        return sparse.csr_array((ones, columns[known], starts), shape=(len(prints), self._count))


@dataclass(frozen=True)
class Bank:
    """Molecules that are drawn from and screened."""

    smiles: tuple[str, ...]
    """Canonical, each once."""
    prints: Prints

    def __len__(self) -> int:
        return len(self.smiles)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """SMILES -> row."""
        return {text: row for row, text in enumerate(self.smiles)}

    @cached_property
    def _sizes(self) -> np.ndarray:
        return self.prints.sizes.astype(np.float32)

    @cached_property
    def _molecules_of_unit(self) -> sparse.csc_array:
        ones = np.ones(len(self.prints.units), np.int8)
        shape = (len(self), UNITS)
        return sparse.csr_array((ones, self.prints.units, self.prints.starts), shape=shape).tocsc()

    @cached_property
    def _common(self) -> dict[int, np.ndarray]:
        """Unit -> (molecules,) uint8, whether each has it; of those that many have, whose lists would be long."""
        counts = np.diff(self._molecules_of_unit.indptr)
        common = {}
        for unit in np.flatnonzero(counts > len(self) * _COMMON).tolist():
            common[unit] = np.zeros(len(self), np.uint8)
            common[unit][self._with(unit)] = 1
        return common

    def _with(self, unit: int) -> np.ndarray:
        """Molecules that have a unit."""
        columns = self._molecules_of_unit
        rows: np.ndarray = columns.indices[columns.indptr[unit] : columns.indptr[unit + 1]]
        return rows

    def _shared(self, units: np.ndarray) -> np.ndarray:
        """(molecules,) float32 numbers of units that each has in common with one molecule."""
        common = [self._common[unit] for unit in units.tolist() if unit in self._common]
        rare = [self._with(unit) for unit in units.tolist() if unit not in self._common]
        lists = np.concatenate([np.zeros(0, np.int32), *rare])
        shared = np.bincount(lists, minlength=len(self)).astype(np.float32)
        for first in range(0, len(common), _BYTE):  # so many that a byte counts them
            few = np.zeros(len(self), np.uint8)
            for has in common[first : first + _BYTE]:
                few += has
            shared += few
        return shared

    def similarity(self, units: np.ndarray) -> np.ndarray:
        """(molecules,) float32 MinMax similarity of one molecule to all of the bank."""
        shared = self._shared(units)
        similarity: np.ndarray = shared / np.maximum(self._sizes + np.float32(len(units)) - shared, 1)
        return similarity


@cache
def zinc_bank(most: int | None = None) -> Bank:
    """ZINC 250k, or so many molecules of it, drawn once and for all.

    Fingerprints are made once, all of them in about a minute, and kept in the user's cache folder.
    """
    lines = zinc()
    wanted = len(lines) if most is None else min(most, len(lines))
    key = hashlib.sha256(f"{rdkit.__version__} {KIND} {BITS} {MOST} {wanted}".encode()).hexdigest()[:16]
    kept = cache_folder() / f"zinc250k-counts-{key}.npz"
    if kept.is_file():
        try:
            return _read_bank(kept)
        except UNREADABLE:
            kept.unlink(missing_ok=True)  # damaged: it is made again
    rows = np.arange(wanted) if most is None else np.sort(np.random.default_rng(0).permutation(len(lines))[:wanted])
    _write_bank([lines[row] for row in rows], kept)
    return _read_bank(kept)


def _read_bank(path: Path) -> Bank:
    with np.load(path) as data:
        smiles = bytes(data["smiles"]).decode().split("\n")
        return Bank(tuple(smiles), Prints(data["units"], data["starts"]))


def _write_bank(lines: Sequence[str], path: Path) -> None:
    smiles = list(dict.fromkeys(form for text in lines if (form := canonical(text)) is not None))
    prints = prints_of(smiles)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}.npz")
    text = np.frombuffer("\n".join(smiles).encode(), np.uint8)
    np.savez(aside, smiles=text, units=prints.units, starts=prints.starts)
    aside.replace(path)
