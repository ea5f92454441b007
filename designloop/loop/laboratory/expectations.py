"""What is expected of molecules before they are measured: by a Gaussian process a property, and by the nearest kin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from designloop.molecules.chemistry import fingerprints, tanimoto

FEWEST = 10
"""Values of a property from which something is expected of other molecules."""

Expected = Mapping[str, tuple[float, float]]
"""Property -> mean and standard deviation."""


def expected_values(values: Mapping[str, Mapping[str, float]], smiles: Sequence[str]) -> list[Expected]:
    """What is expected of each molecule, of those properties that ten molecules or more have a value of.

    The standard deviation is that of a new measurement: doubt about the molecule, and the noise among those known.

    Args:
        values: property -> molecule -> its value.
    """
    expected: list[dict[str, tuple[float, float]]] = [{} for _ in smiles]
    for name, known in values.items():
        if len(known) < FEWEST or not smiles:
            continue
        means, deviations = _predict(list(known), np.array(list(known.values())), smiles)
        for of_molecule, mean, deviation in zip(expected, means.tolist(), deviations.tolist(), strict=True):
            of_molecule[name] = (mean, deviation)
    return [*expected]


def nearest_of(smiles: Sequence[str], known: Sequence[str]) -> list[tuple[str | None, float | None]]:
    """Of each molecule the most similar one known, the first of equals, and their ECFP4 similarity."""
    if not known or not smiles:
        return [(None, None)] * len(smiles)
    similar = tanimoto(fingerprints(smiles), fingerprints(known))
    best = similar.argmax(1)
    return [(known[column], float(similar[row, column])) for row, column in enumerate(best)]


def _predict(known: Sequence[str], values: np.ndarray, smiles: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(m,) means and standard deviations for molecules, of (n,) values known of others."""
    from designloop.strategies.surrogates import fingerprint_gp as gps

    train_x, test_x = gps.count_features(known), gps.count_features(smiles)
    scale = gps.mean_square(train_x)
    centre, spread = values.mean(), max(values.std(), 1e-9)
    (gp,) = gps.FingerprintGP.fit(gps.Kernels.between(train_x, train_x, scale), ((values - centre) / spread)[:, None])
    between = gps.Kernels.between(test_x, train_x, scale)
    own = gps.Kernels(np.ones(len(test_x)), np.square(gps.counts_of(test_x)).sum(1) / scale)
    variances = np.maximum(gp.covariance(between, own), 0.0) + gp.noise * gp.variance
    return centre + spread * gp.predict(between), spread * np.sqrt(variances)
