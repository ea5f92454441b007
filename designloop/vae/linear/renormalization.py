"""Renormalization: what a linear VAE keeps of a lattice field, and the couplings of what it keeps.

A field whose law is the same at every site has waves as the eigenvectors of its covariance, and PPCA keeps those of
greatest variance: the longest. The number of units is a momentum cut-off, and leaving out the rest is the
coarse-graining of the renormalization group. With q a whole number of shells (waves of one k̂²) the kept modes'
two-point function is

    G(k) = Z / (k̂² + m_R²),      k̂² = Σ_μ 4 sin²(k_μ/2)

for long waves, exactly so with Z = 1 and m_R = m for the free field, whose modes are independent. What interacts has a
fourth cumulant too, g_R = −⟨Φ⁴⟩_c/⟨Φ²⟩² V m_R^D for Φ = Σ_x φ_x on V sites. The reduced fields keep it; a linear VAE's
own samples are Gaussian, and have none.

Fields are rows (batch, sites), the sites of a lattice of some shape in C order; lengths in its spacing.

Sources: Wilson & Kogut 1974; Bradde & Bialek 2017, "PCA meets RG"; Montvay & Münster 1994, "Quantum fields on a
lattice" (the second-moment mass and g_R).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.linear.linear_gaussian import LinearGaussian


@dataclass(frozen=True, slots=True)
class Waves:
    """The waves of a periodic lattice, an orthonormal basis of its fields, longest first."""

    basis: Tensor
    """(sites, sites) one wave a column."""
    momentum2: Tensor
    """(sites,) k̂² of each, ascending."""

    @property
    def shells(self) -> list[slice]:
        """The waves of each k̂², the longest first; q = ``shells[i].stop`` units keep whole shells."""
        values = self.momentum2.tolist()
        starts = [i for i, value in enumerate(values) if i == 0 or value - values[i - 1] > 1e-9]
        return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(values)], strict=True)]


def waves(shape: Sequence[int], dtype: torch.dtype = torch.float64) -> Waves:
    """All waves of a lattice: cos + sin of k·x, real and orthonormal (the Hartley transform).

    Args:
        shape: sides of the lattice.
    """
    sides = [torch.arange(side, dtype=torch.float64) for side in shape]
    places = torch.stack([grid.flatten() for grid in torch.meshgrid(*sides, indexing="ij")], -1)  # (sites, dimensions)
    momenta = 2 * math.pi * places / torch.tensor(shape, dtype=torch.float64)
    momentum2 = (4 * (momenta / 2).sin().square()).sum(-1)
    order = momentum2.sort(stable=True).indices
    phase = places @ momenta[order].T
    basis = (phase.cos() + phase.sin()) / math.sqrt(len(places))
    return Waves(basis.to(dtype), momentum2[order].to(dtype))


def power_below(model: LinearGaussian, modes: Waves) -> Tensor:
    """() the least share of its power that any kept direction has in as many longest waves as there are units.

    1 where the model keeps exactly those; the squared cosine of the largest angle between the two subspaces.

    Raises:
        ShapeError: the model's rows are not fields of that lattice.
        VAEError: the units end within a shell, so that which waves are kept is left to chance.
    """
    units = _cutoff(model, modes)
    directions: Tensor = torch.linalg.qr(model.weights).Q
    cosines: Tensor = torch.linalg.svdvals(modes.basis[:, :units].T @ directions)
    return cosines[-1].square()


def kept_variances(model: LinearGaussian, modes: Waves) -> tuple[Tensor, Tensor]:
    """k̂² of each kept shell and the model's variance of its waves, their mean; (shells,) both.

    Arguments and errors as ``power_below``.
    """
    units = _cutoff(model, modes)
    shells = [shell for shell in modes.shells if shell.stop <= units]
    basis = modes.basis[:, :units]
    variances = ((basis.T @ model.weights).square()).sum(1) + (basis.square() * model.variance.unsqueeze(-1)).sum(0)
    return modes.momentum2[[shell.start for shell in shells]], torch.stack(
        [variances[shell].mean() for shell in shells]
    )


def project_fields(model: LinearGaussian, fields: Tensor) -> Tensor:
    """(batch, sites) fields projected on the kept directions, about the model's mean.

    Raises:
        ShapeError: fields are not rows of as many sites as the model's.
    """
    if fields.ndim != 2 or fields.shape[1] != len(model.weights):
        raise ShapeError(
            "fields", fields.shape, f"(batch, {len(model.weights)})", "flatten the lattice, one row a field"
        )
    directions = torch.linalg.qr(model.weights).Q
    kept: Tensor = (fields - model.offset) @ directions @ directions.T
    return model.offset + kept


def renormalise(momentum2: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Squared renormalised mass m_R² and field normalisation Z of a two-point function, by its two longest shells.

    Args:
        momentum2: (shells,) k̂², the first 0.
        variance: (shells, …) G.

    Raises:
        VAEError: there are no two shells, or G does not fall from the first to the second.
    """
    if len(momentum2) < 2 or not bool((variance[0] > variance[1]).all()):
        raise VAEError(
            f"the two-point function is {variance.tolist()} at k̂² {momentum2.tolist()}, expected two shells or more "
            "and a fall from the first to the second; keep more units or draw more fields"
        )
    mass2 = (momentum2[1] - momentum2[0]) / (variance[0] / variance[1] - 1)
    return mass2, mass2 * variance[0]


def binder(second: Tensor, fourth: Tensor) -> Tensor:
    """Binder's cumulant 1 − ⟨Φ⁴⟩/(3⟨Φ²⟩²): 0 for a Gaussian, 2/3 for two values of either sign."""
    return 1 - fourth / (3 * second.square())


def coupling(cumulant: Tensor, mass2: Tensor, shape: Sequence[int]) -> Tensor:
    """Renormalised four-point coupling g_R = 3 U V m_R^D of a Binder cumulant U, without unit.

    Args:
        mass2: m_R².
        shape: sides of the lattice: V sites in D dimensions.
    """
    return 3 * cumulant * math.prod(shape) * mass2 ** (len(shape) / 2)


def _cutoff(model: LinearGaussian, modes: Waves) -> int:
    """Units of a model that keeps whole shells of this lattice."""
    sites, units = model.weights.shape
    if sites != len(modes.momentum2):
        raise ShapeError(
            "weights", model.weights.shape, f"({len(modes.momentum2)}, latent)", "give that lattice's waves"
        )
    whole = [shell.stop for shell in modes.shells]
    if units not in whole:
        raise VAEError(f"the model has {units} units, which end within a shell; keep one of {whole}")
    return units
