"""Bars of linear VAEs on lattice fields: the free field's modes, and what φ⁴'s kept modes say of its couplings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from designloop.benchmarks.common.rows import Row
from designloop.vae.linear.linear_gaussian import ppca
from designloop.vae.linear.linear_vae import as_vae, linear_gaussian_of, untrained_vae
from designloop.vae.linear.renormalization import (
    binder,
    coupling,
    kept_variances,
    power_below,
    project_fields,
    renormalise,
    waves,
)
from designloop.vae.model import VAE
from designloop.vae.simulators.lattice import Array, exact_chain, free_field, jackknife, momenta_squared, phi4

FREE = {(32,): 7, (8, 8): 9}
"""Lattice of the free field -> units that are kept: the constant and whole shells of waves."""

FREE_MASS2 = 0.25
FREE_FIELDS = 100_000

INTERACTING = {(16,): (-2.0, 6.0, 5), (8, 8): (-1.0, 6.0, 9)}
"""Lattice of φ⁴ -> m², λ and units; the Binder cumulant is about 1/3, halfway between a Gaussian and two wells."""

CHAINS, SNAPSHOTS = 2000, 25
"""Of each Monte Carlo run: 50,000 fields. One run is learnt from, another is what the answer is compared with."""

BLOCKS = 20
COUPLING = 3
NAMES = ("renormalised mass m_R", "field normalisation Z", "Binder cumulant", "coupling g_R")


def free_rows(seeds: Sequence[int], some: Sequence[int], train: Callable[[VAE, Tensor, int], VAE]) -> Iterator[Row]:
    """The free field: marginalising is exact, so that the kept modes keep their variances 1/(k̂² + m²)."""
    for shape, units in FREE.items():
        sites = math.prod(shape)
        modes = waves(shape)
        for kind in ("PPCA", "trained"):
            used = seeds if kind == "PPCA" else some
            powers, errors = [], []
            for seed in used:
                drawn = free_field(shape, FREE_MASS2, FREE_FIELDS, np.random.default_rng(seed))
                fields = torch.from_numpy(drawn.reshape(-1, sites))
                if kind == "PPCA":
                    model = ppca(fields, units)
                else:
                    start = untrained_vae(sites, units, torch.Generator().manual_seed(seed), dtype=torch.float64)
                    model = linear_gaussian_of(train(start, fields, seed))
                powers.append(float(power_below(model, modes)))
                momentum2, variance = kept_variances(model, modes)
                errors.append(float((variance * (momentum2 + FREE_MASS2) - 1).abs().max()))
            what = f"free field {_name(shape)}, q = {units}, {kind}"
            least, most = min(powers), max(errors)
            yield Row(f"{what}: least share of a kept direction's power below the cut-off", "≥ 0.99", least, None,
                      len(used), least >= 0.99)  # fmt: skip
            # The constant mode is alone in its shell, and its variance has the greatest standard error.
            yield Row(f"{what}: error of a kept shell's variance 1/(k̂² + m²), greatest, relative", "≤ 0.02", most,
                      math.sqrt(2 / FREE_FIELDS), len(used), most <= 0.02)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed of φ⁴: each a value and its standard error for every name of ``NAMES``."""

    kept: Array
    """(2, 4) of the modes that a linear VAE keeps of one Monte Carlo run."""
    own: Array
    """(2, 4) straight from another run."""
    drawn: Array
    """(2, 4) of the linear VAE's own samples."""
    power: float
    """Least share of a kept direction's power below the cut-off."""


def compared(shape: tuple[int, ...], seed: int) -> Compared:
    """Two Monte Carlo runs, a linear VAE that learns from the first, and what each says."""
    mass2, strength, units = INTERACTING[shape]
    learnt, other = (
        phi4(shape, mass2, strength, CHAINS, SNAPSHOTS, np.random.default_rng([seed, part])) for part in (0, 1)
    )
    rows = torch.from_numpy(learnt.reshape(CHAINS * SNAPSHOTS, -1))
    model = ppca(rows, units)
    drawn = as_vae(model).sample(len(rows), generator=torch.Generator().manual_seed(seed))
    return Compared(
        kept=_jackknifed(rows, shape, units),
        own=of_fields(other),
        drawn=_jackknifed(drawn, shape, units),
        power=float(power_below(model, waves(shape))),
    )


