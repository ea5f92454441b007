"""Simulated tables and masks: what each kind of mask may depend on, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from designloop.vae.simulators.missing import mar, mcar, self_masked, surface


def test_a_surface_without_bend_is_linear_gaussian() -> None:
    flat = surface(np.random.default_rng(0), features=5, bend=0.0, noise=0.5)
    weights = flat.outer @ flat.inner
    x = flat.sample(200_000, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(x.T), weights @ weights.T + 0.25 * np.eye(5), atol=0.02)
    np.testing.assert_allclose(np.diag(weights @ weights.T), 1, atol=0.05)


def test_the_bend_is_how_far_a_surface_is_from_a_plane() -> None:
    shares = []
    for bend in (0.0, 0.5, 2.0):
        bent = surface(np.random.default_rng(0), bend=bend)
        z = np.random.default_rng(1).standard_normal((5000, 2))
        on = bent.mean(z)
        plane = z @ np.linalg.lstsq(z, on, rcond=None)[0]
        shares.append(((on - plane) ** 2).mean() / (on**2).mean())
    assert shares[0] < 1e-20
    assert 1e-3 < shares[1] < shares[2] / 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7])
def test_a_share_is_missing_and_mcar_depends_on_nothing(share: float) -> None:
    rng = np.random.default_rng(0)
    x = surface(rng).sample(20_000, rng)
    mask = mcar(x.shape, rng, share)
    assert 1 - mask.mean() == pytest.approx(share, abs=0.02)
    assert abs(np.corrcoef(x.ravel(), mask.ravel())[0, 1]) < 0.01
    assert mcar((500, 2), rng, 0.99).any(1).all(), "every row observes something"


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_mar_depends_on_what_is_observed_and_given_that_on_nothing(share: float) -> None:
    rng = np.random.default_rng(0)
    x = surface(rng).sample(40_000, rng)
    mask = mar(x, rng, share, always=1, steepness=3.0)
    assert mask[:, 0].all()
    assert 1 - mask[:, 1:].mean() == pytest.approx(share, abs=0.01)
    assert abs(np.corrcoef(x[:, 0], mask[:, 1])[0, 1]) > 0.3
    same = np.abs(x[:, 0] - np.quantile(x[:, 0], 0.5)) < 0.02  # rows alike in what is observed
    assert abs(np.corrcoef(x[same, 1], mask[same, 1])[0, 1]) < 4 / np.sqrt(same.sum())


@pytest.mark.parametrize("sign", [1, -1])
def test_self_masked_entries_hide_by_a_logistic_law_of_their_own(sign: int) -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 100_000)[:, None].repeat(3, 1)
    mask = self_masked(x, rng, threshold=0.2, steepness=4.0, sign=sign, columns=2)
    assert mask[:, 2].all()
    for column in range(2):
        shares = 1 - mask[:, column].reshape(20, -1).mean(1)
        expected = expit(sign * 4.0 * (x[:, 0] - 0.2)).reshape(20, -1).mean(1)
        np.testing.assert_allclose(shares, expected, atol=0.03)
    assert self_masked(x, rng)[:, -1].all(), "the last feature is observed unless columns says otherwise"
