"""Goals made of parts: what of a molecule counts, how its number becomes a score from 0 to 1, and the parts' mean.

A batch is parsed once, and its fingerprints are shared by the parts. Scores are numbers of Python, one molecule at a
time, so that none depends on its neighbours in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from designloop.molecules import chemistry
from designloop.oracles.chemical import parse_smarts
from designloop.oracles.pharmacophores import pharmacophores
from designloop.oracles.substructure import atom_counts, formula_scores, parse_formula

Features = Literal["ecfp4", "ecfp6", "fcfp4", "atom_pair", "pharmacophore"]
"""Circular features of radius 2 or 3, the first also by pharmacophoric role, pairs of atoms up to ten bonds apart; all
counted and not folded, without chirality. And which pairs and triples of pharmacophoric features are there (Gobbi &
Poppinger 1998)."""

Mean = Literal["geometric", "arithmetic"]

Modifier = Callable[[float], float]
"""A number of a molecule -> a score from 0 to 1."""


def unchanged(value: float) -> float:
    """The value itself."""
    return value


def clipped(full: float) -> Modifier:
    """A line from 0 at 0 to 1 at ``full``, and 1 beyond."""
    return lambda value: min(value / full, 1.0)


def bell(center: float, width: float) -> Modifier:
    """A Gaussian: 1 at the center, exp(-1/2) one width from it."""
    return lambda value: math.exp(-0.5 * ((value - center) / width) ** 2)


def at_most(limit: float, width: float) -> Modifier:
    """1 up to the limit, and half a Gaussian above it."""
    fall = bell(limit, width)
    return lambda value: fall(max(value, limit))


def at_least(limit: float, width: float) -> Modifier:
    """1 from the limit on, and half a Gaussian below it."""
    rise = bell(limit, width)
    return lambda value: rise(min(value, limit))


@cache
def _generator(features: Features) -> Any:
    if features == "atom_pair":
        return rdFingerprintGenerator.GetAtomPairGenerator(maxDistance=10)
    roles = rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if features == "fcfp4" else None
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=3 if features == "ecfp6" else 2, atomInvariantsGenerator=roles
    )


def fingerprints(mols: Sequence[Chem.Mol], features: Features) -> list[Any]:
    """(n,) RDKit's vectors, which its bulk similarity compares."""
    if features == "pharmacophore":
        return [pharmacophores(mol) for mol in mols]
    return list(_generator(features).GetSparseCountFingerprints(mols, numThreads=1)) if mols else []


@cache
def _target(smiles: str, features: Features) -> Any:
    return fingerprints([chemistry.require(smiles)], features)[0]


class Batch:
    """The valid ones of some molecules, parsed; their fingerprints are made when a part first asks for them."""

    def __init__(self, mols: Mapping[str, Chem.Mol], made: Mapping[Features, Sequence[Any]] | None = None) -> None:
        self.smiles, self.mols = list(mols), list(mols.values())
        self._made = dict(made or {})

    @classmethod
    def read(cls, smiles: Sequence[str]) -> Batch:
        """Each valid molecule once."""
        mols = {molecule: chemistry.parse_flat(molecule) for molecule in smiles}
        return cls({molecule: mol for molecule, mol in mols.items() if mol is not None})

    def fingerprints(self, features: Features) -> Sequence[Any]:
        """(n,) in the order of the molecules."""
        if features not in self._made:
            self._made[features] = fingerprints(self.mols, features)
        return self._made[features]

    def where(self, keep: Sequence[bool]) -> Batch:
        """Those of the molecules that are kept, with the fingerprints made so far."""
        if all(keep):
            return self

        def kept(items: Sequence[Any]) -> list[Any]:
            return [item for item, stays in zip(items, keep, strict=True) if stays]

        mols = dict(zip(kept(self.smiles), kept(self.mols), strict=True))
        return Batch(mols, {features: kept(vectors) for features, vectors in self._made.items()})


_AT_ONCE = 16
"""Molecules of a batch: half a megabyte, which stays near the processor while all parts look at it."""

Part = Callable[[Batch], Sequence[float]]
"""A batch of n molecules -> (n,) scores from 0 to 1."""


def likeness(target: str, features: Features, modifier: Modifier = unchanged) -> Part:
    """Tanimoto similarity to a molecule: of counts, the sum of minima over the sum of maxima."""
    return lambda batch: [
        modifier(value)
        for value in DataStructs.BulkTanimotoSimilarity(_target(target, features), batch.fingerprints(features))
    ]


def number(of: Callable[[Chem.Mol], float], modifier: Modifier = unchanged) -> Part:
    """A descriptor."""
    return lambda batch: [modifier(of(mol)) for mol in batch.mols]


_query = cache(parse_smarts)


def present(smarts: str) -> Part:
    """1 with the substructure, 0 without."""
    query = _query(smarts)
    return lambda batch: [float(mol.HasSubstructMatch(query)) for mol in batch.mols]


def absent(smarts: str) -> Part:
    """0 with the substructure, 1 without."""
    query = _query(smarts)
    return lambda batch: [float(not mol.HasSubstructMatch(query)) for mol in batch.mols]


def isomer_of(formula: str, mean: Mean = "geometric") -> Part:
    """Closeness to a formula: the mean of a Gaussian for each element (width 1) and one for all atoms (width 2)."""
    wanted = parse_formula(formula)

    def score(mol: Chem.Mol) -> float:
        atoms = atom_counts(mol)
        del atoms["*"]  # as in PyTDC; GuacaMol counts dummy atoms among all atoms
        return _MEANS[mean](formula_scores(atoms, wanted))

    return lambda batch: [score(mol) for mol in batch.mols]


def element(symbol: str) -> Callable[[Chem.Mol], float]:
    """The number of atoms of an element other than hydrogen."""
    number = Chem.GetPeriodicTable().GetAtomicNumber(symbol)
    return lambda mol: sum(atom.GetAtomicNum() == number for atom in mol.GetAtoms())


@cache
def value_of(smiles: str, descriptor: str) -> float:
    """A descriptor of a molecule that is known."""
    return float(chemistry.descriptor(descriptor)(chemistry.require(smiles)))


def mean_of(smiles: Sequence[str], *parts: Part, mean: Mean = "geometric") -> dict[str, float]:
    """Molecule -> the mean of its parts' scores; those that are no molecules have no answer.

    A molecule whose geometric mean is zero already is not asked for the remaining parts: write the costly ones last.
    """
    scores: dict[str, list[float]] = {}
    for start in range(0, len(smiles), _AT_ONCE):
        batch = Batch.read(smiles[start : start + _AT_ONCE])
        scores |= {molecule: [] for molecule in batch.smiles}
        for part in parts:
            values = part(batch)
            for molecule, value in zip(batch.smiles, values, strict=True):
                scores[molecule].append(value)
            if mean == "geometric":
                batch = batch.where([value > 0 for value in values])
    return {molecule: _MEANS[mean](values) for molecule, values in scores.items()}


def geometric_mean(values: Sequence[float]) -> float:
    """Zero where one of them is; else of the logarithms, which do not underflow."""
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0


def arithmetic_mean(values: Sequence[float]) -> float:
    """Their sum over their number."""
    return math.fsum(values) / len(values)


_MEANS: Mapping[Mean, Callable[[Sequence[float]], float]] = {
    "geometric": geometric_mean,
    "arithmetic": arithmetic_mean,
}