def interacting_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """φ⁴: what the modes that a linear VAE keeps say, against Monte Carlo's own on other fields."""
    for shape, (mass2, strength, units) in INTERACTING.items():
        runs = [compared(shape, seed) for seed in seeds]
        kept, own, drawn = (np.stack([getattr(one, name) for one in runs]) for name in ("kept", "own", "drawn"))
        what = f"φ⁴ {_name(shape)}, m² = {mass2:g}, λ = {strength:g}, q = {units}"
        least = min(one.power for one in runs)
        yield Row(f"{what}: least share of a kept direction's power below the cut-off", "≥ 0.99", least, None,
                  len(runs), least >= 0.99)  # fmt: skip
        bar = "within 5 % of Monte Carlo's own (the ceiling) on each seed, and 3 s.e. of the difference over all"
        nothing, nothing_error = float(drawn[:, 0, 3].mean()), _pooled(drawn[:, 1, 3])
        for i, name in enumerate(NAMES):
            found, wanted = kept[:, 0, i], own[:, 0, i]
            error = _pooled(np.hypot(kept[:, 1, i], own[:, 1, i]))
            near = bool((np.abs(found / wanted - 1) <= 0.05).all())
            holds = near and abs(float((found - wanted).mean())) <= 3 * error
            yield Row(f"{what}: {name} of the kept modes", bar, float(found.mean()), _pooled(kept[:, 1, i]), len(runs),
                      holds, float(wanted.mean()), nothing if i == COUPLING else None)  # fmt: skip
        yield Row(f"{what}: coupling g_R of the linear VAE's own samples", "0 within 3 s.e.: it cannot give one",
                  nothing, nothing_error, len(runs), abs(nothing) <= 3 * nothing_error)  # fmt: skip
        if len(shape) == 1:
            exact = of_chain(shape[0], mass2, strength)
            gap = max(abs(float(own[:, 0, i].mean() - exact[i])) / _pooled(own[:, 1, i]) for i in range(len(NAMES)))
            yield Row(f"{what}: Monte Carlo's own four numbers − the transfer matrix's, greatest, in s.e.", "< 3", gap,
                      None, len(runs), gap < 3)  # fmt: skip


def of_kept_modes(fields: Tensor, shape: Sequence[int], units: int) -> Array:
    """(4,) the numbers of ``NAMES`` by PPCA of fields (n, sites) and by those fields reduced to its kept modes."""
    model = ppca(fields, units)
    mass2, normalisation = renormalise(*kept_variances(model, waves(shape)))
    total = project_fields(model, fields).sum(1)
    cumulant = binder(total.square().mean(), total.square().square().mean())
    return torch.stack([mass2.sqrt(), normalisation, cumulant, coupling(cumulant, mass2, shape)]).numpy()


def of_fields(fields: Array) -> Array:
    """(2, 4) the same numbers straight from Monte Carlo's fields (chains, snapshots, *shape), and their errors."""
    shape = fields.shape[2:]
    axes = tuple(range(2, fields.ndim))
    power = np.abs(np.fft.fftn(fields, axes=axes)) ** 2 / math.prod(shape)
    squares = momenta_squared(shape)
    lowest = squares == np.min(squares[squares > 0])
    total = fields.sum(axes)
    each = np.stack([power[..., squares == 0].mean(-1), power[..., lowest].mean(-1), total**2, total**4], -1).mean(1)
    k2 = float(squares[lowest][0])

    def numbers(m: Array) -> Array:
        mass2 = k2 / (m[0] / m[1] - 1)
        cumulant = 1 - m[3] / (3 * m[2] ** 2)
        return np.array(
            [mass2**0.5, mass2 * m[0], cumulant, 3 * cumulant * mass2 ** (len(shape) / 2) * math.prod(shape)]
        )

    return np.stack(jackknife(each, numbers, BLOCKS))


def of_chain(sites: int, mass2: float, strength: float) -> Array:
    """(4,) the same numbers of a chain by its transfer matrix."""
    exact = exact_chain(sites, mass2, strength)
    found = 4 * math.sin(math.pi / sites) ** 2 / (exact.second / sites / exact.wave - 1)
    cumulant = 1 - exact.fourth / (3 * exact.second**2)
    return np.array([found**0.5, found * exact.second / sites, cumulant, 3 * cumulant * found**0.5 * sites])


def _jackknifed(rows: Tensor, shape: Sequence[int], units: int) -> Array:
    """(2, 4) numbers of the kept modes and their errors, PPCA refitted without each block; chains stay together."""
    blocks = rows.tensor_split(BLOCKS)
    without = np.stack([of_kept_modes(torch.cat([*blocks[:i], *blocks[i + 1 :]]), shape, units) for i in range(BLOCKS)])
    return np.stack([of_kept_modes(rows, shape, units), np.sqrt((BLOCKS - 1) * without.var(0))])


def _pooled(errors: Array) -> float:
    """Standard error of a mean of independent numbers with these."""
    return float(np.sqrt((errors**2).sum()) / len(errors))


def _name(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} sites"
