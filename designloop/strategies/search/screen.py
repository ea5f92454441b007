"""ZINC, looked through again and again for what a surrogate takes for good: free molecules, beside those that are bred.

Similarities to what was paid for are kept as bytes, a row a molecule, so that a look at all of ZINC is one product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest

import numpy as np

from designloop.molecules.count_prints import KIND, Bank, zinc_bank
from designloop.records import Candidate
from designloop.strategies.archive.archive import LIMIT
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import features_of_molecule

PROPOSER = "screen"

Admissible = Callable[[Sequence[Candidate]], Sequence[Candidate]]

SIZES = ((100, 10_000), (300, 50_000))
"""(molecules paid for, molecules that are looked through before there are so many); all of ZINC from the last on.

Fingerprints of all take a minute, once a machine, and seconds in each process: more than a short campaign is worth.
"""

_DEPTHS = (2, 4, 8)
"""So many times as far down it looks, step by step, where most of the best cannot be admitted."""

_LEVELS = 255
_AT_ONCE = 64
"""Rows that are unpacked at once, ..."""
_WIDE = 16_384
"""... so many molecules of the bank of each, which stay in the processor's cache."""


@dataclass
class ZincScreen:
    """Screens molecules of ZINC by the mean of a process on their fingerprints."""

    most: int | None = None
    """Molecules that are looked through at most, the same ones each time; None: all."""
    fresh: int = 100
    """Drawn at random each time, beside the best."""
    best: int = 300
    _bank: Bank | None = field(default=None, repr=False)
    """That the rows are of."""
    _bytes: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.uint8), repr=False)
    """(places, bank) similarity of a molecule paid for to each of the bank: in one piece, that memory not be split."""
    _places: dict[str, int] = field(default_factory=dict, repr=False)
    """Molecule paid for -> its row of these."""

    def propose(
        self,
        processes: Sequence[FixedGP],
        worths: Sequence[Callable[[np.ndarray], np.ndarray]],
        rng: np.random.Generator,
        admissible: Admissible = list,
    ) -> list[Candidate]:
        """The best of ZINC by each worth in turn, and some at random, each once.

        Where most of the best cannot be admitted, those that can be are taken from further down.

        Args:
            processes: of the same molecules.
            worths: (m, processes) means to (m,) values.
            rng: draws what is taken at random.
            admissible: of some candidates those that could be paid for now.
        """
        bank = zinc_bank(self.size(len(processes[0].molecules)))
        means = np.stack([self.means(bank, process) for process in processes], -1)
        best = self._best(bank, [worth(means) for worth in worths], admissible)
        fresh = _candidates(bank, rng.integers(len(bank), size=self.fresh))
        return list({candidate.smiles: candidate for candidate in [*best, *fresh]}.values())

    def _best(self, bank: Bank, values: Sequence[np.ndarray], admissible: Admissible) -> list[Candidate]:
        """As many as it takes; of fewer than half that could be admitted those that could, and such of further down."""
        best = _candidates(bank, _first_by_each(values, self.best))
        fit = admissible(best)
        if 2 * len(fit) >= len(best):
            return best
        for depth in _DEPTHS:
            fit = admissible(_candidates(bank, _first_by_each(values, depth * self.best)))
            if len(fit) >= self.best:
                break
        return list(fit[: self.best])

    def size(self, paid: int) -> int | None:
        """Molecules that are looked through when so many were paid for; None: all."""
        size = next((size for least, size in SIZES if paid < least), None)
        return self.most if size is None else size if self.most is None else min(size, self.most)

    def means(self, bank: Bank, process: FixedGP) -> np.ndarray:
        """(bank,) posterior means of the score, above the mean of the process's scale."""
        weights = process.weights / _LEVELS
        paid = [molecule.smiles for molecule in process.molecules]
        self._take_in(bank, paid)
        rows, mean = [self._bytes[self._places[name]] for name in paid], np.zeros(len(bank), np.float32)
        unpacked = np.empty((_AT_ONCE, _WIDE), np.float32)
        for column in range(0, len(bank), _WIDE):
            wide = slice(column, min(column + _WIDE, len(bank)))
            for first in range(0, len(rows), _AT_ONCE):
                part = rows[first : first + _AT_ONCE]
                block = unpacked[: len(part), : wide.stop - column]
                for place, row in enumerate(part):
                    block[place] = row[wide]
                mean[wide] += weights[first : first + _AT_ONCE] @ block
        return mean

    def _take_in(self, bank: Bank, paid: Sequence[str]) -> None:
        """Holds the rows of these molecules alone; those that are new take the places of those that are not wanted."""
        if self._bank is not bank or len(paid) > len(self._bytes):
            self._bank, self._places = bank, {}
            self._bytes = np.empty((max(len(paid), LIMIT), len(bank)), np.uint8)  # pages are taken as they are filled
        self._places = {name: self._places[name] for name in paid if name in self._places}
        free = iter(sorted(set(range(len(self._bytes))) - set(self._places.values())))
        for name in paid:
            if name not in self._places:
                self._places[name] = next(free)
                self._bytes[self._places[name]] = _bytes_of(bank, name)


def _candidates(bank: Bank, rows: Iterable[int]) -> list[Candidate]:
    return [Candidate(bank.smiles[row], PROPOSER) for row in rows]


def _first_by_each(values: Sequence[np.ndarray], n: int) -> list[int]:
    """The rows of the n highest, each once: by each of some values in turn."""
    in_turn = zip_longest(*(_first(value, n) for value in values))
    rows = dict.fromkeys(row for place in in_turn for row in place if row is not None)
    return list(islice(rows, n))


def _first(value: np.ndarray, n: int) -> list[int]:
    """The rows of the n highest, the highest first."""
    best = np.argpartition(-value, n)[:n] if n < len(value) else np.arange(len(value))
    rows: list[int] = best[np.argsort(-value[best], kind="stable")].tolist()
    return rows


def _bytes_of(bank: Bank, smiles: str) -> np.ndarray:
    similarity: np.ndarray = bank.similarity(features_of_molecule(smiles).units[KIND])
    return np.asarray(np.rint(similarity * _LEVELS).astype(np.uint8))
