"""Waves, shells and couplings against Fourier transforms, exact free fields and a chain's transfer matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.linear.linear_gaussian import LinearGaussian, ppca
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.linear.renormalization import (
    binder,
    coupling,
    kept_variances,
    power_below,
    project_fields,
    renormalise,
    waves,
)
from designloop.vae.simulators.lattice import exact_chain, free_field, momenta_squared, phi4

SHAPES = [(6,), (7,), (4, 4), (3, 5), (2, 3, 4)]


def covariance_of(shape: tuple[int, ...], mass2: float) -> Tensor:
    """(sites, sites) of the free field, through numpy's Fourier transform."""
    unit = np.eye(math.prod(shape)).reshape(-1, *shape)
    axes = tuple(range(1, 1 + len(shape)))
    dense = np.fft.ifftn(np.fft.fftn(unit, axes=axes) / (momenta_squared(shape) + mass2), axes=axes)
    return torch.from_numpy(dense.real.reshape(len(unit), -1).copy())


def fitted_to(covariance: Tensor, latent: int) -> LinearGaussian:
    """PPCA of data whose covariance is exactly this."""
    root = torch.linalg.cholesky(covariance).T * math.sqrt(len(covariance))
    return ppca(torch.cat([root, -root]), latent)


@pytest.mark.parametrize("shape", SHAPES)
def test_waves_are_an_orthonormal_basis_that_diagonalises_a_field(shape) -> None:
    modes = waves(shape)
    sites = math.prod(shape)
    torch.testing.assert_close(modes.basis.T @ modes.basis, torch.eye(sites, dtype=torch.float64), rtol=0, atol=1e-12)
    np.testing.assert_allclose(modes.momentum2, np.sort(momenta_squared(shape).flatten()), atol=1e-12)
    result = modes.basis.T @ covariance_of(shape, 0.7) @ modes.basis
    torch.testing.assert_close(result, torch.diag(1 / (modes.momentum2 + 0.7)), rtol=0, atol=1e-12)


def test_shells_are_the_waves_of_one_length() -> None:
    assert [(shell.start, shell.stop) for shell in waves((5,)).shells] == [(0, 1), (1, 3), (3, 5)]
    assert [(shell.start, shell.stop) for shell in waves((6,)).shells] == [(0, 1), (1, 3), (3, 5), (5, 6)]
    assert [shell.stop for shell in waves((4, 4)).shells] == [1, 5, 11, 15, 16]


@pytest.mark.parametrize(("shape", "units"), [((8,), 3), ((6, 6), 5), ((6, 6), 9), ((3, 5), 3)])
def test_ppca_keeps_the_longest_waves_and_their_variances(shape, units) -> None:
    model = fitted_to(covariance_of(shape, 0.5), units)
    modes = waves(shape)
    assert float(power_below(model, modes)) == pytest.approx(1, abs=1e-9)
    momentum2, variance = kept_variances(model, modes)
    torch.testing.assert_close(variance, 1 / (momentum2 + 0.5))
    assert float(model.variance) == pytest.approx(float((1 / (modes.momentum2[units:] + 0.5)).mean()))
    mass2, normalisation = renormalise(momentum2, variance)
    assert float(mass2) == pytest.approx(0.5)
    assert float(normalisation) == pytest.approx(1)


def test_power_below_tells_how_far_a_direction_is_turned() -> None:
    modes = waves((8,))
    for angle in (0.0, 0.1, 1.0):
        turned = math.cos(angle) * modes.basis[:, 1] + math.sin(angle) * modes.basis[:, 5]
        weights = torch.stack([modes.basis[:, 0], turned, modes.basis[:, 2]], 1) @ torch.tensor(
            [[1.0, 2, 0], [0, 1, 1], [3, 0, 1]], dtype=torch.float64
        )
        model = LinearGaussian(weights, torch.zeros(8).double(), torch.ones(1).double())
        assert float(power_below(model, modes)) == pytest.approx(math.cos(angle) ** 2)


