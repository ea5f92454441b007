"""RNA and chromatin accessibility of the same cells: counts beside zeros and ones, with a latent that both share.

    z ~ N(0, I),    h = z but for its shared units, h_i = z_i + bend (z_{i+1}² − 1) / √2
    x_ig ~ NB(mean exp(b_g + W_g h_i), dispersion r_g)         RNA, a gene g
    y_ip ~ Bernoulli(1 / (1 + exp(−a_p − V_p h_i)))            ATAC, a peak p: open or not

The first units of z act on both; of the others some act on RNA alone, some on ATAC alone. The difficulty is the share
of each feature's variance that its own modality's units make: at 0 all that moves a gene can be seen in the peaks too,
at 1 the two modalities are independent and one says nothing of the other. So a translation from one to the other has a
best, which lies between the true latent's prediction and that of the features' means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

RNA_SPREAD, ATAC_SPREAD = 0.8, 2.0
"""Standard deviation of a gene's log mean, and of a peak's logit, that the latent makes, without the bend."""


@dataclass(frozen=True, slots=True)
class Multiome:
    """What the cells are drawn from."""

    rna_offsets: Array
    """(genes,) b"""
    rna_loadings: Array
    """(genes, latent) W, 0 for the units of ATAC alone."""
    dispersions: Array
    """(genes,) r: the variance is mean + mean² / r."""
    atac_offsets: Array
    """(peaks,) a"""
    atac_loadings: Array
    """(peaks, latent) V, 0 for the units of RNA alone."""
    shared: int
    """Units that both read; they come first."""
    bend: float

    @property
    def latent(self) -> int:
        """Units of z."""
        return int(self.rna_loadings.shape[1])

    def bent(self, z: Array) -> Array:
        """(rows, latent) h at z (rows, latent)."""
        first = z[:, : self.shared]
        curve = self.bend * (np.roll(first, -1, 1) ** 2 - 1) / np.sqrt(2)
        return np.concatenate([first + curve, z[:, self.shared :]], 1)

    def log_means(self, z: Array) -> Array:
        """(rows, genes) of the counts at z (rows, latent)."""
        return np.asarray(self.rna_offsets + self.bent(z) @ self.rna_loadings.T)

    def logits(self, z: Array) -> Array:
        """(rows, peaks) of open peaks at z (rows, latent)."""
        return np.asarray(self.atac_offsets + self.bent(z) @ self.atac_loadings.T)


@dataclass(frozen=True, slots=True)
class Cells:
    """What was measured, and what it was made of."""

    counts: Integers
    """(cells, genes) x"""
    is_open: Integers
    """(cells, peaks) y, zeros and ones."""
    latents: Array
    """(cells, latent) z, for the judge only."""


def multiome(
    rng: np.random.Generator, private: float = 0.5, genes: int = 50, peaks: int = 60, shared: int = 2, own: int = 1,
    bend: float = 0.4,
) -> Multiome:  # fmt: skip
    """What cells are to be drawn from.

    Args:
        private: share of a feature's variance, log mean or logit, from units of its modality alone: the difficulty.
        shared: units that both modalities read, at least 1.
        own: units of either modality alone, at least 1.
        bend: how far the shared units are from acting linearly.
    """

    def loadings(features: int, spread: float, before: int, after: int) -> Array:
        both = np.sqrt((1 - private) / shared) * rng.standard_normal((features, shared))
        alone = np.sqrt(private / own) * rng.standard_normal((features, own))
        apart = [np.zeros((features, before)), alone, np.zeros((features, after))]
        return spread * np.concatenate([both, *apart], 1)

    return Multiome(
        rna_offsets=rng.normal(0.0, 0.5, genes),
        rna_loadings=loadings(genes, RNA_SPREAD, 0, own),
        dispersions=np.exp(rng.normal(np.log(2.0), 0.3, genes)),
        atac_offsets=rng.normal(-1.0, 0.5, peaks),
        atac_loadings=loadings(peaks, ATAC_SPREAD, own, 0),
        shared=shared,
        bend=bend,
    )


def cells(truth: Multiome, n: int, rng: np.random.Generator) -> Cells:
    """As many cells, both modalities of each."""
    z = rng.standard_normal((n, truth.latent))
    means, chances = np.exp(truth.log_means(z)), 1 / (1 + np.exp(-truth.logits(z)))
    counts = rng.poisson(means * rng.gamma(truth.dispersions, 1 / truth.dispersions, means.shape))
    return Cells(counts, (rng.random(chances.shape) < chances).astype(np.int64), z)
