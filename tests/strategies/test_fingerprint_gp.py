"""The GP on fingerprints against plain sums over counts, scikit-learn's GP, and refits that leave one out."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from designloop.molecules import corpus
from designloop.molecules.chemistry import parse, parse_all
from designloop.strategies.surrogates.fingerprint_gp import (
    FingerprintGP,
    Kernels,
    count_features,
    counts_of,
    covariances_of,
    mean_square,
    tanimoto_kernel,
)

SMILES = [corpus.zinc()[row] for row in range(0, 4000, 50)]


def test_kernel_is_min_over_max_of_counts() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    counts = np.stack([generator.GetCountFingerprintAsNumPy(parse(text)) for text in SMILES[:20]]).astype(int)
    capped = np.minimum(counts, 4)
    wanted = np.array([[np.minimum(a, b).sum() / np.maximum(a, b).sum() for b in capped] for a in capped])
    rows = count_features(SMILES[:20])
    np.testing.assert_allclose(tanimoto_kernel(rows, rows), wanted, rtol=1e-6)


def test_kernel_is_rdkits_where_no_count_passes_four() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    small = [text for text in SMILES if generator.GetCountFingerprintAsNumPy(parse(text)).max() <= 4]
    assert len(small) >= 5
    prints = [generator.GetCountFingerprint(parse(text)) for text in small]
    wanted = np.array([[DataStructs.TanimotoSimilarity(a, b) for b in prints] for a in prints])
    np.testing.assert_allclose(tanimoto_kernel(count_features(small), count_features(small)), wanted, rtol=1e-6)


def test_counts_come_back_from_the_bits() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    counts = np.stack([generator.GetCountFingerprintAsNumPy(parse(text)) for text in SMILES[:20]]).astype(int)
    np.testing.assert_array_equal(counts_of(count_features(SMILES[:20])), np.minimum(counts, 4))
    kernels = Kernels.between(count_features(SMILES[:20]), count_features(SMILES[:5]), 2.0)
    wanted = np.minimum(counts, 4) @ np.minimum(counts[:5], 4).T / 2.0
    np.testing.assert_allclose(kernels.linear, wanted)


class Fixed(Kernel):
    """Our kernel, for scikit-learn; without hyper-parameters."""

    def __init__(self, variance: float, linear: float, linear_scale: float) -> None:
        self.variance, self.linear, self.linear_scale = variance, linear, linear_scale

    def __call__(self, X, Y=None, eval_gradient=False):
        return self.variance * Kernels.between(X, X if Y is None else Y, self.linear_scale).weighted(self.linear)

    def diag(self, X):
        return np.diagonal(self(X))

    def is_stationary(self):
        return False


BITS = count_features(SMILES)
TRAIN, NEW = BITS[:60], BITS[60:]
PER = mean_square(TRAIN)
OWN = Kernels.between(TRAIN, TRAIN, PER)
WEIGHTS = np.array([mol.GetNumHeavyAtoms() for mol in parse_all(SMILES) if mol is not None]).astype(np.float64)
TARGETS = np.column_stack(
    [
        tanimoto_kernel(BITS, BITS[:1])[:, 0] + 0.05 * np.random.default_rng(0).standard_normal(len(BITS)),
        (WEIGHTS - WEIGHTS.mean()) / WEIGHTS.std(),
    ]
)


def fitted() -> list[FingerprintGP]:
    return FingerprintGP.fit(OWN, TARGETS[:60])


@pytest.mark.parametrize("k", [0, 1])
def test_posterior_is_scikit_learns(k: int) -> None:
    gp = fitted()[k]
    kernel = Fixed(gp.variance, gp.linear, PER)
    other = GaussianProcessRegressor(kernel, alpha=(gp.noise + 1e-8) * gp.variance, optimizer=None)
    other.fit(TRAIN, TARGETS[:60, k] - gp.mean)
    mean, covariance = other.predict(NEW, return_cov=True)
    k_test_train, k_test = Kernels.between(NEW, TRAIN, PER), Kernels.between(NEW, NEW, PER)
    np.testing.assert_allclose(gp.predict(k_test_train), mean + gp.mean, atol=1e-7)
    np.testing.assert_allclose(gp.covariance(k_test_train, k_test), covariance, atol=1e-7)
    diagonals = Kernels(np.diagonal(k_test.tanimoto), np.diagonal(k_test.linear))
    np.testing.assert_allclose(gp.covariance(k_test_train, diagonals), np.diagonal(covariance), atol=1e-7)
    assert gp.log_evidence == pytest.approx(other.log_marginal_likelihood(), abs=1e-6)


@pytest.mark.parametrize("k", [0, 1])
def test_mean_and_variance_maximise_the_evidence(k: int) -> None:
    gp = fitted()[k]
    kernel = OWN.weighted(gp.linear) + (gp.noise + 1e-8) * np.eye(60)

    def evidence(mean: float, variance: float) -> float:
        residual = TARGETS[:60, k] - mean
        _, logdet = np.linalg.slogdet(variance * kernel)
        return float(-0.5 * (residual @ np.linalg.solve(variance * kernel, residual) + logdet + 60 * np.log(2 * np.pi)))

    best = evidence(gp.mean, gp.variance)
    assert best == pytest.approx(gp.log_evidence, abs=1e-6)
    for factor in (0.9, 1.1):
        assert evidence(gp.mean, factor * gp.variance) < best
        assert evidence(gp.mean + 0.1 * (factor - 1), gp.variance) < best


def test_what_groups_add_up_to_is_found_linear() -> None:
    """Kin alone say little of the heavy atoms of a molecule that has none among those seen."""
    of_sums = fitted()[1]
    assert of_sums.linear > 0
    alone = FingerprintGP.fit(Kernels(OWN.tanimoto, np.zeros_like(OWN.linear)), TARGETS[:60, 1:])[0]
    k_test_train = Kernels.between(NEW, TRAIN, PER)
    left = [np.square(gp.predict(k_test_train) - TARGETS[60:, 1]).mean() for gp in (of_sums, alone)]
    assert left[0] < 0.7 * left[1]
    assert of_sums.log_evidence > alone.log_evidence


@pytest.mark.parametrize("k", [0, 1])
def test_left_out_is_what_a_fit_without_the_molecule_says(k: int) -> None:
    gp = fitted()[k]
    predicted = gp.leave_one_out(TARGETS[:60, k])
    for row in (0, 17, 59):
        rest = np.delete(np.arange(60), row)
        kernel = OWN.weighted(gp.linear)
        solved = np.linalg.solve(
            kernel[np.ix_(rest, rest)] + (gp.noise + 1e-8) * np.eye(59), TARGETS[rest, k] - gp.mean
        )
        assert predicted[row] == pytest.approx(gp.mean + kernel[row, rest] @ solved, abs=1e-7)


def test_covariances_of_several_are_those_of_each() -> None:
    k_test_train, k_test = Kernels.between(NEW, TRAIN, PER), Kernels.between(NEW, NEW, PER)
    gps = FingerprintGP.fit(OWN, np.column_stack([TARGETS[:60], 3 * TARGETS[:60, 0] + 1]))
    assert (gps[0].linear, gps[0].noise) == (gps[2].linear, gps[2].noise)
    for gp, covariance in zip(gps, covariances_of(gps, k_test_train, k_test), strict=True):
        np.testing.assert_allclose(covariance, gp.covariance(k_test_train, k_test), atol=1e-12)
