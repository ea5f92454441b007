"""Lattice fields against matrices, quadrature and the transfer matrix: what they are judged by is exact."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from designloop.vae.simulators.lattice import (
    Array,
    action,
    exact_chain,
    free_field,
    jackknife,
    momenta_squared,
    phi4,
    reference_mass2,
    trajectory,
)

SHAPES = [(6,), (7,), (3, 4), (5, 2)]


def minus_laplacian(shape: tuple[int, ...]) -> Array:
    """(sites, sites), link by link."""
    sites = list(itertools.product(*map(range, shape)))
    matrix = np.zeros((len(sites), len(sites)))
    for i, site in enumerate(sites):
        for axis, side in enumerate(shape):
            j = sites.index(tuple((c + 1) % side if a == axis else c for a, c in enumerate(site)))
            matrix[i, i] += 1
            matrix[j, j] += 1
            matrix[i, j] -= 1
            matrix[j, i] -= 1
    return matrix


@pytest.mark.parametrize("shape", SHAPES)
def test_momenta_squared_are_the_eigenvalues_of_the_laplacian(shape) -> None:
    waves = np.fft.fftn(np.eye(math.prod(shape)).reshape(-1, *shape), axes=range(1, 1 + len(shape)))
    waves = waves.reshape(len(waves), -1).T  # one row a mode
    moved = waves @ minus_laplacian(shape)
    np.testing.assert_allclose(moved, momenta_squared(shape).reshape(-1, 1) * waves, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_action_is_the_sum_over_links_and_sites(shape) -> None:
    fields = np.random.default_rng(0).standard_normal((5, *shape))
    flat = fields.reshape(5, -1)
    by_hand = 0.5 * np.einsum("ni,ij,nj->n", flat, minus_laplacian(shape) + 0.3 * np.eye(flat.shape[1]), flat)
    np.testing.assert_allclose(action(fields, 0.3, 2.0), by_hand + 2 / 24 * (flat**4).sum(1), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_free_fields_have_the_inverse_operator_as_covariance(shape) -> None:
    n = 40_000
    flat = free_field(shape, 0.5, n, np.random.default_rng(1)).reshape(n, -1)
    wanted = np.linalg.inv(minus_laplacian(shape) + 0.5 * np.eye(flat.shape[1]))
    error = np.sqrt((wanted**2 + np.outer(np.diag(wanted), np.diag(wanted))) / n)
    # At most 78 distinct entries: the chance that one is 4.5 standard errors off is 0.05 %.
    assert np.abs((flat.T @ flat / n - wanted) / error).max() < 4.5


def test_the_reference_mass_solves_the_gap_equation() -> None:
    assert reference_mass2((8,), 0.7, 0.0) == 0.7
    for mass2 in (-2.0, 0.5):
        result = reference_mass2((4, 4), mass2, 6.0)
        square = free_field((4, 4), result, 20_000, np.random.default_rng(2)) ** 2
        error = square.mean((1, 2)).std() / math.sqrt(len(square))
        assert result == pytest.approx(mass2 + 3.0 * square.mean(), abs=4 * 3.0 * error)


def test_a_free_trajectory_gains_no_energy() -> None:
    rng = np.random.default_rng(3)
    fields = free_field((4, 3), 0.5, 50, rng)
    moved, gained = trajectory(fields, 0.5, 0.0, 0.5, rng)
    np.testing.assert_allclose(gained, 0, atol=1e-11)
    assert bool((moved != fields).all())


def test_energy_is_gained_as_detailed_balance_says() -> None:
    """⟨exp(−ΔH)⟩ = 1 in equilibrium (Creutz 1988), which a force that is not the action's slope breaks."""
    rng = np.random.default_rng(4)
    fields = phi4((4, 4), -1.0, 6.0, 2000, 1, rng)[:, 0]
    free_mass2 = reference_mass2((4, 4), -1.0, 6.0)
    _, gained = trajectory(fields, -1.0, 6.0, free_mass2, rng)
    ratio = np.exp(-gained)
    assert ratio.std() > 0.01
    assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std() / math.sqrt(len(ratio)))


