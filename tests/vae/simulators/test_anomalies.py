from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from designloop.vae.simulators import anomalies
from designloop.vae.simulators.anomalies import Planted


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", ["flipped_signs", "overdispersed", "one_against_rest", "off_the_ring"])
def test_half_of_the_test_is_anomalous_and_a_seed_is_a_problem(name: str) -> None:
    make = getattr(anomalies, name)
    result: Planted = make(100, rng(), contamination=0.1)
    assert result.train.shape[0] == 100
    assert result.test.shape == (200, result.train.shape[1])
    assert result.anomalous.sum() == 100
    np.testing.assert_array_equal(make(100, rng(), contamination=0.1).test, result.test)
    assert not np.array_equal(make(100, rng(1), contamination=0.1).test, result.test)


def test_contamination_puts_anomalies_at_the_end_of_what_is_learnt_from() -> None:
    result = anomalies.off_the_ring(400, rng(), noise=0.01, contamination=0.25)
    radius = np.linalg.norm(result.train, axis=1)
    assert radius[:300].min() > 0.6
    assert radius[300:].max() < 0.6


def test_flipped_signs_show_in_no_margin_but_in_the_covariance() -> None:
    result = anomalies.flipped_signs(4000, rng(), flipped=6)
    normal, odd = result.test[~result.anomalous], result.test[result.anomalous]
    for feature in range(normal.shape[1]):
        assert ks_2samp(normal[:, feature], odd[:, feature]).pvalue > 1e-4
    assert ks_2samp(np.abs(normal).mean(1), np.abs(odd).mean(1)).pvalue > 1e-4
    apart = np.abs(np.corrcoef(normal.T) - np.corrcoef(odd.T))
    assert apart.max() > 0.3


def test_overdispersed_counts_have_the_variance_that_is_asked_for() -> None:
    """With factors on top it is more than the negative binomial's mu + mu² / r, for the abundant ones many times mu."""
    result = anomalies.overdispersed(4000, rng(), fold=4.0, dispersion=2.0)
    normal, odd = result.test[~result.anomalous], result.test[result.anomalous]
    mean = normal.mean(0)
    assert (normal == np.round(normal)).all()
    assert (normal >= 0).all()
    assert (normal.var(0) > 0.8 * (mean + mean**2 / 2.0)).all()
    ratio = odd.mean(0) / mean
    up = ratio > 2
    assert up.sum() == 6
    assert not up[20:].any()
    assert ratio[up].mean() == pytest.approx(4, rel=0.1)


def test_classes_that_are_not_apart_differ_in_their_correlations_only() -> None:
    result = anomalies.one_against_rest(4000, rng(), apart=0.0, skew=0.0)
    normal, odd = result.test[~result.anomalous], result.test[result.anomalous]
    error = 5 * result.test.std(0) / np.sqrt(4000)
    assert (np.abs(normal.mean(0) - odd.mean(0)) < 2 * error).all()
    assert np.abs(np.corrcoef(normal.T) - np.corrcoef(odd.T)).max() > 0.3


def test_anomalies_off_the_ring_are_nearer_to_the_mean_than_what_is_normal() -> None:
    result = anomalies.off_the_ring(500, rng())
    away = np.linalg.norm(result.test, axis=1)
    assert away[result.anomalous].mean() < away[~result.anomalous].mean()
