"""Count fingerprints written in unary, in which the sum of the smaller counts is a product of zeros and ones.

A feature that a molecule has three times is three units of it, the first, the second and the third; two molecules share
the smaller number of them. So the MinMax similarity of counts is s / (|a| + |b| − s), s the number of shared units.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
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

_KEPT_BANKS = 2
"""Banks that are kept in memory: a campaign goes on to a larger one as it grows, and comes back to none."""


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


def units_of(mol: Mol, kind: str = KIND, features: Sequence[int] | None = None) -> np.ndarray:
    """The units of a molecule in a kind of fingerprint, those of one feature side by side.

    Args:
        features: as ``count_fingerprint`` takes them.
    """
    counts = count_fingerprint(mol, kind, features=features)
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
class _Holders:
    """Which molecules of a bank have a unit."""

    lists: np.ndarray
    """int32 molecules that have each of the rarer units, end to end."""
    starts: np.ndarray
    """(UNITS + 1,) int32 where each unit's begin; of a common one there are none."""
    flags: dict[int, np.ndarray]
    """Common unit -> (molecules,) uint8, whether each has it: its list would be long."""
    sizes: np.ndarray
    """(molecules,) float32 numbers of units."""

    @classmethod
    def of(cls, prints: Prints) -> _Holders:
        """Those of some molecules."""
        n = len(prints)
        ones = np.ones(len(prints.units), np.int8)
        columns = sparse.csr_array((ones, prints.units, prints.starts.astype(np.int32)), shape=(n, UNITS)).tocsc()
        counts = np.diff(columns.indptr)
        common = counts > n * _COMMON
        flags = {}
        for unit in np.flatnonzero(common).tolist():
            flags[unit] = np.zeros(n, np.uint8)
            flags[unit][columns.indices[columns.indptr[unit] : columns.indptr[unit + 1]]] = 1
        starts = np.concatenate([[0], np.cumsum(np.where(common, 0, counts))]).astype(np.int32)
        lists = columns.indices[np.repeat(~common, counts)].astype(np.int32)
        return cls(lists, starts, flags, prints.sizes.astype(np.float32))

    def shared(self, units: np.ndarray) -> np.ndarray:
        """(molecules,) float32 numbers of units that each has in common with one molecule."""
        common = [self.flags[unit] for unit in units.tolist() if unit in self.flags]
        rare = [self.lists[self.starts[unit] : self.starts[unit + 1]] for unit in units.tolist()]
        lists = np.concatenate([np.zeros(0, np.int32), *rare])
        shared = np.bincount(lists, minlength=len(self.sizes)).astype(np.float32)
        for first in range(0, len(common), _BYTE):  # so many that a byte counts them
            few = np.zeros(len(self.sizes), np.uint8)
            for has in common[first : first + _BYTE]:
                few += has
            shared += few
        return shared


class Bank:
    """Molecules that are drawn from and screened.

    Args:
        smiles: canonical, each once.
        prints: of each; once they are ordered by unit, which is when a similarity is first asked for, they are let go.
    """

    def __init__(self, smiles: Sequence[str], prints: Prints) -> None:
        self.smiles = tuple(smiles)
        self._prints: Prints | None = prints

    def __len__(self) -> int:
        return len(self.smiles)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """SMILES -> row."""
        return {text: row for row, text in enumerate(self.smiles)}

    @cached_property
    def _holders(self) -> _Holders:
        assert self._prints is not None  # it is asked once
        holders, self._prints = _Holders.of(self._prints), None
        return holders

    def similarity(self, units: np.ndarray) -> np.ndarray:
        """(molecules,) float32 MinMax similarity of one molecule to all of the bank."""
        shared = self._holders.shared(units)
        similarity: np.ndarray = shared / np.maximum(self._holders.sizes + np.float32(len(units)) - shared, 1)
        return similarity


@lru_cache(_KEPT_BANKS)
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
