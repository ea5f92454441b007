"""Linear-Gaussian models, whose evidence has a closed form: probabilistic PCA and factor analysis.

    z ~ N(0, I),   x | z ~ N(W z + b, diag(ψ)),   so   x ~ N(b, W Wᵀ + diag(ψ))

One ψ for all features is probabilistic PCA, one a feature is factor analysis. Given the observed entries of a row the
posterior is N(M⁻¹ Wᵀ D (x − b), M⁻¹), M = I + Wᵀ D W, D = diag(mask/ψ): with all observed and W turned so that Wᵀ W/ψ
is diagonal (the canonical rotation) a diagonal encoder is exact. A mask couples the units again. ``linear_vae`` makes
VAEs of these models and reads them back.

Sources: Tipping & Bishop 1999, "Probabilistic principal component analysis"; Jöreskog 1967 (factor analysis by its
profile likelihood).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.full_normal import FullNormal


@dataclass(frozen=True, slots=True)
class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(weights z + offset, diag(variance)): all that a linear VAE's decoder says."""

    weights: Tensor
    """(features, latent) W"""
    offset: Tensor
    """(features,) b, the data's unit."""
    variance: Tensor
    """(features,) ψ, or (1,) one for all; the data's unit squared."""

    @property
    def covariance(self) -> Tensor:
        """(features, features) of x: W Wᵀ + diag(ψ)."""
        return self.weights @ self.weights.T + torch.diag(self.variance.expand(len(self.weights)))


def ppca(x: Tensor, latent: int) -> LinearGaussian:
    """The maximum-likelihood PPCA of data, in the canonical rotation, strongest unit first.

    W = U (Λ − σ² I)^½ with the leading eigenvectors and eigenvalues of the data's covariance (divisor n), σ² the mean
    of the eigenvalues left out.

    Args:
        x: (rows, features) fully observed.
        latent: units, fewer than features.

    Raises:
        ShapeError: x is not a table of more features than ``latent``.
        VAEError: x has no finite number somewhere, or no variance is left outside the kept directions.

    Source: Tipping & Bishop 1999, eqs. 7 and 8.
    """
    offset, covariance = _moments(x, latent)
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0), vectors.flip(1)
    noise = values[latent:].mean()
    if float(noise) <= 1e-12 * float(values[0]):
        raise VAEError(
            f"latent is {latent}, and the data has no variance outside of as many directions; "
            "expected fewer units than the data's rank: lower latent"
        )
    weights = vectors[:, :latent] * (values[:latent] - noise).clamp_min(0).sqrt()
    return LinearGaussian(_fix_signs(weights), offset, noise.reshape(1))


