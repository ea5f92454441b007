"""The peers and rows of denoising's benchmark, from little."""

from __future__ import annotations

import json

import numpy as np
import pytest

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae.methods.denoising import emitter_fits, filters
from designloop.benchmarks.vae.methods.denoising import method as denoising
from designloop.benchmarks.vae.methods.denoising.emitter_fits import emitter_errors, fit_emitters, true_means
from designloop.benchmarks.vae.methods.denoising.filters import best_filter, gaussian_filters, non_local_means
from designloop.benchmarks.vae.registry import load
from designloop.vae.simulators.emitters import Camera, emitters


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TRAINED", 60), ("TESTED", 4), ("CEILING", 2), ("STEPS", 2), ("DRAWS", 5), ("LEVELS", (2.0,))):
        monkeypatch.setattr(denoising, name, value)
    monkeypatch.setattr(emitter_fits, "PARTICLES", 10)
    monkeypatch.setattr(emitter_fits, "TEMPERATURES", 2)
    for name, values in (("STRENGTHS", (0.5,)), ("PATCHES", (1,)), ("REACHES", (3,)), ("SIGMAS", (0.5, 1.0))):
        monkeypatch.setattr(filters, name, values)
    lines: list[str] = []
    rows = load("denoising").run([0, 1], lines.append)
    assert len({row.measure for row in rows}) == len(rows) == 5
    assert [row.holds for row in rows].count(None) == 4
    assert json.loads(json.dumps([as_json("denoising", row) for row in rows]))


def test_non_local_means_are_the_sums_of_their_definition() -> None:
    x, h, patch, reach = np.random.default_rng(0).standard_normal((1, 7, 6)), 0.7, 1, 2
    x = x[:, :6]
    padded = np.pad(x[0], reach, mode="symmetric")
    result = non_local_means(x, h, patch, reach)
    for row, column in ((3, 3), (2, 3)):
        total, mass, largest = 0.0, 0.0, 0.0
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                if down == right == 0:
                    continue
                apart = [
                    (x[0, row + i, column + j] - padded[row + i + down + reach, column + j + right + reach]) ** 2
                    for i in (-1, 0, 1)
                    for j in (-1, 0, 1)
                ]
                weight = np.exp(-max(np.mean(apart) - 2, 0) / h**2)
                total += weight * padded[row + down + reach, column + right + reach]
                mass, largest = mass + weight, max(largest, weight)
        assert result[0, row, column] == pytest.approx((total + largest * x[0, row, column]) / (mass + largest))


def test_filters_leave_what_is_constant_and_the_best_is_chosen() -> None:
    counts = np.full((2, 8, 8), 9)
    name, answer = best_filter(counts, gaussian_filters(), lambda rates: -float(np.abs(rates - 8.83).mean()))
    assert name.startswith("σ = ")
    np.testing.assert_allclose(answer, answer[0, 0, 0])
    noisy = np.random.default_rng(1).poisson(9.0, (20, 12, 12))
    flat, _ = best_filter(noisy, gaussian_filters(), lambda rates: -float(((rates - 9) ** 2).mean()))
    assert flat == "σ = 3.0", "the widest is best where there is nothing to see"


def test_emitters_are_found_where_they_are() -> None:
    camera = Camera(size=12)
    images = emitters(40, np.random.default_rng(2), camera, 5.0)
    position, flux = emitter_errors(camera, images, images.rates[:, 0])
    assert position < 0.1, "but for the grid"
    assert flux < 0.05
    where, _ = fit_emitters(camera, images.rates[:1, 0])
    assert where.shape == (1, 2, 2)
    assert emitter_errors(camera, images, np.full((40, 12, 12), 1.0))[0] > 1


def test_the_true_models_answer_is_that_of_a_grid_for_one_emitter_of_known_flux() -> None:
    camera = Camera(size=8, emitters=1, spread=0.0, width=1.0)
    images = emitters(5, np.random.default_rng(3), camera, 0.5)
    axis = np.linspace(camera.margin, camera.size - camera.margin, 81)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 2)
    rates = camera.rates(grid, np.full((len(grid), 1), camera.mean_flux))
    expected = []
    for counts in images.counts[:, 0]:
        log_likelihood = (counts * np.log(rates) - 0.5 * rates).sum((1, 2))
        weights = np.exp(log_likelihood - log_likelihood.max())
        expected.append(np.tensordot(weights / weights.sum(), rates, 1))
    result = true_means(camera, images, np.random.default_rng(4))
    spread = np.std(rates, 0).mean()
    assert np.sqrt(((result - np.array(expected)) ** 2).mean()) < 0.15 * spread