def test_variances_of_waves_are_those_of_the_models_covariance() -> None:
    weights = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.rand(8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    modes = waves((8,))
    for variance in (noise, noise[:1]):
        model = LinearGaussian(weights, torch.zeros(8).double(), variance)
        variances = (modes.basis.T @ model.covariance @ modes.basis).diagonal()
        torch.testing.assert_close(kept_variances(model, modes)[1], torch.stack([variances[0], variances[1:3].mean()]))


def test_reduced_fields_are_low_pass_filtered() -> None:
    shape = (6, 6)
    model = fitted_to(covariance_of(shape, 0.5), 5)
    fields = free_field(shape, 0.5, 20, np.random.default_rng(0))
    transformed = np.fft.fftn(fields, axes=(1, 2))
    transformed[:, momenta_squared(shape) > 1.01] = 0
    wanted = np.fft.ifftn(transformed, axes=(1, 2)).real.reshape(20, -1)
    result = project_fields(model, torch.from_numpy(fields.reshape(20, -1)))
    np.testing.assert_allclose(result, wanted, atol=1e-9)
    shifted = LinearGaussian(model.weights, model.offset + 3, model.variance)
    again = project_fields(shifted, torch.from_numpy(fields.reshape(20, -1)) + 3)
    torch.testing.assert_close(again, result + 3)


def test_free_fields_drawn_give_the_free_propagator() -> None:
    """60,000 fields of the lattice: every kept shell within 4 standard errors, √(2 / (n · degeneracy)) each."""
    shape, n = (4, 4), 60_000
    fields = torch.from_numpy(free_field(shape, 0.5, n, np.random.default_rng(1)).reshape(n, -1))
    model, modes = ppca(fields, 5), waves(shape)
    assert float(power_below(model, modes)) > 0.99
    momentum2, variance = kept_variances(model, modes)
    ratio = variance * (momentum2 + 0.5)
    for value, degeneracy in zip(ratio.tolist(), (1, 4), strict=True):
        assert value == pytest.approx(1, abs=4 * math.sqrt(2 / n / degeneracy))


def test_couplings_of_a_chain_are_those_of_its_transfer_matrix_and_a_linear_vae_has_none() -> None:
    shape, mass2, strength = (8,), -1.5, 6.0
    exact = exact_chain(8, mass2, strength)
    fields = phi4(shape, mass2, strength, 1500, 8, np.random.default_rng(2)).reshape(-1, 8)
    model = ppca(torch.from_numpy(fields), 3)
    found_mass2, found_z = renormalise(*kept_variances(model, waves(shape)))
    second = torch.tensor([exact.second / 8, exact.wave], dtype=torch.float64)
    wanted_mass2, wanted_z = renormalise(waves(shape).momentum2[:2], second)
    assert float(found_mass2) == pytest.approx(float(wanted_mass2), rel=0.1)
    assert float(found_z) == pytest.approx(float(wanted_z), rel=0.1)

    def cumulant(rows: Tensor) -> Tensor:
        total = rows.sum(1)
        return binder(total.square().mean(), total.pow(4).mean())

    wanted = 1 - exact.fourth / (3 * exact.second**2)
    assert wanted > 0.2
    assert float(cumulant(project_fields(model, torch.from_numpy(fields)))) == pytest.approx(wanted, rel=0.1)
    drawn = as_vae(model).sample(40_000, generator=torch.Generator().manual_seed(3))
    assert float(cumulant(drawn)) == pytest.approx(0, abs=4 * math.sqrt(24 / 40_000) / 3)


def test_cumulants_and_couplings_of_known_fields() -> None:
    unit = torch.tensor(1.0, dtype=torch.float64)
    assert float(binder(2 * unit, 3 * (2 * unit) ** 2)) == 0
    assert float(binder(unit, unit)) == pytest.approx(2 / 3)
    assert float(coupling(unit * 0.2, unit * 0.25, (16,))) == pytest.approx(3 * 0.2 * 16 * 0.5)
    assert float(coupling(unit * 0.2, unit * 0.25, (8, 6))) == pytest.approx(3 * 0.2 * 48 * 0.25)


def test_what_cannot_be_is_told() -> None:
    modes = waves((4, 4))
    model = fitted_to(covariance_of((4, 4), 0.5), 3)
    with pytest.raises(
        VAEError, match=r"the model has 3 units, which end within a shell; keep one of \[1, 5, 11, 15, 16"
    ):
        power_below(model, modes)
    with pytest.raises(ShapeError, match=r"weights has shape \(16, 3\), expected \(9, latent\)"):
        kept_variances(model, waves((3, 3)))
    with pytest.raises(ShapeError, match=r"fields has shape \(2, 4, 4\), expected \(batch, 16\)"):
        project_fields(model, torch.zeros(2, 4, 4))
    for variance in ([1.0], [1.0, 2.0]):
        with pytest.raises(VAEError, match="expected two shells or more and a fall"):
            renormalise(modes.momentum2[: len(variance)], torch.tensor(variance))
