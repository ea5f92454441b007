"""Measures of generated molecules: cases that can be counted by hand, and the FCD's closed form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from rdkit import DataStructs

from designloop.molecules.chemistry import canonical, fingerprints
from designloop.molecules.errors import MoleculeError
from designloop.molecules.metrics import (
    Activations,
    chemnet,
    frechet_chemnet_distance,
    internal_diversity,
    novelty,
    uniqueness,
    validity,
)
from tests.tiny import small_molecules


def test_shares_count_molecules_without_their_stereo_marks() -> None:
    molecules = ["CCO", "OCC", "C[C@H](F)Cl", "C[C@@H](F)Cl", "c1ccccc1"]
    assert validity([*molecules, None, ""]) == 5 / 7
    assert uniqueness(molecules) == 3 / 5
    assert novelty(molecules, {"CCO"}) == 2 / 3
    assert novelty(molecules, {"CCO", "CC(F)Cl", "c1ccccc1"}) == 0


@pytest.mark.parametrize("measure", [validity, uniqueness, lambda smiles: novelty(smiles, set())])
def test_nothing_to_measure_is_told(measure) -> None:
    with pytest.raises(MoleculeError, match="found no molecules, expected at least one"):
        measure([])


def test_internal_diversity_is_the_mean_over_pairs() -> None:
    smiles = small_molecules(12)
    pairs = itertools.combinations(fingerprints(smiles), 2)
    wanted = np.mean([1 - DataStructs.TanimotoSimilarity(a, b) for a, b in pairs])
    assert internal_diversity(smiles) == pytest.approx(wanted)
    assert internal_diversity(["CCO", "CCO"]) == 0
    with pytest.raises(MoleculeError, match="found 1 molecules, expected at least two"):
        internal_diversity(["CCO"])


def test_fcd_is_the_distance_between_normals() -> None:
    """With diagonal covariances: |m - n|² + sum (s - t)² of the standard deviations."""
    rng = np.random.default_rng(0)
    m, n, s, t = rng.normal(size=(2, 6)).tolist() + rng.uniform(0.5, 2, (2, 6)).tolist()
    first, second = (Activations(np.array(a), np.diag(np.square(b))) for a, b in ((m, s), (n, t)))
    wanted = np.square(np.subtract(m, n)).sum() + np.square(np.subtract(s, t)).sum()
    assert frechet_chemnet_distance(first, second) == pytest.approx(wanted)
    assert frechet_chemnet_distance(first, first) == pytest.approx(0, abs=1e-6)


def test_fcd_is_that_of_the_package() -> None:
    from fcd import calculate_frechet_distance

    rng = np.random.default_rng(1)
    first, second = (
        Activations(rng.normal(size=8), np.cov(rng.normal(size=(8, 40)) * rng.uniform(0.2, 3, (8, 1)))) for _ in "ab"
    )
    with pytest.warns(DeprecationWarning, match="disp"):
        theirs = calculate_frechet_distance(
            mu1=first.mean, sigma1=first.covariance, mu2=second.mean, sigma2=second.covariance
        )
    assert frechet_chemnet_distance(first, second) == pytest.approx(theirs, rel=1e-8)


def test_activations_are_those_of_the_package() -> None:
    from fcd import get_predictions

    smiles = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1"]
    ours = Activations.of(["OCC", "c1cccc(O)c1", "CC(=O)Nc1ccc(O)cc1"])  # written otherwise
    with pytest.warns(DeprecationWarning, match="row_stack"):
        theirs = get_predictions(chemnet(), [canonical(molecule) for molecule in smiles], n_jobs=0, device="cpu")
    np.testing.assert_allclose(ours.mean, theirs.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.covariance, np.cov(theirs.T), rtol=1e-4, atol=1e-6)
    with pytest.raises(MoleculeError, match="found 1 molecules, expected at least two"):
        Activations.of(["CCO"])
