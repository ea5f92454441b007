"""Kernels between molecules with nothing in them to be fitted, each 1 between a molecule and itself.

- MinMax: of count fingerprints, sum_i min(a_i, b_i) / sum_i max(a_i, b_i). It knows kin, as its fingerprint has it.
- Numbers: exp(−|a − b|² / 2 d l²) of d numbers of the whole molecule (elements, rings, logP, TPSA, …), standardised on
  ZINC. What is sharp in such a number, a formula or a window, no print of parts foresees, nor what drifts with it; so
  there is a short length l and a long one.
- Means of these. A mean, not a product: what a number says holds for molecules that have no part in common.

Sources: Ralaivola et al. 2005 (MinMax); Rogers & Hahn 2010 and Carhart et al. 1985 (the fingerprints).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol

import numpy as np

from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.count_prints import Prints, Vocabulary, units_of
from designloop.molecules.fingerprints import SEE_FEATURES, atom_features
from designloop.molecules.parsing import require
from designloop.molecules.whole_numbers import numbers_of

_LEAST_SPREAD = 0.15
"""Standard deviation that a number is taken to have at least: what is rare in ZINC must not be all that counts."""

_REMEMBERED = 5_000
"""Molecules whose features are remembered: some rounds of a pool, of about 6 KB each."""


class _Units(dict[str, np.ndarray]):
    """Kind of fingerprint -> the units of a molecule's counts, made when a kernel first asks for them."""

    def __init__(self, smiles: str) -> None:
        super().__init__()
        self._smiles = smiles

    def __missing__(self, kind: str) -> np.ndarray:
        features = _atom_features(self._smiles) if kind in SEE_FEATURES else None
        units = self[kind] = units_of(require(self._smiles), kind, features)
        return units


@lru_cache(_REMEMBERED)
def _atom_features(smiles: str) -> list[int]:
    """Those of a molecule, which several kernels see."""
    return atom_features(require(smiles))


@dataclass(frozen=True, eq=False)
class MoleculeFeatures:
    """A molecule as kernels see it. What no kernel asks for is never made: most of a pool are seen by one or two."""

    smiles: str
    units: Mapping[str, np.ndarray]
    """Kind of fingerprint -> the units of its counts."""
    latent: np.ndarray | None = None
    """(latent,) where the view has an encoder."""

    @property
    def numbers(self) -> np.ndarray:
        """(d,) of the whole molecule, standardised."""
        return _standardised(self.smiles)


@cache
def standard_numbers() -> tuple[np.ndarray, np.ndarray]:
    """(d,) means and standard deviations of the numbers over ZINC's first 1,000 held-out molecules."""
    rows = np.stack([numbers_of(require(text)) for text in held_out_smiles()[:1000]])
    return rows.mean(0), np.maximum(rows.std(0), _LEAST_SPREAD)


@lru_cache(20_000)
def _standardised(smiles: str) -> np.ndarray:
    mean, deviation = standard_numbers()
    return np.asarray((numbers_of(require(smiles), _atom_features(smiles)) - mean) / deviation)


Similarity = Callable[[Sequence[MoleculeFeatures]], np.ndarray]
"""Some molecules (m) -> (m, n) float32 kernel with the n molecules that it was made for."""


class Kernel(Protocol):
    """A kernel between molecules, 1 between a molecule and itself."""

    def to(self, molecules: Sequence[MoleculeFeatures]) -> Similarity:
        """The kernel of others with these molecules."""


@dataclass(frozen=True)
class MinMax:
    """The kernel of a kind of count fingerprint."""

    kind: str

    def to(self, molecules: Sequence[MoleculeFeatures]) -> Similarity:
        """The kernel of others with these molecules."""
        own = self._prints(molecules)
        vocabulary, sizes = Vocabulary(own), own.sizes.astype(np.float32)
        columns = np.ascontiguousarray(vocabulary.rows(own).toarray().T)

        def similarity(others: Sequence[MoleculeFeatures]) -> np.ndarray:
            theirs = self._prints(others)
            shared = vocabulary.rows(theirs) @ columns
            either = theirs.sizes.astype(np.float32)[:, None] + sizes - shared
            return np.asarray(np.where(either > 0, shared / np.maximum(either, 1), np.float32(1)))

        return similarity

    def _prints(self, molecules: Sequence[MoleculeFeatures]) -> Prints:
        return Prints.joined([molecule.units[self.kind] for molecule in molecules])


