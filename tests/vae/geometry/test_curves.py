"""Splines against scipy's, lengths and energies against closed forms and scipy's quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.interpolate import CubicSpline

from designloop.vae.errors import ShapeError
from designloop.vae.geometry.curves import Spline, energy, length, segment_lengths, speed, straight, through
from tests.vae.geometry.known import euclidean, half_plane, rng


def test_a_spline_is_scipys() -> None:
    knots = torch.randn(3, 7, 2, dtype=torch.float64, generator=rng())
    t = torch.linspace(0, 1, 23, dtype=torch.float64)
    for row, points, velocities in zip(knots, Spline(knots)(t), Spline(knots).velocity(t), strict=True):
        theirs = CubicSpline(np.linspace(0, 1, 7), row.numpy())
        np.testing.assert_allclose(points, theirs(t.numpy()), atol=1e-12)
        np.testing.assert_allclose(velocities, theirs(t.numpy(), 1), atol=1e-11)


def test_length_and_energy_of_a_circle() -> None:
    """2π, and 2π² at constant speed; sixty-five knots bend a circle to better than 1e-6."""
    angle = 2 * math.pi * torch.linspace(0, 1, 65, dtype=torch.float64)
    circle = Spline(torch.stack([angle.cos(), angle.sin()], -1)[None])
    assert float(length(euclidean, circle)) == pytest.approx(2 * math.pi, rel=1e-6)
    assert float(energy(euclidean, circle)) == pytest.approx(2 * math.pi**2, rel=1e-6)


def test_length_and_energy_under_a_metric_against_scipys_quadrature() -> None:
    start, end = torch.tensor([[0.0, 1.0]]).double(), torch.tensor([[1.0, 3.0]]).double()
    line = straight(start, end)
    assert float(length(half_plane, line)) == pytest.approx(math.sqrt(5) * math.log(3) / 2, rel=1e-9)
    wanted, _ = quad(lambda t: 0.5 * 5 / (1 + 2 * t) ** 2, 0, 1)
    assert float(energy(half_plane, line)) == pytest.approx(wanted, rel=1e-9)
    assert float(segment_lengths(half_plane, start, end, nodes=8)) == pytest.approx(
        math.sqrt(5) * math.log(3) / 2, rel=1e-7
    )
    result = speed(half_plane, line, torch.tensor([0.0, 1.0]).double())
    torch.testing.assert_close(result, torch.tensor([[1.0, 1 / 3]]).double() * math.sqrt(5))


def test_energy_is_at_least_half_the_square_of_the_length() -> None:
    knots = torch.rand(20, 8, 2, dtype=torch.float64, generator=rng()) + 0.5
    slack = 2 * energy(half_plane, Spline(knots)) / length(half_plane, Spline(knots)).square()
    assert float(slack.min()) > 1


def test_a_spline_through_a_path_has_its_knots_at_equal_steps_of_the_length() -> None:
    corner = torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]]).double()
    knots = through([corner, corner.flip(0)], 9).knots
    torch.testing.assert_close(knots[0], knots[1].flip(0))
    torch.testing.assert_close(knots[0, :, 0], torch.linspace(0, 4, 9).double().clamp_max(3))
    up = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 4.0]]).double()  # each doubling has one length
    middle = through([up], 5, metric=half_plane).knots[0, 2, 1]
    assert float(middle) == pytest.approx(2, rel=1e-4)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ShapeError, match=r"knots has shape \(1, 3, 2\), expected \(curves, at least 4, latent\)"):
        Spline(torch.zeros(1, 3, 2))
    with pytest.raises(ShapeError, match=r"end has shape \(2, 2\), expected \(1, 2\) as start"):
        straight(torch.zeros(1, 2), torch.zeros(2, 2))
    with pytest.raises(ShapeError, match=r"paths has shape \(1, 2\), expected \(at least 2, latent\) each"):
        through([torch.zeros(1, 2)])