def factor_analysis(x: Tensor, latent: int, floor: float = 1e-6) -> LinearGaussian:
    """The maximum-likelihood factor analysis of data, in the canonical rotation, strongest factor first.

    For a given ψ the best W is that of PPCA on x/√ψ, so that only ψ is searched for, by L-BFGS.

    Args:
        x: (rows, features) fully observed.
        latent: factors, fewer than features.
        floor: least ψ of a feature as a share of its variance; a factor that is a feature itself (a Heywood case) has
            no maximum above 0.

    Raises:
        ShapeError: as ``ppca``.
        VAEError: x has no finite number somewhere, a feature is constant, or the search did not converge.

    Source: Jöreskog 1967, "Some contributions to maximum likelihood factor analysis".
    """
    offset, covariance = _moments(x, latent)
    s = covariance.numpy(force=True).astype(float)
    spread = np.diag(s)
    if spread.min() <= 0:
        raise VAEError(f"feature {int(spread.argmin())} of x is constant, expected some variance; leave it out")

    def loadings(psi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W at its best for a ψ, and all eigenvalues of Ψ^−½ S Ψ^−½, the greatest first."""
        root = np.sqrt(psi)
        values, vectors = np.linalg.eigh(s / np.outer(root, root))
        values, vectors = values[::-1], vectors[:, ::-1]
        return root[:, None] * vectors[:, :latent] * np.sqrt(np.maximum(values[:latent] - 1, 0)), values

    def deviance(log_psi: np.ndarray) -> tuple[float, np.ndarray]:
        """−2 log-likelihood a row up to a constant, and its slope."""
        psi = np.exp(log_psi)
        weights, values = loadings(psi)
        kept = np.maximum(values[:latent], 1)
        value = log_psi.sum() + np.log(kept).sum() + (values[:latent] / kept).sum() + values[latent:].sum()
        return float(value), ((weights**2).sum(1) + psi - spread) / psi

    low = np.log(floor * spread)
    optimum = minimize(
        deviance, np.log(0.5 * spread), jac=True, method="L-BFGS-B", bounds=[(bound, None) for bound in low],
        options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-13, "gtol": 1e-8, "maxcor": 30},
    )  # fmt: skip
    slope = np.where(optimum.x > low + 1e-9, optimum.jac, np.minimum(optimum.jac, 0))
    if not optimum.success and np.abs(slope).max() > 1e-5:  # a search that ends for want of digits has arrived
        raise VAEError(f"factor analysis with latent={latent} stopped early ({optimum.message}); lower latent")
    psi = np.exp(optimum.x)
    weights = torch.from_numpy(loadings(psi)[0].copy()).to(x)
    return LinearGaussian(_fix_signs(weights), offset, torch.from_numpy(psi).to(x))


def canonicalise(model: LinearGaussian) -> LinearGaussian:
    """The same distribution of x with the latent turned so that Wᵀ W/ψ is diagonal, strongest unit first."""
    scaled = model.weights / model.variance.sqrt().unsqueeze(-1)
    _, _, turn = torch.linalg.svd(scaled, full_matrices=False)
    return LinearGaussian(_fix_signs(model.weights @ turn.T), model.offset, model.variance)


def posterior(model: LinearGaussian, x: Tensor, mask: Tensor | None = None) -> FullNormal:
    """p(z | observed entries of x), exact; the prior for a row that has none.

    Args:
        x: (batch, features); what stands in a missing entry does not matter.
        mask: (batch, features) True where observed; None when all are.

    Raises:
        ShapeError: x or mask is not (batch, features).
    """
    _check_rows(model, x, mask)
    residual = x - model.offset
    weight = 1 / model.variance.expand(len(model.weights)).unsqueeze(0)
    if mask is not None:
        residual = torch.where(mask, residual, torch.zeros_like(residual))
        weight = weight * mask
    latent = model.weights.shape[1]
    products = (model.weights.unsqueeze(2) * model.weights.unsqueeze(1)).flatten(1)  # (features, latent²)
    precision = torch.eye(latent, dtype=x.dtype, device=x.device) + (weight @ products).unflatten(1, (latent, latent))
    tril = torch.linalg.cholesky(precision)
    mean = torch.cholesky_solve(((weight * residual) @ model.weights).unsqueeze(-1), tril).squeeze(-1)
    return FullNormal(mean, tril)


def log_evidence(model: LinearGaussian, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """(batch,) log p(observed entries of x) in nats, exact: the marginal of N(b, W Wᵀ + diag(ψ)).

    0 where nothing is observed. Costs latent³ a row, never features³. Arguments as ``posterior``.
    """
    given = posterior(model, x, mask)
    # Bayes' rule at the posterior mean: the joint there over the posterior's density there.
    residual = x - model.offset - given.mean @ model.weights.T
    log_scale = (model.variance.log() + LOG_2PI).expand_as(x)
    if mask is not None:  # before the square, so that NaN in a missing entry reaches no gradient either
        residual = torch.where(mask, residual, torch.zeros_like(residual))
        log_scale = log_scale * mask
    entries = residual.square() / model.variance + log_scale
    log_det = 2 * given.precision_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * (entries.sum(-1) + given.mean.square().sum(-1) + log_det)


def _moments(x: Tensor, latent: int) -> tuple[Tensor, Tensor]:
    """Mean (features,) and covariance (features, features), divisor n, of data that was looked at."""
    if x.ndim != 2 or not 1 <= latent < x.shape[1]:
        raise ShapeError("x", x.shape, f"(rows, more than latent = {latent} features)", "choose 1 ≤ latent < features")
    if not bool(x.isfinite().all()):
        raise VAEError("x has entries that are NaN or infinite, expected numbers; leave those rows out")
    offset = x.mean(0)
    centred = x - offset
    return offset, centred.T @ centred / len(x)


def _check_rows(model: LinearGaussian, x: Tensor, mask: Tensor | None) -> None:
    expected = f"(batch, {len(model.weights)})"
    if x.ndim != 2 or x.shape[1] != len(model.weights):
        raise ShapeError("x", x.shape, expected, "give rows of the data that the model was fitted to")
    if mask is not None and mask.shape != x.shape:
        raise ShapeError("mask", mask.shape, f"{tuple(x.shape)} as x", "give True where an entry is observed")


def _fix_signs(weights: Tensor) -> Tensor:
    """The same columns, each with its largest entry positive."""
    largest = weights.gather(0, weights.abs().argmax(0, keepdim=True))
    return torch.where(largest < 0, -weights, weights)
