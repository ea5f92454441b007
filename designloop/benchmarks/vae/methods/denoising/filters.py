"""The peers of denoising: filters for noise of variance 1 behind Anscombe's transform and its exact unbiased inverse.

Written in NumPy and SciPy, with nothing of the VAE library but its inverse transform, which tests hold to the integral.
Non-local means as Buades, Coll & Morel 2005, weights as in their implementation of 2011 ("Non-local means denoising",
Image Processing On Line): exp(−max(d² − 2σ², 0) / h²) of the patches' mean square difference d², σ = 1, and a pixel's
own weight the largest of the others'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from designloop.vae.denoising import inverse_anscombe

Array = NDArray[np.float64]

SIGMAS = np.arange(0.3, 3.01, 0.1)
"""Widths of the Gaussian filter that are tried, pixels."""

STRENGTHS, PATCHES, REACHES = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.7), (1, 2, 3), (3, 5, 9)
"""Of non-local means: h, and the halves of a patch's and of the search window's side."""

Filter = Callable[[Array], Array]
"""(images, size, size) with noise of variance 1 -> the same without."""


def gaussian_filters() -> Iterator[tuple[str, Filter]]:
    """The Gaussian filters that are tried, by name."""
    for sigma in SIGMAS:
        yield f"σ = {sigma:.1f}", lambda x, sigma=sigma: gaussian_filter(x, (0, sigma, sigma), mode="nearest")


def non_local_means_filters() -> Iterator[tuple[str, Filter]]:
    """The non-local means that are tried, by name."""
    for strength, patch, reach in product(STRENGTHS, PATCHES, REACHES):
        name = f"h = {strength}, patches of {2 * patch + 1}, windows of {2 * reach + 1}"
        yield name, lambda x, h=strength, p=patch, r=reach: non_local_means(x, h, p, r)


def non_local_means(x: Array, strength: float, patch: int, reach: int) -> Array:
    """Averages of each pixel's like within a window, images (images, size, size) that are mirrored at their edges.

    Args:
        strength: h, in standard deviations of the noise.
        patch: half of a patch's side; patches of pixels that are alike are alike.
        reach: half of the search window's side.
    """
    size, side = x.shape[-1], 2 * patch + 1
    wide = np.pad(x, ((0, 0), (reach, reach), (reach, reach)), mode="symmetric")
    total, mass, largest = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for down, right in product(range(2 * reach + 1), repeat=2):
        if (down, right) == (reach, reach):
            continue
        other = wide[:, down : down + size, right : right + size]
        apart = uniform_filter((x - other) ** 2, (0, side, side), mode="reflect")
        weight = np.exp(-np.maximum(apart - 2, 0) / strength**2)
        total, mass, largest = total + weight * other, mass + weight, np.maximum(largest, weight)
    return (total + largest * x) / (mass + largest)


def filter_counts(counts: NDArray[np.int64], smooth: Filter) -> Array:
    """(images, size, size) rates of counts: Anscombe's transform, the filter, the exact unbiased inverse."""
    smoothed = smooth(2 * np.sqrt(counts + 0.375))
    return np.asarray(inverse_anscombe(torch.from_numpy(smoothed)).numpy())


def best_filter(
    counts: NDArray[np.int64], filters: Iterator[tuple[str, Filter]], quality: Callable[[Array], float]
) -> tuple[str, Array]:
    """The filter of the highest quality on these images, and what it makes of them."""
    tried = [(name, filter_counts(counts, smooth)) for name, smooth in filters]
    return max(tried, key=lambda pair: quality(pair[1]))
