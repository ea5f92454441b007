"""The peer of imputation on tables: a joint Gaussian fitted to incomplete rows by expectation-maximisation.

Written by itself, in NumPy, with nothing of the VAE library. Source: Little & Rubin 2002, "Statistical analysis with
missing data", section 11.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class JointGaussian:
    """x ~ N(mean, covariance)."""

    mean: Array
    """(features,)"""
    covariance: Array
    """(features, features)"""

    def fill_in(self, x: Array, mask: Mask) -> tuple[Array, Array]:
        """Rows with what is missing at its conditional mean, and the sum over the rows of the covariances left."""
        seen, hidden = mask[:, :, None], ~mask[:, :, None]
        # Missing features are replaced by independent ones, so that all rows are solved at once.
        known = np.where(seen & seen.swapaxes(1, 2), self.covariance, np.eye(x.shape[1]))
        across = np.where(hidden & seen.swapaxes(1, 2), self.covariance, 0.0)
        gain = np.linalg.solve(known, across.swapaxes(1, 2)).swapaxes(1, 2)
        away = np.where(mask, x - self.mean, 0.0)
        filled = np.where(mask, x, self.mean + (gain @ away[:, :, None])[:, :, 0])
        left = np.where(hidden & hidden.swapaxes(1, 2), self.covariance, 0.0) - gain @ across.swapaxes(1, 2)
        return filled, left.sum(0)


def gaussian_em(x: Array, mask: Mask, iterations: int = 200, tolerance: float = 1e-4) -> JointGaussian:
    """The Gaussian at which EM arrives, from the observed means and variances.

    Args:
        x: (rows, features); what is masked may hold anything.
        mask: True where observed.
        tolerance: largest change of a covariance, in units of the variances, at which it has arrived.
    """
    counted = mask.sum(0)
    mean = np.where(mask, x, 0.0).sum(0) / counted
    variance = np.where(mask, (x - mean) ** 2, 0.0).sum(0) / counted
    model, scale = JointGaussian(mean, np.diag(variance)), np.sqrt(np.outer(variance, variance))
    for _ in range(iterations):
        filled, left = model.fill_in(x, mask)
        mean = filled.mean(0)
        covariance = ((filled - mean).T @ (filled - mean) + left) / len(x)
        change = np.abs((covariance - model.covariance) / scale).max()
        model = JointGaussian(mean, covariance)
        if change < tolerance:
            break
    return model