@dataclass(frozen=True)
class Numbers:
    """The Gaussian kernel of whole-molecule numbers."""

    length: float
    """In standard deviations of each number over ZINC."""

    def to(self, molecules: Sequence[MoleculeFeatures]) -> Similarity:
        """The kernel of others with these molecules."""
        own = _numbers(molecules)
        width = 2 * own.shape[1] * self.length**2

        def similarity(others: Sequence[MoleculeFeatures]) -> np.ndarray:
            theirs = _numbers(others)
            squares = np.square(theirs).sum(1)[:, None] + np.square(own).sum(1) - 2 * theirs @ own.T
            return np.asarray(np.exp(-np.maximum(squares, 0) / width))

        return similarity


@dataclass(frozen=True)
class MeanOf:
    """The mean of some kernels."""

    kernels: Sequence[Kernel]

    def to(self, molecules: Sequence[MoleculeFeatures]) -> Similarity:
        """The kernel of others with these molecules."""
        return self.of([kernel.to(molecules) for kernel in self.kernels])

    @staticmethod
    def of(parts: Sequence[Similarity]) -> Similarity:
        """The mean of what its kernels say of others."""
        return lambda others: np.asarray(np.mean([part(others) for part in parts], axis=0, dtype=np.float32))


ECFP6, FCFP4, FEATURE_PAIR, ATOM_PAIR = (MinMax(kind) for kind in ("ecfp6", "fcfp4", "feature_pair", "atom_pair"))
SHARP, WIDE = Numbers(1.0), Numbers(3.0)

KERNELS: Mapping[str, Kernel] = {
    "ecfp6": ECFP6,
    "features": MeanOf((FCFP4, FEATURE_PAIR)),
    "pairs": MeanOf((ATOM_PAIR, FCFP4, SHARP, WIDE)),
    "composition": MeanOf((ECFP6, FCFP4, FEATURE_PAIR, SHARP, WIDE)),
}
"""The kernels there are, by name."""


class _Remembered:
    """A part of several kernels: what it last said, and of whom, since they are asked of the same molecules."""

    def __init__(self, part: Similarity) -> None:
        self._part = part
        self._others: Sequence[MoleculeFeatures] | None = None
        self._said = np.zeros((0, 0), np.float32)

    def __reduce__(self) -> tuple[type[_Remembered], tuple[Similarity]]:
        """Elsewhere others are asked."""
        return type(self), (self._part,)

    def __call__(self, others: Sequence[MoleculeFeatures]) -> np.ndarray:
        if self._others != others:  # molecules are told apart by identity
            self._others, self._said = others, self._part(others)
        return self._said

    def forget(self) -> None:
        self._others, self._said = None, np.zeros((0, 0), np.float32)


class Similarities(Mapping[str, Similarity]):
    """Some kernels of others with the same molecules: a part that several of them have is made and asked once.

    Args:
        kernels: by name.
        molecules: (n,) that others are compared with.
    """

    def __init__(self, kernels: Mapping[str, Kernel], molecules: Sequence[MoleculeFeatures]) -> None:
        self._molecules = molecules
        self._parts: dict[int, _Remembered] = {}
        self._of = {name: self._similarity(kernel) for name, kernel in kernels.items()}

    def _similarity(self, kernel: Kernel) -> Similarity:
        if isinstance(kernel, MeanOf):
            return kernel.of([self._similarity(part) for part in kernel.kernels])
        if id(kernel) not in self._parts:
            self._parts[id(kernel)] = _Remembered(kernel.to(self._molecules))
        return self._parts[id(kernel)]

    def __getitem__(self, name: str) -> Similarity:
        return self._of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def forget(self) -> None:
        """Forgets what was last said, which is n times n numbers a part once the n molecules themselves were asked."""
        for part in self._parts.values():
            part.forget()


def _numbers(molecules: Sequence[MoleculeFeatures]) -> np.ndarray:
    return np.stack([molecule.numbers for molecule in molecules])


@lru_cache(_REMEMBERED)
def features_of_molecule(smiles: str) -> MoleculeFeatures:
    """What the kernels see of a molecule.

    Raises:
        MoleculeError: the SMILES is invalid.
    """
    require(smiles)
    return MoleculeFeatures(smiles, _Units(smiles))
