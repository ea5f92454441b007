"""How good a set of generated molecules is: measures that papers on generative models share.

Molecules are told apart by their canonical SMILES without stereo marks. Sources: Polykovskiy et al. 2020 (MOSES) and
Brown et al. 2019 (GuacaMol) for validity, uniqueness, novelty and internal diversity; Preuer et al. 2018 for the FCD.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from designloop.molecules.chemistry import fingerprints, tanimoto, without_stereo
from designloop.molecules.errors import MoleculeError


def validity(smiles: Sequence[str | None]) -> float:
    """Share that is a molecule; None stands for what is none, and so does an empty string."""
    return _share(bool(string) for string in smiles)


def uniqueness(smiles: Sequence[str]) -> float:
    """Number of distinct molecules over the number of all."""
    return len({without_stereo(string) for string in smiles}) / _count(smiles)


def novelty(smiles: Sequence[str], known: Collection[str]) -> float:
    """Share of the distinct molecules that are not known.

    Args:
        known: canonical SMILES without stereo marks, as ``without_stereo`` gives them.
    """
    return _share(parent not in known for parent in {without_stereo(string) for string in smiles})


def internal_diversity(smiles: Sequence[str]) -> float:
    """1 − mean ECFP4 Tanimoto similarity over all pairs of two (Benhenda 2017; MOSES' IntDiv1).

    Raises:
        MoleculeError: there are fewer than two molecules.
    """
    if len(smiles) < 2:
        raise MoleculeError(f"found {len(smiles)} molecules, expected at least two to compare")
    prints = fingerprints(smiles)
    n, total = len(prints), 0.0
    for start in range(0, n, 500):  # a part of the square at a time
        total += float(tanimoto(prints[start : start + 500], prints).sum())
    return float(1 - (total - n) / (n * (n - 1)))


@dataclass(frozen=True)
class Activations:
    """Mean and covariance of ChemNet's activations over a set of molecules."""

    mean: np.ndarray
    """(512,)"""
    covariance: np.ndarray
    """(512, 512)"""

    @classmethod
    def of(cls, smiles: Sequence[str]) -> Activations:
        """Those of molecules, written canonically first, as the network was trained on canonical SMILES.

        Raises:
            MoleculeError: fewer than two molecules, or the package ``fcd`` is not installed.
        """
        if len(smiles) < 2:
            raise MoleculeError(f"found {len(smiles)} molecules, expected at least two to have a covariance")
        try:
            from fcd import canonical_smiles, get_predictions
        except ImportError as error:
            raise MoleculeError(
                "the Fréchet ChemNet distance needs the package fcd; pip install 'designloop[benchmarks]'"
            ) from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # fcd calls numpy's row_stack,
            warnings.simplefilter("ignore", ResourceWarning)  # and leaves a temporary folder to the collector
            activations = get_predictions(chemnet(), canonical_smiles(list(smiles)), n_jobs=0, device="cpu")
        return cls(activations.mean(0), np.cov(activations.T))


def frechet_chemnet_distance(first: Activations, second: Activations) -> float:
    """FCD: the squared 2-Wasserstein distance between normals of the two sets' activations (Preuer et al. 2018).

    Small sets are far from each other for their size alone: compare with the distance of as many real molecules.
    """
    # tr sqrt(A B) = tr sqrt(sqrt(A) B sqrt(A)), of which the second is symmetric.
    values, axes = np.linalg.eigh(first.covariance)
    root = (axes * np.sqrt(values.clip(0))) @ axes.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second.covariance @ root).clip(0)).sum()
    apart = np.square(first.mean - second.mean).sum()
    return float(apart + np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared)


@lru_cache(1)
def chemnet() -> Any:
    """The network whose activations are compared, as the package ``fcd`` ships it."""
    from fcd import load_ref_model

    return load_ref_model()


def _count(items: Sequence[object]) -> int:
    if not items:
        raise MoleculeError("found no molecules, expected at least one to measure")
    return len(items)


def _share(truths: Iterable[bool]) -> float:
    answers = list(truths)
    return sum(answers) / _count(answers)
