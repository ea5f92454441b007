"""Fréchet means and k-means where they are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.graph import points_graph
from designloop.vae.geometry.maps import logarithm_map
from designloop.vae.geometry.means import frechet_mean, k_means
from designloop.vae.geometry.metric import FisherRao
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.simulators.surfaces import SURFACES
from tests.vae.geometry.known import euclidean, half_plane, rng, surface_metric, uniform, vae_of


def test_in_a_flat_space_it_is_the_mean() -> None:
    points, weights = uniform(9, [-1, -1], [1, 1]), uniform(9, [0.1], [1])[:, 0]
    torch.testing.assert_close(frechet_mean(euclidean, points), points.mean(0), rtol=1e-6, atol=1e-6)
    wanted = weights @ points / weights.sum()
    torch.testing.assert_close(frechet_mean(euclidean, points, weights), wanted, rtol=1e-6, atol=1e-6)


def test_poisson_rates_are_averaged_as_square_roots() -> None:
    """Fisher–Rao makes √rate flat, so the mean of log rates z is 2 log mean exp(z / 2)."""
    z = uniform(12, [-1, -1], [2, 2])
    result = frechet_mean(FisherRao(vae_of(lambda point: point, Poisson(), 2)), z)
    torch.testing.assert_close(result, 2 * (z / 2).exp().mean(0).log(), rtol=1e-4, atol=1e-4)


def test_of_two_it_is_the_middle_of_their_geodesic() -> None:
    points = torch.tensor([[-1.0, 1.0], [1.0, 1.0]]).double()
    torch.testing.assert_close(
        frechet_mean(half_plane, points), torch.tensor([0.0, math.sqrt(2)]).double(), rtol=0, atol=1e-4
    )


def test_the_logarithms_of_all_points_add_up_to_nothing() -> None:
    metric = surface_metric(SURFACES[0])
    points = torch.from_numpy(SURFACES[0].pairs(10, np.random.default_rng(0))[0])
    weights = uniform(10, [0.1], [1])[:, 0]
    mean = frechet_mean(metric, points, weights)
    pull = weights @ logarithm_map(metric, mean.expand_as(points), points, tolerance=1e-9) / weights.sum()
    assert float(pull.norm()) < 2e-3
    assert float((points.mean(0) - mean).norm()) > 10 * float(pull.norm())


def test_of_one_point_it_is_the_point() -> None:
    point = torch.tensor([[0.3, 1.2]]).double()
    torch.testing.assert_close(frechet_mean(half_plane, point), point[0])


def blobs() -> torch.Tensor:
    centres = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]]).double()
    return (centres[:, None] + 0.3 * torch.randn(3, 15, 2, dtype=torch.float64, generator=rng(1))).flatten(0, 1)


def test_k_means_in_a_flat_space_is_scikit_learns() -> None:
    points = blobs()
    theirs = KMeans(3, random_state=0, n_init=4).fit(points.numpy())
    ours = k_means(euclidean, points, 3, rng())
    order = ours.centres[:, 0].argsort()
    np.testing.assert_allclose(
        ours.centres[order], theirs.cluster_centers_[theirs.cluster_centers_[:, 0].argsort()], atol=1e-5
    )
    np.testing.assert_allclose(ours.distances.square().sum(), theirs.inertia_, rtol=1e-5)
    assert len(set(zip(ours.labels.tolist(), theirs.labels_.tolist(), strict=True))) == 3


def test_k_means_is_repeated_by_its_generator() -> None:
    first, second = (k_means(half_plane, uniform(20, [-1, 0.5], [1, 2]), 3, rng(5)) for _ in range(2))
    assert torch.equal(first.centres, second.centres)


def walls(z: torch.Tensor, tangents: torch.Tensor) -> torch.Tensor:
    """Going up or down costs fifty times as much as going along."""
    return euclidean(z, tangents * torch.tensor([1.0, 50.0]).double())


def test_k_means_follows_the_metric_with_and_without_a_graph() -> None:
    """Two long rows, one above the other: the straight clusters are left and right, the metric's the rows."""
    along = torch.linspace(-2, 2, 12).double()
    points = torch.cat([torch.stack([along, torch.full_like(along, side)], -1) for side in (-0.5, 0.5)])
    wanted = {frozenset(range(12)), frozenset(range(12, 24))}
    assert {frozenset(np.flatnonzero(KMeans(2, random_state=0, n_init=4).fit(points.numpy()).labels_ == label))
            for label in (0, 1)} != wanted  # fmt: skip
    for graph in (None, points_graph(walls, points)):
        labels = k_means(walls, points, 2, rng(), graph=graph).labels
        assert {frozenset(labels.eq(label).nonzero().flatten().tolist()) for label in (0, 1)} == wanted


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ShapeError, match=r"points has shape \(0, 2\), expected \(at least 1, latent\)"):
        frechet_mean(euclidean, torch.zeros(0, 2))
    with pytest.raises(ShapeError, match=r"weights has shape \(2,\), expected \(3,\)"):
        frechet_mean(euclidean, torch.zeros(3, 2), torch.ones(2))
    with pytest.raises(VAEError, match="2 clusters of 1 different points"):
        k_means(euclidean, torch.zeros(3, 2), 2, rng())
    with pytest.raises(VAEError, match="4 clusters of 3 points"):
        k_means(euclidean, torch.zeros(3, 2), 4, rng())
