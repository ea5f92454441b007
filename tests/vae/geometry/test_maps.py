"""Exponential and logarithm maps against closed forms, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.geodesics import distance, geodesics_by_spline
from designloop.vae.geometry.maps import exponential_map, initial_velocities, logarithm_map, shoot
from designloop.vae.geometry.metric import FisherRao, metric_tensor
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.simulators.surfaces import SURFACES, sphere_place
from tests.vae.geometry.known import euclidean, half_plane, half_plane_distance, surface_metric, uniform, vae_of


def test_shooting_along_the_sphere_is_a_rotation() -> None:
    """x cos |v| + v sin |v| / |v| in space."""
    metric = surface_metric(SURFACES[0])
    z, velocity = uniform(9, [0.8, -1], [2.2, 1]), uniform(9, [-0.7, -0.7], [0.7, 0.7], seed=1)
    push = torch.autograd.functional.jvp(sphere_place, z, velocity)[1]
    far = push.norm(dim=1, keepdim=True)
    wanted = sphere_place(z) * far.cos() + push / far * far.sin()
    torch.testing.assert_close(sphere_place(exponential_map(metric, z, velocity)), wanted, rtol=0, atol=1e-7)


def test_the_order_of_the_method_is_four() -> None:
    z, velocity = uniform(5, [-1, 0.5], [1, 2]), uniform(5, [-1, -1], [1, 1], seed=1)
    exact = exponential_map(half_plane, z, velocity, steps=256)
    errors = [float((exponential_map(half_plane, z, velocity, n) - exact).abs().max()) for n in (8, 16)]
    assert 10 < errors[0] / errors[1] < 24


def test_speed_stays_and_distance_is_the_speed() -> None:
    z, velocity = uniform(5, [-1, 0.5], [1, 2]), uniform(5, [-0.5, -0.5], [0.5, 0.5], seed=1)
    path = shoot(half_plane, z, velocity, steps=200)
    assert path.shape == (5, 201, 2)
    speed = velocity.norm(dim=1) / z[:, 1]
    late = 200 * half_plane_distance(path[:, -2], path[:, -1])
    torch.testing.assert_close(late, speed, rtol=1e-5, atol=0)
    torch.testing.assert_close(half_plane_distance(z, path[:, -1]), speed, rtol=1e-6, atol=0)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_logarithm_and_exponential_undo_each_other(surface) -> None:
    metric = surface_metric(surface)
    start, end, wanted = (torch.from_numpy(array) for array in surface.pairs(6, np.random.default_rng(2)))
    velocity = logarithm_map(metric, start, end, tolerance=1e-9)
    form = metric(start, velocity.unsqueeze(1)).flatten()
    torch.testing.assert_close(form.sqrt(), wanted, rtol=1e-4, atol=0)
    landed = exponential_map(metric, start, velocity)
    assert float((surface.place(landed) - surface.place(end)).norm(dim=1).div(wanted).max()) < 2e-3


def test_the_logarithm_is_better_than_the_splines_own_velocity() -> None:
    start, end = uniform(8, [-1, 0.5], [1, 2]), uniform(8, [-1, 0.5], [1, 2], seed=1)
    result = geodesics_by_spline(half_plane, start, end, knots=8, tolerance=1e-10)
    own = result.curves.velocity(torch.zeros(1).double())[:, 0]
    miss = [
        half_plane_distance(exponential_map(half_plane, start, v, 256), end).max()
        for v in (initial_velocities(half_plane, result), own)
    ]
    assert float(miss[0]) < 0.3 * float(miss[1])


def test_in_a_flat_space_both_are_straight() -> None:
    z, other = uniform(4, [-1, -1], [1, 1]), uniform(4, [-1, -1], [1, 1], seed=1)
    torch.testing.assert_close(exponential_map(euclidean, z, other - z, 4), other)
    torch.testing.assert_close(logarithm_map(euclidean, z, other), other - z)


def test_first_variation() -> None:
    """The slope of ½ d² in its start is −G log: by finite differences of distances."""
    start, end = uniform(4, [-1, 0.5], [1, 2]), uniform(4, [-1, 0.5], [1, 2], seed=1)
    step = torch.tensor([1e-4, 0]).double()
    ahead, behind = (distance(half_plane, start + sign * step, end).square() / 2 for sign in (1, -1))
    lowered = metric_tensor(half_plane, start) @ logarithm_map(half_plane, start, end, tolerance=1e-9).unsqueeze(-1)
    torch.testing.assert_close(-lowered[:, 0, 0], (ahead - behind) / 2e-4, rtol=1e-3, atol=1e-3)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ShapeError, match=r"velocity has shape \(1, 2\), expected \(2, 2\) as z"):
        exponential_map(euclidean, torch.zeros(2, 2), torch.zeros(1, 2))
    flat = FisherRao(vae_of(lambda z: z[:, :1], Gaussian(1, 1.0, learned=False), 2))
    with pytest.raises(VAEError, match=r"the metric is singular at 2 of 2 points: the decoder does not change there"):
        exponential_map(flat, torch.zeros(2, 2).double(), torch.ones(2, 2).double())
