"""The rows of the geometry's benchmark, made once from little."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from designloop.benchmarks import vae_methods
from designloop.benchmarks.vae_methods import geometry
from designloop.vae.simulators.ring import ring
from designloop.vae.simulators.surfaces import SURFACES, paraboloid_pairs


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("PAIRS", 2), ("SIDE", 13), ("ROWS", 300), ("STEPS", 30), ("CENTRES", 8), ("KNOTS", 8), ("POINTS", 100),
        ("HIDDEN", 8), ("FEATURES", 12), ("REPEATS", 1),
    ):  # fmt: skip
        monkeypatch.setattr(geometry, name, value)


@pytest.mark.usefixtures("small")
def test_the_rows_of_a_small_run() -> None:
    said: list[str] = []
    rows = vae_methods.load("geometry").run([0], said.append)
    assert len({row.measure for row in rows}) == len(rows)
    known = [row for row in rows if row.bar and not row.measure.startswith("ring")]
    assert len(known) == 15
    assert all(row.holds for row in known)
    assert sum(row.measure.startswith("ring") for row in rows) == 6
    assert len(said) == 5
    assert not any("|" in row.measure for row in rows)  # which would end a cell of the table


def test_the_surfaces_distances_are_no_longer_than_any_curve_and_those_of_meridians_known() -> None:
    """Along a meridian the paraboloid's distance is ∫ √(1 + r²) dr; elsewhere it is below the straight chart line's."""
    start, end, found = paraboloid_pairs(20, np.random.default_rng(0))
    for one, other, distance in zip(start, end, found, strict=True):
        along = other - one

        def speed(t: float, one: np.ndarray = one, along: np.ndarray = along) -> float:
            return float(np.sqrt(along @ along + ((one + t * along) @ along) ** 2))

        line, _ = quad(speed, 0, 1)
        chord = SURFACES[1].place(torch.from_numpy(np.stack([one, other]))).diff(dim=0).norm()
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
