"""Scalar fields on a periodic lattice: the free field drawn exactly, φ⁴ by hybrid Monte Carlo.

    S(φ) = Σ_x [½ Σ_μ (φ_{x+μ} − φ_x)² + ½ m² φ_x² + λ/4! φ_x⁴],    p(φ) ∝ exp(−S(φ))

The difficulty is λ: at 0 the modes are independent Gaussians of variance 1/(k̂² + m²), k̂² = Σ_μ 4 sin²(k_μ/2); the
larger it is, the less a Gaussian says. Fields are (..., *shape), shape the lattice's sides, lengths in its spacing.

Monte Carlo moves (φ, v) by H = S(φ) + ½ v·M v with M = −Δ + μ². The quadratic part turns φ and v into each other, all
modes at one speed, and is solved exactly; only what is not quadratic is a kick. So long waves move as fast as short
ones, and at λ = 0 a quarter turn is a new draw. Source: Beskos et al. 2011, "Hybrid Monte Carlo on Hilbert spaces".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.optimize import brentq

Array = NDArray[np.float64]

STEPS = 8
"""Kicks in a trajectory."""

WARM_UP = 50
"""Trajectories before the first field that is kept."""


def momenta_squared(shape: Sequence[int]) -> Array:
    """(*shape) k̂² of each mode of ``numpy.fft.fftn``, in inverse lattice spacings squared."""
    squares = [4 * np.sin(math.pi * np.arange(side) / side) ** 2 for side in shape]
    return np.asarray(sum(np.meshgrid(*squares, indexing="ij")), dtype=float)


def free_field(shape: Sequence[int], mass2: float, n: int, rng: np.random.Generator) -> Array:
    """(n, *shape) independent draws of the free field: white noise, its modes divided by √(k̂² + m²).

    Args:
        mass2: m², positive.
    """
    noise = rng.standard_normal((n, *shape))
    return _filtered(noise, 1 / np.sqrt(momenta_squared(shape) + mass2))


def phi4(
    shape: Sequence[int],
    mass2: float,
    coupling: float,
    chains: int,
    snapshots: int,
    rng: np.random.Generator,
    apart: int = 2,
) -> Array:
    """(chains, snapshots, *shape) fields of parallel Markov chains, independent of each other.

    Args:
        mass2: m²; negative for a double well, whose walls the coupling holds up.
        coupling: λ ≥ 0.
        apart: trajectories between two fields of a chain.
    """
    free_mass2 = reference_mass2(shape, mass2, coupling)
    fields = free_field(shape, free_mass2, chains, rng)
    for _ in range(WARM_UP):
        fields, _ = trajectory(fields, mass2, coupling, free_mass2, rng)
    kept = []
    for _ in range(snapshots):
        for _ in range(apart):
            fields, _ = trajectory(fields, mass2, coupling, free_mass2, rng)
        kept.append(fields)
    return np.stack(kept, 1)


def action(fields: Array, mass2: float, coupling: float) -> Array:
    """(...) S of fields (..., *shape), one leading axis."""
    axes = tuple(range(1, fields.ndim))
    square = fields * fields  # products, as numpy's powers above the second are many times slower
    density: Array = 0.5 * mass2 * square + coupling / 24 * square * square
    for axis in axes:
        density += 0.5 * (np.roll(fields, -1, axis) - fields) ** 2
    return np.asarray(density.sum(axes))


def reference_mass2(shape: Sequence[int], mass2: float, coupling: float) -> float:
    """μ² of the free field nearest to φ⁴: the gap equation μ² = m² + λ/2 ⟨φ²⟩ (Hartree), m² itself at λ = 0."""
    squares = momenta_squared(shape)
    if coupling == 0:
        return mass2

    def excess(log_mass2: float) -> float:
        value = math.exp(log_mass2)
        return value - mass2 - coupling / 2 * float(np.mean(1 / (squares + value)))

    return math.exp(float(brentq(excess, -30.0, 15.0)))


def trajectory(
    fields: Array, mass2: float, coupling: float, free_mass2: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The next field of each chain, (chains, *shape), and the energy that each trajectory gained, (chains,).

    Args:
        fields: (chains, *shape).
        mass2, coupling: of the action. free_mass2: μ² of the free field that is solved exactly.
    """
    shape = fields.shape[1:]
    unit = np.eye(math.prod(shape)).reshape(-1, *shape)
    # M⁻¹ as a matrix, which is faster than Fourier transforms up to some hundreds of sites.
    inverse = _filtered(unit, 1 / (momenta_squared(shape) + free_mass2)).reshape(len(unit), -1)

    def kick(phi: Array) -> Array:
        """Force of what is not quadratic, in the metric of M."""
        force = phi * (mass2 - free_mass2 + coupling / 6 * phi * phi)
        return (force.reshape(len(phi), -1) @ inverse).reshape(phi.shape)

    def energy(phi: Array, velocity: Array) -> Array:
        return action(phi, mass2, coupling) + action(velocity, free_mass2, 0.0)

    velocity = free_field(shape, free_mass2, len(fields), rng)
    start = energy(fields, velocity)
    turn = rng.uniform(math.pi / 4, 3 * math.pi / 4) / STEPS  # another each time, so that no mode comes full circle
    cos, sin = math.cos(turn), math.sin(turn)
    phi = fields
    velocity = velocity - 0.5 * turn * kick(phi)
    for step in range(STEPS):
        phi, velocity = cos * phi + sin * velocity, cos * velocity - sin * phi
        velocity = velocity - (turn if step < STEPS - 1 else 0.5 * turn) * kick(phi)
    gained = energy(phi, velocity) - start
    accepted = rng.random(len(fields)) < np.exp(np.minimum(-gained, 0.0))
    return np.where(accepted.reshape(-1, *[1] * len(shape)), phi, fields), gained


