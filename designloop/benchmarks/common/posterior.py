"""An exact Gaussian process on count fingerprints with nothing fitted: mean 0, variance 1, a little noise.

A molecule is added by a row of the Cholesky factor, so that n of them cost n³/3 in all, not each time. Over a bank that
is screened again and again, the same row is all that the mean and the variance need (:class:`Screen`).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array

from designloop.molecules.count_prints import UNITS, Bank, Prints

NOISE = 1e-4
"""Variance, for what the kernel cannot tell apart."""

_LEAST = 1e-12
"""Variance below which rounding is all that is left."""


class TanimotoProcess:
    """The posterior of a function of molecules, given its values at some; the MinMax kernel of counts."""

    def __init__(self, capacity: int) -> None:
        """Prepare for at most ``capacity`` molecules."""
        self.n = 0
        self.factor = np.zeros((capacity, capacity))
        """Lower Cholesky factor of kernel plus noise, of which the first n rows and columns count."""
        self.white = np.zeros(capacity)
        """The factor's inverse times the values."""
        self._sizes = np.zeros(capacity, np.float32)
        self._column = np.full(UNITS, -1, np.int32)
        self._units = np.zeros((256, capacity), np.float32)
        """(units that some molecule has, molecules) whether it has it."""
        self._used = 0

    def add(self, units: np.ndarray, value: float) -> None:
        """Takes in one molecule, by its fingerprint's units, and its value."""
        n = self.n
        row = solve_triangular(self.factor[:n, :n], self.kernel(Prints.joined([units]))[:, 0], lower=True)
        diagonal = np.sqrt(1 + NOISE - row @ row)
        self.factor[n, :n], self.factor[n, n] = row, diagonal
        self.white[n] = (value - row @ self.white[:n]) / diagonal
        self._sizes[n] = len(units)
        self._units_as_columns(units)
        self._units[self._column[units], n] = 1
        self.n += 1

    def kernel(self, prints: Prints) -> np.ndarray:
        """(n, molecules) MinMax similarity of what was added to some molecules."""
        shared = np.zeros((len(prints), self.n), np.float32)
        columns = self._column[prints.units]
        known = columns >= 0  # a unit that nothing added has is shared with nothing
        if known.any():
            starts = np.concatenate([[0], np.cumsum(known)])[prints.starts]
            ones = np.ones(int(known.sum()), np.float32)
            sparse = csr_array((ones, columns[known], starts), shape=(len(prints), self._used))
            shared = sparse @ self._units[: self._used, : self.n]
        union = self._sizes[: self.n] + prints.sizes[:, None] - shared
        similarity: np.ndarray = shared.T.astype(np.float64) / np.maximum(union.T, 1)
        return similarity

    def predict(self, prints: Prints) -> tuple[np.ndarray, np.ndarray]:
        """(molecules,) means and standard deviations of the function, without noise."""
        n = self.n
        rows = solve_triangular(self.factor[:n, :n], self.kernel(prints), lower=True)
        return rows.T @ self.white[:n], np.sqrt(np.maximum(1 - np.square(rows).sum(0), _LEAST))

    def _units_as_columns(self, units: np.ndarray) -> None:
        """Gives each unit that is met for the first time a row of its own."""
        fresh = units[self._column[units] < 0]
        self._column[fresh] = np.arange(self._used, self._used + len(fresh))
        self._used += len(fresh)
        while self._used > len(self._units):
            self._units = np.concatenate([self._units, np.zeros_like(self._units)])


class Screen:
    """Means and variances of a process over all of a bank, kept up to date molecule by molecule."""

    def __init__(self, bank: Bank, capacity: int) -> None:
        self._bank = bank
        self._rows = np.empty((capacity, len(bank)), np.float32)  # its pages are taken as they are filled
        self._mean = np.zeros(len(bank))
        self._variance = np.ones(len(bank))

    def take_in(self, process: TanimotoProcess, units: np.ndarray) -> None:
        """Follows a process that has just added the molecule of these units."""
        n = process.n - 1
        factor = process.factor[n, :n].astype(np.float32)
        diagonal = np.float32(process.factor[n, n])
        row = (self._bank.similarity(units) - factor @ self._rows[:n]) / diagonal
        self._rows[n] = row
        self._mean += row * process.white[n]
        self._variance -= np.square(row)

    @property
    def mean(self) -> np.ndarray:
        """(molecules of the bank,) the posterior's mean."""
        return self._mean

    @property
    def deviation(self) -> np.ndarray:
        """(molecules of the bank,) the posterior's standard deviation, without noise."""
        deviation: np.ndarray = np.sqrt(np.maximum(self._variance, _LEAST))
        return deviation
