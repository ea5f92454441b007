"""The best that can be said of one modality given another: true decoders, exact posterior by importance sampling.

    E[y | x] ≈ Σ_k w_k E[y | z_k],   w_k ∝ p(x | z_k),   z_k ~ N(0, I),      log p(x) ≈ log mean_k p(x | z_k)

In numpy and from the prior, so that nothing of the library that is judged by it has a part in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln, logsumexp

from designloop.vae.simulators.multiome import Cells, Multiome

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

DRAWS = 30_000
"""Of z, the same for all cells."""

CELLS_AT_ONCE = 250


GRID, MOST = np.linspace(-7, 4.6, 60), 800
"""Log means at which log(1 + count) is averaged, and the largest count of the sum; 3e-4 of what is most."""


def expected_log(log_means: Array, dispersions: Array) -> Array:
    """(rows, genes) E log(1 + count) of negative binomials, of their log means (rows, genes), by interpolation."""
    counts, means = np.arange(MOST + 1), np.exp(GRID)[:, None]
    columns = []
    for gene, r in enumerate(np.asarray(dispersions, dtype=float)):
        table = stats.nbinom.pmf(counts, r, r / (r + means)) @ np.log1p(counts)
        columns.append(np.interp(log_means[:, gene], GRID, table))
    return np.stack(columns, 1)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What one source says of each cell."""

    log_counts: Array
    """(cells, genes) expected log(1 + count)."""
    chances: Array
    """(cells, peaks) of being open."""
    log_evidence: Array
    """(cells,) of what is observed, nats."""
    effective_samples: Array
    """(cells,) draws that these are made of."""


def condition_on(truth: Multiome, cells: Cells, has_gene: Mask, has_peak: Mask, rng: np.random.Generator) -> Posterior:
    """Computes what is expected of all features given those that are observed.

    Args:
        has_gene: (cells, genes) True where a count is looked at. has_peak: (cells, peaks), alike.
    """
    z = rng.standard_normal((DRAWS, truth.latent))
    # Single precision: the weights' own error is greater, and the products are the cost.
    log_means, logits, r = (
        values.astype(np.float32) for values in (truth.log_means(z), truth.logits(z), truth.dispersions)
    )
    log_total = np.logaddexp(log_means, np.log(r))  # log(μ + r)
    log_counts, chances = expected_log(log_means, r), 1 / (1 + np.exp(-logits))
    softplus = np.logaddexp(0, logits)
    parts = []
    for first in range(0, len(cells.counts), CELLS_AT_ONCE):
        rows = slice(first, first + CELLS_AT_ONCE)
        genes, peaks = has_gene[rows].astype(np.float32), has_peak[rows].astype(np.float32)
        x, y = genes * cells.counts[rows].astype(np.float32), peaks * cells.is_open[rows].astype(np.float32)
        constant = (genes * (gammaln(r + x) - gammaln(r) - gammaln(x + 1) + r * np.log(r))).sum(1)
        of_rna = x @ (log_means - log_total).T - (genes * r) @ log_total.T + constant[:, None]
        log_weights = of_rna + y @ logits.T - peaks @ softplus.T
        total = logsumexp(log_weights, 1, keepdims=True)
        weights = np.exp(log_weights - total)
        parts.append((weights @ log_counts, weights @ chances, total[:, 0] - np.log(DRAWS), 1 / (weights**2).sum(1)))
    return Posterior(*(np.concatenate(each) for each in zip(*parts, strict=True)))
