"""Denoising: what lies behind a row that was seen through noise, learnt from noisy rows alone.

    z ~ p(z),   rate = mean of x given z,   x | z ~ likelihood, the noise                 counts: x ~ Poisson(rate)
    E[rate | x] ≈ Σ_k w_k rate(z_k),   w_k ∝ p(x, z_k) / q(z_k | x),  z_k ~ q(z | x)

No clean row is ever seen: the likelihood says what noise is, and what it does not explain is in the latent. Of all
estimates E[rate | x] has the least mean square error under the model. It is not what imputation gives, which leaves
observed entries as they are.

Filters for noise of constant variance do for counts as well, behind Anscombe's transform and its exact unbiased
inverse; the transform also makes counts fit for an encoder. Sources: Anscombe 1948; Mäkitalo & Foi 2011, "A closed-form
approximation of the exact unbiased inverse of the Anscombe variance-stabilizing transformation".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.inference.evidence import Evidence
from designloop.vae.inference.expectations import mean_and_variance
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE


@dataclass(frozen=True, slots=True)
class Denoised:
    """What lies behind rows, and how well it is known."""

    mean: Tensor
    """(batch, …) E[rate | x], of the data's unit."""
    variance: Tensor
    """(batch, …) of the rate given x: what the noise leaves open, without the noise itself."""
    evidence: Evidence
    """Of the rows, with the effective draws that mean and variance are made of."""


def denoise(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int,
    generator: torch.Generator | None = None,
) -> Denoised:  # fmt: skip
    """The mean and variance, given each row, of what it would be expected to be if it were seen again.

    Args:
        x: (batch, …) noisy rows.
        mask: True where an entry is observed; the others are said as well.
        k: draws of the posterior a row.

    Raises:
        CapabilityError: the likelihood has no ``mean``, or the prior no ``log_prob``.
        VAEError: x cannot be (``VAE.take_rows``).
    """
    likelihood = vae.likelihood
    require(likelihood, "mean")

    def rate(params: Tensor, wide: Context | None) -> list[Tensor]:
        return [likelihood.mean(params, wide)]

    return Denoised(*mean_and_variance(vae, rate, x, mask, context, k=k, generator=generator))


def anscombe(counts: Tensor) -> Tensor:
    """2 √(x + 3/8): of counts with mean 4 and more, numbers whose variance is 1."""
    return 2 * (counts + 0.375).sqrt()


def inverse_anscombe(values: Tensor) -> Tensor:
    """The rate whose Poisson counts have this mean of their Anscombe transforms, to 0.05: its exact unbiased inverse.

    The algebraic inverse (v / 2)² − 3/8 is biased, the more the fewer the counts: E of a root is less than the root
    of E. Values below that of a rate of 0, 2 √(3/8), give 0.
    """
    v = values.clamp_min(2 * math.sqrt(0.375))
    root = math.sqrt(1.5)
    rate = v.square() / 4 + root / 4 / v - 11 / 8 / v.square() + 5 / 8 * root / v.pow(3) - 1 / 8
    return rate.clamp_min(0)
