"""Simulated photon-count images against integrals and moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import norm

from designloop.vae.simulators.emitters import Camera, emitters

CAMERA = Camera(size=6, width=1.2, background=0.6)


def test_a_spot_is_the_integral_of_a_normal_over_each_pixel() -> None:
    row, column = 2.3, 4.1
    spot = CAMERA.spots(np.array([[row, column]]))[0]
    expected, _ = dblquad(lambda v, u: norm.pdf(u, row, 1.2) * norm.pdf(v, column, 1.2), 3, 4, 5, 6)
    assert spot[3, 5] == pytest.approx(expected, rel=1e-8)
    far = Camera(size=40, width=1.2).spots(np.array([[20.0, 20.0]]))
    assert far.sum() == pytest.approx(1.0)


def test_rates_are_background_and_the_emitters_light() -> None:
    positions, fluxes = np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([100.0, 30.0])
    spots = CAMERA.spots(positions)
    np.testing.assert_allclose(CAMERA.rates(positions, fluxes), 0.6 + 100 * spots[0] + 30 * spots[1])


@pytest.mark.parametrize("mean_count", [1.0, 20.0])
def test_a_pixel_counts_as_many_photons_as_asked(mean_count: float) -> None:
    camera = Camera(size=60, width=1.0, margin=5.0)  # little light falls beside
    images = emitters(400, np.random.default_rng(0), camera, mean_count)
    assert images.counts.shape == images.rates.shape == (400, 1, 60, 60)
    assert images.rates.mean() == pytest.approx(1, rel=0.05)
    off = images.counts - mean_count * images.rates
    assert abs(off.mean()) < 5 * np.sqrt(mean_count / off.size)
    assert (off**2).mean() == pytest.approx(mean_count * images.rates.mean(), rel=0.02), "the variance is the rate"
    assert images.fluxes.mean() == pytest.approx(camera.mean_flux, rel=0.1)
    assert images.positions.min() >= 5
    assert images.positions.max() <= 55


def test_each_image_may_count_photons_of_its_own() -> None:
    images = emitters(3, np.random.default_rng(1), Camera(), np.array([0.0, 1.0, 1000.0]))
    assert images.counts[0].sum() == 0
    np.testing.assert_allclose(images.counts[2], 1000 * images.rates[2], atol=6 * np.sqrt(1000 * images.rates.max()))
    assert images.mean_counts.tolist() == [0, 1, 1000]
