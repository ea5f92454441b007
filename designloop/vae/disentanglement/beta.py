"""β-VAEs whose optimum is known: a linear decoder, Gaussian noise of fixed variance σ², one β.

The loss over β is that of a plain VAE with noise βσ² in the place of σ², up to what no parameter moves. So the optima
are those of PPCA at that noise, W = U (Λ − βσ²)₊^½ and its posterior as the encoder. A direction of variance λ is kept
while λ > βσ²; the code is the best there is at its rate:

    KLᵢ = ½ ln(λᵢ / βσ²),     error left in it = βσ²;          a direction given up: KLᵢ = 0, error λᵢ

Sources: Higgins et al. 2017, "beta-VAE"; Lucas et al. 2019, "Don't blame the ELBO!"; Cover & Thomas 2006, section
10.3.3 (reverse water-filling, which these curves are).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.linear.linear_gaussian import LinearGaussian
from designloop.vae.model import VAE


@dataclass(frozen=True, slots=True)
class Curves:
    """What a β-VAE keeps and loses, for each β."""

    kl: Tensor
    """(betas, latent) nats a row of each unit, the greatest first."""
    error: Tensor
    """(betas,) squared distance of a row from its reconstruction at a draw of z, mean; the data's unit squared."""


def beta_curves(eigenvalues: Tensor, latent: int, variance: float, betas: Tensor) -> Curves:
    """KL of each unit and error of the optimal linear β-VAE, exact.

    Args:
        eigenvalues: (features,) of the data's covariance.
        latent: units, at most as many as features.
        variance: σ² of the likelihood, fixed; the data's unit squared.
        betas: (betas,) positive.

    Raises:
        ShapeError: there are fewer eigenvalues than units.
        VAEError: ``variance`` or a β is not positive.
    """
    if eigenvalues.ndim != 1 or not 1 <= latent <= len(eigenvalues):
        raise ShapeError("eigenvalues", eigenvalues.shape, f"(at least latent = {latent},)", "choose a lower latent")
    levels = _levels(variance, betas).to(eigenvalues).unsqueeze(-1)
    values = eigenvalues.sort(descending=True).values
    kept, lost = values[:latent], values[latent:]
    return Curves(0.5 * (kept / levels).log().clamp_min(0), torch.minimum(kept, levels).sum(-1) + lost.sum())


def beta_optimum(x: Tensor, latent: int, variance: float, beta: float) -> LinearGaussian:
    """The linear β-VAE at its optimum: its decoder, and, as the exact posterior under noise βσ², its encoder.

    Args:
        x: (rows, features) fully observed.
        latent, variance, beta: as for ``beta_curves``.

    Raises:
        ShapeError: x is not a table of at least ``latent`` features.
        VAEError: ``variance`` or ``beta`` is not positive.
    """
    if x.ndim != 2 or not 1 <= latent <= x.shape[1]:
        raise ShapeError("x", x.shape, f"(rows, at least latent = {latent})", "choose a lower latent")
    level = _levels(variance, x.new_tensor([beta]))
    offset = x.mean(0)
    values, vectors = torch.linalg.eigh((x - offset).T @ (x - offset) / len(x))
    weights = vectors.flip(1)[:, :latent] * (values.flip(0)[:latent] - level).clamp_min(0).sqrt()
    return LinearGaussian(weights, offset, level)


@torch.no_grad()
def rate_and_error(
    vae: VAE, x: Tensor, context: Context | None = None, *, draws: int = 1, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """KL of each unit (latent,), nats a row, the greatest first, and the error () of a fitted VAE, as in ``Curves``.

    Args:
        x: (rows, features) fully observed.
        draws: of z for each row, that the error is the mean over.

    Raises:
        CapabilityError: the prior has no ``kl_units`` (a standard normal one does), or the likelihood no ``mean``.
    """
    require(vae.prior, "kl_units")
    posterior = vae.encode(x, None, context)
    kl = vae.prior.kl_units(posterior, context).mean(0).sort(descending=True).values
    z = posterior.at(vae.draw_noise(len(x), generator, draws))
    away = vae.likelihood.mean(vae.decode(z, context), context) - x
    return kl, away.square().sum(-1).mean()


def _levels(variance: float, betas: Tensor) -> Tensor:
    """(betas,) βσ², the water's level."""
    if variance <= 0 or not bool((betas > 0).all()):
        raise VAEError(f"variance is {variance} and beta {betas.tolist()}, expected positive numbers; raise them")
    return betas * variance
