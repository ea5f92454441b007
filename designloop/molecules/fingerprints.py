"""Fingerprints and their similarities; without chirality, as the oracles that use them see no stereo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from rdkit import DataStructs
from rdkit.Chem import Mol, rdFingerprintGenerator, rdMolDescriptors
from rdkit.DataStructs import ExplicitBitVect

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import require
from designloop.words import did_you_mean

BITS = 2048

_GENERATORS: Mapping[str, Callable[[int], Any]] = {
    "ecfp4": lambda size: rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=size),
    "ecfp6": lambda size: rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=size),
    "fcfp4": lambda size: rdFingerprintGenerator.GetMorganGenerator(
        radius=2, fpSize=size, atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    ),
    "fcfp6": lambda size: rdFingerprintGenerator.GetMorganGenerator(
        radius=3, fpSize=size, atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    ),
    "atom_pair": lambda size: rdFingerprintGenerator.GetAtomPairGenerator(fpSize=size),
    "feature_pair": lambda size: rdFingerprintGenerator.GetAtomPairGenerator(
        fpSize=size, atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    ),
    "rdkit": lambda size: rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=size),
}

SEE_FEATURES = ("fcfp4", "fcfp6", "feature_pair")
"""The kinds whose atoms are what they do: donors, acceptors, aromatic, halogens, bases, acids."""

ACCEPTOR = 2
"""The bit of an atom that accepts hydrogen bonds."""

FINGERPRINTS: tuple[str, ...] = (*_GENERATORS, "maccs")
"""The kinds there are; all of 2,048 bits but ``maccs``, whose 167 keys are fixed."""


@lru_cache(None)
def _generator(kind: str, size: int) -> Any:
    """The one generator of a kind and size."""
    if kind not in _GENERATORS:
        hint = did_you_mean(kind, FINGERPRINTS) or "take one of these."
        raise MoleculeError(f"found fingerprint {kind!r}, expected one of {', '.join(FINGERPRINTS)}; {hint}")
    return _GENERATORS[kind](size)


def fingerprint(mol: Mol, kind: str = "ecfp4") -> ExplicitBitVect:
    """The molecule's bit vector.

    Raises:
        MoleculeError: when there is no such kind.
    """
    bits: ExplicitBitVect
    if kind == "maccs":
        bits = rdMolDescriptors.GetMACCSKeysFingerprint(mol)
    else:
        bits = _generator(kind, BITS).GetFingerprint(mol)
    return bits


def fingerprints(smiles: Sequence[str], kind: str = "ecfp4") -> list[ExplicitBitVect]:
    """One bit vector for each SMILES, in the same order.

    Raises:
        MoleculeError: when a SMILES is invalid or there is no such kind.
    """
    return [fingerprint(require(molecule), kind) for molecule in smiles]


def atom_features(mol: Mol) -> list[int]:
    """(atoms,) bits of what each atom does; most of the price of a fingerprint that sees them."""
    features: list[int] = rdMolDescriptors.GetFeatureInvariants(mol)
    return features


def count_fingerprint(
    mol: Mol, kind: str = "ecfp4", size: int = BITS, features: Sequence[int] | None = None
) -> dict[int, int]:
    """How often the molecule has each feature that it has, by the feature's folded number.

    Args:
        features: of its atoms, for the kinds that see them, where they are known; else they are looked for.

    Raises:
        MoleculeError: the kind has no counts (``maccs``) or does not exist.
    """
    known = {} if features is None else {"customAtomInvariants": features}
    counts: dict[int, int] = _generator(kind, size).GetCountFingerprint(mol, **known).GetNonzeroElements()
    return counts


def count_fingerprints(smiles: Sequence[str], kind: str = "ecfp4", size: int = BITS) -> np.ndarray:
    """Folded counts of features.

    Returns:
        (n, size) float32, in the order of ``smiles``.

    Raises:
        MoleculeError: when a SMILES is invalid, or the kind has no counts (``maccs``) or does not exist.
    """
    if kind == "maccs":
        raise MoleculeError(f"maccs keys have no counts; take one of {', '.join(_GENERATORS)}")
    generator = _generator(kind, size)
    counts = np.zeros((len(smiles), size), dtype=np.float32)
    for row, molecule in enumerate(smiles):
        counts[row] = generator.GetCountFingerprintAsNumPy(require(molecule))
    return counts


def tanimoto(query_fps: Sequence[ExplicitBitVect], reference_fps: Sequence[ExplicitBitVect]) -> np.ndarray:
    """Tanimoto similarity of each query to each reference.

    Returns:
        (queries, references) float64 in 0..1.
    """
    references = list(reference_fps)
    similarities = np.empty((len(query_fps), len(references)))
    if references:
        for row, query in enumerate(query_fps):
            similarities[row] = DataStructs.BulkTanimotoSimilarity(query, references)
    return similarities