@dataclass(frozen=True, slots=True)
class ChainMoments:
    """Exact expectations of a φ⁴ chain (one dimension) of Φ = Σ_x φ_x and of the lowest wave."""

    sites: int
    second: float
    """⟨Φ²⟩"""
    fourth: float
    """⟨Φ⁴⟩"""
    wave: float
    """Variance of a real mode of momentum 2π/sites, normalised to length one."""
    square: float
    """⟨φ_x²⟩"""


def exact_chain(sites: int, mass2: float, coupling: float, reach: float = 6.0, points: int = 161) -> ChainMoments:
    """Expectations of φ⁴ in one dimension by its transfer matrix, to rounding: what Monte Carlo is to find.

    The field is on a grid at each site; the trapezoidal rule converges faster than any power of its spacing.

    Args:
        reach: the grid goes from −reach to reach.
        points: of the grid.
    """
    grid = np.linspace(-reach, reach, points)
    potential = 0.5 * mass2 * grid**2 + coupling / 24 * grid**4
    transfer = np.exp(-0.5 * (grid[:, None] - grid) ** 2 - 0.5 * (potential[:, None] + potential))
    transfer /= np.linalg.eigvalsh(transfer)[-1]
    # exp(h φ) at every site, as a series in h up to h⁴: the trace's coefficients are ⟨Φⁿ⟩/n!.
    site = [grid[:, None] ** n / math.factorial(n) * transfer for n in range(5)]
    series = site
    for _ in range(sites - 1):
        series = [sum((series[i] @ site[n - i] for i in range(n + 1)), np.zeros_like(transfer)) for n in range(5)]
    traces = [float(np.trace(matrix)) for matrix in series]
    powers = [np.eye(points)]
    for _ in range(sites):
        powers.append(powers[-1] @ transfer)
    pairs = [
        float(np.trace((grid[:, None] * powers[r]) @ (grid[:, None] * powers[sites - r]))) / traces[0]
        for r in range(sites)
    ]
    wave = sum(pair * math.cos(2 * math.pi * r / sites) for r, pair in enumerate(pairs))
    return ChainMoments(sites, 2 * traces[2] / traces[0], 24 * traces[4] / traces[0], wave, pairs[0])


def jackknife(chains: Array, statistic: Callable[[Array], Array], blocks: int = 20) -> tuple[Array, Array]:
    """A statistic of the mean over chains and its standard error, however correlated the fields of a chain are.

    Args:
        chains: (chains, ...) one quantity a chain: whatever was averaged along it.
        statistic: mean over chains (...) -> (...).
        blocks: chains are left out in so many groups.

    Source: Efron 1982, "The jackknife, the bootstrap and other resampling plans".
    """
    groups = [group.sum(0) for group in np.array_split(chains, blocks)]
    sizes = [len(group) for group in np.array_split(np.arange(len(chains)), blocks)]
    total, n = chains.sum(0), len(chains)
    without = np.stack([statistic((total - group) / (n - size)) for group, size in zip(groups, sizes, strict=True)])
    error: Array = np.sqrt((blocks - 1) * without.var(0))
    return np.asarray(statistic(total / n)), error


def _filtered(fields: Array, gain: Array) -> Array:
    """Fields (n, *shape) whose modes are multiplied by ``gain`` (*shape), real and even in k."""
    axes = tuple(range(1, fields.ndim))
    half = gain[..., : gain.shape[-1] // 2 + 1]
    out: Array = fft.irfftn(fft.rfftn(fields, axes=axes) * half, s=fields.shape[1:], axes=axes)
    return out
