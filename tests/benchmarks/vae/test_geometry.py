"""The rows of the geometry's benchmark, made once from little."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from designloop.benchmarks.vae.methods.geometry import hole
from designloop.benchmarks.vae.methods.geometry import method as geometry
from designloop.benchmarks.vae.registry import load
from designloop.vae.simulators.ring import ring
from designloop.vae.simulators.surfaces import SURFACES, paraboloid_pairs


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, sizes in (
        (geometry, {"PAIRS": 2, "SIDE": 13, "POINTS": 100, "HIDDEN": 8, "FEATURES": 12, "REPEATS": 1}),
        (hole, {"SIDE": 13, "ROWS": 300, "STEPS": 30, "CENTRES": 8, "KNOTS": 8}),
    ):
        for name, value in sizes.items():
            monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("small")
def test_the_rows_of_a_small_run() -> None:
    lines: list[str] = []
    rows = load("geometry").run([0], lines.append)
    assert len({row.measure for row in rows}) == len(rows)
    exact = [row for row in rows if row.bar and not row.measure.startswith("ring")]
    assert len(exact) == 15
    assert all(row.holds for row in exact)
    assert sum(row.measure.startswith("ring") for row in rows) == 6
    assert len(lines) == 5
    assert not any("|" in row.measure for row in rows)  # which would end a cell of the table


def test_the_surfaces_distances_are_no_longer_than_any_curve_and_those_of_meridians_known() -> None:
    """Along a meridian the paraboloid's distance is ∫ √(1 + r²) dr; elsewhere it is below the straight chart line's."""
    start, end, distances = paraboloid_pairs(20, np.random.default_rng(0))
    for origin, target, distance in zip(start, end, distances, strict=True):
        along = target - origin

        def speed(t: float, origin: np.ndarray = origin, along: np.ndarray = along) -> float:
            return float(np.sqrt(along @ along + ((origin + t * along) @ along) ** 2))

        line, _ = quad(speed, 0, 1)
        chord = SURFACES[1].place(torch.from_numpy(np.stack([origin, target]))).diff(dim=0).norm()
        assert float(chord) < distance < line + 1e-9


def test_the_ring_is_round_and_noisy_as_asked() -> None:
    data = ring(20_000, np.random.default_rng(0), noise=0.05, thickness=0.1, features=6)
    flat = data.x @ data.frame
    radius = np.linalg.norm(flat, axis=1)
    assert radius.mean() == pytest.approx(1, abs=0.01)
    assert radius.std() == pytest.approx(np.hypot(0.1, 0.05), rel=0.03)
    np.testing.assert_allclose((data.x - flat @ data.frame.T).std(), 0.05 * np.sqrt(4 / 6), rtol=0.02)
    angle = np.arctan2(flat[:, 1], flat[:, 0]) - data.angle
    assert np.abs(np.sin(angle)).max() < 0.5