@pytest.mark.parametrize(("sites", "mass2", "coupling"), [(1, 0.5, 3.0), (2, -1.0, 6.0), (3, 0.3, 1.0)])
def test_the_transfer_matrix_agrees_with_quadrature(sites, mass2, coupling) -> None:
    axis = np.linspace(-5, 5, 81)
    fields = np.stack(np.meshgrid(*[axis] * sites, indexing="ij"), -1).reshape(-1, sites)
    weight = np.exp(-action(fields, mass2, coupling))
    total = fields.sum(1)
    result = exact_chain(sites, mass2, coupling, reach=5.0, points=81)
    assert result.second == pytest.approx(np.average(total**2, weights=weight), rel=1e-9)
    assert result.fourth == pytest.approx(np.average(total**4, weights=weight), rel=1e-9)
    assert result.square == pytest.approx(np.average(fields[:, 0] ** 2, weights=weight), rel=1e-9)


def test_the_transfer_matrix_of_the_free_field() -> None:
    result = exact_chain(12, 0.5, 0.0, reach=9.0, points=241)
    assert result.second == pytest.approx(12 / 0.5, rel=1e-9)
    assert result.fourth == pytest.approx(3 * (12 / 0.5) ** 2, rel=1e-9)
    assert result.wave == pytest.approx(1 / (4 * math.sin(math.pi / 12) ** 2 + 0.5), rel=1e-9)


def test_monte_carlo_of_a_chain_finds_the_transfer_matrix() -> None:
    fields = phi4((8,), -1.0, 6.0, 2000, 5, np.random.default_rng(5))
    assert fields.shape == (2000, 5, 8)
    total = fields.sum(-1)
    waves = np.abs(np.fft.fft(fields)[..., 1]) ** 2 / 8
    chains = np.stack([total**2, total**4, waves, (fields**2).mean(-1)], -1).mean(1)
    mean, error = jackknife(chains, lambda m: m)
    exact = exact_chain(8, -1.0, 6.0)
    wanted = np.array([exact.second, exact.fourth, exact.wave, exact.square])
    assert np.abs((mean - wanted) / error).max() < 4  # fails by chance in 0.03 % of seeds
    assert (error / mean).max() < 0.03


def test_monte_carlo_of_a_square_finds_what_quadrature_does() -> None:
    axis = np.linspace(-4, 4, 33)
    grid = np.stack(np.meshgrid(*[axis] * 4, indexing="ij"), -1).reshape(-1, 2, 2)
    weight = np.exp(-action(grid, -2.0, 6.0))
    fields = phi4((2, 2), -2.0, 6.0, 2000, 4, np.random.default_rng(6))
    for measure in (
        lambda f: f.sum((-1, -2)) ** 2,
        lambda f: f.sum((-1, -2)) ** 4,
        lambda f: (f[..., 0, 0] - f[..., 1, 1]) ** 2,
    ):
        mean, error = jackknife(measure(fields).mean(1), lambda m: m)
        assert float(mean) == pytest.approx(np.average(measure(grid), weights=weight), abs=4 * float(error))


def test_monte_carlo_in_two_dimensions_obeys_the_equations_of_motion() -> None:
    """⟨Φ ∂S/∂φ_x⟩ = 1 for Φ = Σφ, and ⟨φ_x ∂S/∂φ_x⟩ = 1 (Schwinger and Dyson): integration by parts."""
    mass2, coupling = -1.0, 6.0
    fields = phi4((5, 4), mass2, coupling, 1000, 5, np.random.default_rng(7))
    slope = mass2 * fields + coupling / 6 * fields**3  # of the potential
    for axis in (2, 3):
        slope += 2 * fields - np.roll(fields, 1, axis) - np.roll(fields, -1, axis)
    both = np.stack([fields.sum((2, 3)) * slope.mean((2, 3)), (fields * slope).mean((2, 3))], -1).mean(1)
    mean, error = jackknife(both, lambda m: m)
    assert np.abs((mean - 1) / error).max() < 4
    assert error.max() < 0.05


def test_fields_follow_the_generator_alone() -> None:
    first, again, other = (phi4((3, 3), 0.2, 1.0, 4, 2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(8).standard_normal((60, 2)) ** 2
    mean, error = jackknife(values, lambda m: m, blocks=60)
    np.testing.assert_allclose(mean, values.mean(0))
    np.testing.assert_allclose(error, values.std(0, ddof=1) / math.sqrt(60))
    log, log_error = jackknife(values, np.log, blocks=60)
    np.testing.assert_allclose(log, np.log(mean))
    np.testing.assert_allclose(log_error, error / mean, rtol=0.1)  # the delta method
