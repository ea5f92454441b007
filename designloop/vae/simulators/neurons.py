"""Gene expression of neurons by electrophysiological type: counts with markers, nuisance factors and library sizes.

    x_ig ~ NB(mean s_i exp(b_g + Δ_{t g} + Σ_q W_gq f_iq), dispersion r_{t g}),      t = t_i, f_i ~ N(0, I)

Each type has its own means and dispersions; the factors f (health of the cell, stress of dissociation, contamination)
act alike in all types, and so correlate the genes within each. The difficulty is the spread of Σ_q W_gq f_q beside that
of a marker's Δ: at 0 genes are independent given the type, and a negative binomial a gene is the truth; the larger it
is, the more the nuisance hides the type.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

TYPES = ("regular spiking", "fast spiking", "adapting", "bursting", "late spiking", "irregular spiking")
"""Electrophysiological types, by name where there are no more than these."""

MARKER_SPREAD = 0.5
"""Standard deviation of a marker's Δ, natural logarithm."""


@dataclass(frozen=True, slots=True)
class Population:
    """What the cells are drawn from."""

    log_means: Array
    """(types, genes) b + Δ, of a cell of library size 1 without nuisance."""
    dispersions: Array
    """(types, genes) r: the variance is mean + mean² / r."""
    loadings: Array
    """(genes, factors) W, shared by all types."""
    size_spread: float
    """Standard deviation of a library size's logarithm, whose mean is 0."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts and what they were made of."""

    counts: Integers
    """(cells, genes)"""
    types: Integers
    """(cells,)"""
    sizes: Array
    """(cells,) s"""
    factors: Array
    """(cells, factors) f"""

    @property
    def library_sizes(self) -> Array:
        """(cells,) total counts of each cell over the genes' number: what an experiment knows of s."""
        return np.asarray(self.counts.sum(1).clip(1) / self.counts.shape[1], dtype=float)


def population(
    rng: np.random.Generator,
    difficulty: float = 1.0,
    types: int = len(TYPES),
    genes: int = 120,
    factors: int = 4,
    markers: float = 0.2,
) -> Population:
    """A population of types.

    Args:
        difficulty: spread of the nuisance in a gene's log mean, in units of ``MARKER_SPREAD``; not negative.
        factors: of nuisance; ignored where the difficulty is 0.
        markers: share of the genes that are markers of a type, drawn anew for each.
    """
    base = rng.normal(1.0, 0.8, genes)
    is_marker = rng.random((types, genes)) < markers
    change = np.where(is_marker, rng.normal(0.0, MARKER_SPREAD, (types, genes)), 0.0)
    dispersions = np.exp(rng.normal(np.log(4.0), 0.4, genes) + rng.normal(0.0, 0.2, (types, genes)))
    loadings = rng.standard_normal((genes, factors)) * (difficulty * MARKER_SPREAD / np.sqrt(factors))
    return Population(base + change, dispersions, loadings, size_spread=0.3)


def cells(truth: Population, types: Integers, rng: np.random.Generator) -> Cells:
    """One cell for each entry of ``types`` (cells,), numbers of the population's types."""
    n, (genes, factors) = len(types), truth.loadings.shape
    hidden = rng.standard_normal((n, factors))
    sizes = np.exp(truth.size_spread * rng.standard_normal(n))
    means = sizes[:, None] * np.exp(truth.log_means[types] + hidden @ truth.loadings.T)
    r = truth.dispersions[types]
    counts = rng.poisson(means * rng.gamma(r, 1 / r, (n, genes)))
    return Cells(counts, types, sizes, hidden)
