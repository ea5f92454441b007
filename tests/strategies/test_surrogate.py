"""The Tanimoto GP against plain sums over counts, scikit-learn's GP, and its own definition of a batch."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from designloop.molecules import corpus
from designloop.molecules.chemistry import parse
from designloop.strategies.surrogate import TanimotoGP, features, tanimoto_kernel

SMILES = [corpus.zinc()[row] for row in range(0, 4000, 50)]


def test_kernel_is_min_over_max_of_counts() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    counts = np.stack([generator.GetCountFingerprintAsNumPy(parse(one)) for one in SMILES[:20]]).astype(int)
    capped = np.minimum(counts, 4)
    wanted = np.array([[np.minimum(a, b).sum() / np.maximum(a, b).sum() for b in capped] for a in capped])
    bits = features(SMILES[:20])
    np.testing.assert_allclose(tanimoto_kernel(bits, bits), wanted, rtol=1e-6)


def test_kernel_is_rdkits_where_no_count_passes_four() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    small = [one for one in SMILES if generator.GetCountFingerprintAsNumPy(parse(one)).max() <= 4]
    assert len(small) >= 5
    prints = [generator.GetCountFingerprint(parse(one)) for one in small]
    wanted = np.array([[DataStructs.TanimotoSimilarity(a, b) for b in prints] for a in prints])
    np.testing.assert_allclose(tanimoto_kernel(features(small), features(small)), wanted, rtol=1e-6)


class Fixed(Kernel):
    """Our kernel, for scikit-learn; without hyper-parameters."""

    def __init__(self, variance: float) -> None:
        self.variance = variance

    def __call__(self, X, Y=None, eval_gradient=False):
        return self.variance * tanimoto_kernel(X, X if Y is None else Y).astype(float)

    def diag(self, X):
        return np.full(len(X), self.variance)

    def is_stationary(self):
        return False


def fitted() -> tuple[TanimotoGP, np.ndarray, np.ndarray, np.ndarray]:
    bits = features(SMILES)
    scores = tanimoto_kernel(bits, bits[:1])[:, 0] + 0.05 * np.random.default_rng(0).standard_normal(len(bits))
    return TanimotoGP.fit(bits[:60], scores[:60]), bits, scores, bits[60:]


def test_posterior_is_scikit_learns() -> None:
    gp, bits, scores, new = fitted()
    other = GaussianProcessRegressor(Fixed(gp.variance), alpha=(gp.noise + 1e-8) * gp.variance, optimizer=None)
    other.fit(bits[:60], scores[:60] - gp.mean)
    mean, covariance = other.predict(new, return_cov=True)
    ours, doubt = gp.predict(new)
    np.testing.assert_allclose(ours, mean + gp.mean, atol=1e-8)
    np.testing.assert_allclose(doubt, covariance, atol=1e-8)
    evidence = other.log_marginal_likelihood()
    assert gp.log_evidence == pytest.approx(evidence, abs=1e-6)
    np.testing.assert_allclose(gp.bound(new, 1.5), ours + 1.5 * np.sqrt(np.diagonal(doubt)), atol=1e-6)


def test_mean_and_variance_maximise_the_evidence() -> None:
    gp, bits, scores, _ = fitted()
    kernel = tanimoto_kernel(bits[:60], bits[:60]).astype(float) + (gp.noise + 1e-8) * np.eye(60)

    def evidence(mean: float, variance: float) -> float:
        residual = scores[:60] - mean
        _, logdet = np.linalg.slogdet(variance * kernel)
        return float(-0.5 * (residual @ np.linalg.solve(variance * kernel, residual) + logdet + 60 * np.log(2 * np.pi)))

    best = evidence(gp.mean, gp.variance)
    assert best == pytest.approx(gp.log_evidence, abs=1e-6)
    for factor in (0.9, 1.1):
        assert evidence(gp.mean, factor * gp.variance) < best
        assert evidence(gp.mean + 0.1 * (factor - 1), gp.variance) < best


def test_picks_begin_at_the_highest_bound_and_spread() -> None:
    gp, _, _, new = fitted()
    order = list(gp.picks(new, len(new), 2.0))
    assert sorted(order) == list(range(len(new)))
    assert order[0] == int(np.argmax(gp.bound(new, 2.0)))
    # A twin of the first pick is as promising, but nothing is left to be learned of it.
    twins = np.concatenate([new, new[order[0]][None]])
    spread = list(gp.picks(twins, len(twins), 2.0))
    assert spread[0] in (order[0], len(new))
    assert spread[1] not in (order[0], len(new)) or gp.bound(new, 0.0).argmax() == order[0]


def test_what_is_not_admissible_is_passed_over_and_teaches_nothing() -> None:
    gp, _, _, new = fitted()
    first = next(gp.picks(new, len(new), 2.0))
    without = list(gp.picks(new, len(new), 2.0, lambda at: at != first))
    assert first not in without
    left = np.delete(np.arange(len(new)), first)
    assert without == [int(left[at]) for at in gp.picks(new[left], len(left), 2.0)]
