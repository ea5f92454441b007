"""Anomaly scores of a fitted VAE: the larger, the less a row is like what was learnt. Every one is deterministic.

    reconstruction_error   mean (x − μ(z̄))²                              z̄ the posterior's mean, μ the likelihood's
    decoder_nll            −log p(x | z̄)
    pearson                mean ((x − μ(z̄)) / σ(z̄))²
    negative_elbo          KL(q(z | x) || p(z)) − E_q log p(x | z)
    negative_evidence      −log (1/k) Σ_k p(x, z_k) / q(z_k | x)

The last two average over draws z_k = q(z | x).at(ε_k) at points ε_k that never change, a scrambled Sobol' sequence, the
same for all rows: a score is a function of its row alone, whatever rows stand beside it, which is also what conformal
p-values ask of it.

Sources: An & Cho 2015, "Variational autoencoder based anomaly detection using reconstruction probability"; Burda et al.
2016 (the evidence); McCullagh & Nelder 1989, section 2.4 (Pearson residuals); Owen 1998 (scrambled sequences).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import ROWS_AT_ONCE, Evidence, log_likelihood, summary
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE
from designloop.vae.posteriors.base import Posterior

DRAWS = 64
"""Points of the posterior that a score averages over, unless told otherwise."""

SEED = 20_240_229
"""Of the scrambling. Another one is another set of points, as good."""


class Score(Protocol):
    """What gives a number for each row; the larger, the more anomalous."""

    def __call__(self, vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch,) of x (batch, …)."""
        ...


def fixed_noise(latent: int, k: int, like: Tensor) -> Tensor:
    """(k, latent) points that are spread as a standard normal is, always the same; of the dtype and device of ``like``.

    Raises:
        VAEError: ``k`` is not positive.
    """
    if k < 1:
        raise VAEError(f"k is {k}, expected at least one draw; {DRAWS} are the default")
    return _normal_points(latent, k).to(like)


@lru_cache(maxsize=8)
def _normal_points(latent: int, k: int) -> Tensor:
    uniform = torch.quasirandom.SobolEngine(latent, scramble=True, seed=SEED).draw(k, dtype=torch.float64)
    points: Tensor = torch.special.ndtri(uniform.clamp(1e-9, 1 - 1e-9))
    return points


def anomaly_score(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int = DRAWS
) -> Tensor:
    """(batch,) the default score, ``negative_evidence``: how improbable a row is under the model, nats.

    It is the one score here in which what the decoder knows of noise, what the encoder is unsure of, and how rare a
    latent is, are weighed in one unit. Arguments and errors as ``negative_evidence``.
    """
    return negative_evidence(vae, x, mask, context, k=k)


def negative_evidence(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int = DRAWS
) -> Tensor:
    """(batch,) −log p(x) in nats by k importance-weighted draws.

    Args:
        x: (batch, …). mask: True where an entry is observed, of which alone the evidence is. k: draws a row.

    Raises:
        CapabilityError: the prior has no ``log_prob``.
        VAEError: ``k`` is not positive, or x cannot be (``VAE.take_rows``).
    """
    return -fixed_evidence(vae, x, mask, context, k=k).log_evidence


@torch.no_grad()
def fixed_evidence(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int = DRAWS
) -> Evidence:
    """The evidence at the fixed points, with its effective draws and Pareto k. Arguments as ``negative_evidence``."""
    x, mask, context = vae.take_rows(x, mask, context)
    require(vae.prior, "log_prob")
    with _evaluation_mode(vae):
        posterior = vae.encode(x, mask, context)
        weights = [
            log_likelihood(vae, z, x, mask, context) + vae.prior.log_prob(z, context) - posterior.log_prob(z)
            for z in _draws(posterior, k)
        ]
    return summary(torch.cat(weights))


@torch.no_grad()
def negative_elbo(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, k: int = DRAWS
) -> Tensor:
    """(batch,) the KL minus the mean log-likelihood at k draws, nats. Arguments and errors as ``negative_evidence``."""
    x, mask, context = vae.take_rows(x, mask, context)
    with _evaluation_mode(vae):
        posterior = vae.encode(x, mask, context)
        total = x.new_zeros(())
        for z in _draws(posterior, k):
            kl = torch.stack([vae.prior.kl(posterior, draw, context) for draw in z])  # many know it at a draw only
            total = total + (kl - log_likelihood(vae, z, x, mask, context)).sum(0)
    return total / k


@torch.no_grad()
def decoder_nll(vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
    """(batch,) −log p(x | z̄) in nats at the posterior's mean, over the observed entries.

    Raises:
        VAEError: x cannot be (``VAE.take_rows``).
    """
    x, mask, context = vae.take_rows(x, mask, context)
    params = _at_the_mean(vae, x, mask, context)
    return -vae.likelihood.log_prob(params, x, mask, context)


@torch.no_grad()
def reconstruction_error(vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
    """(batch,) mean squared error of what is decoded at the posterior's mean, over the observed entries.

    Raises:
        CapabilityError: the likelihood has no ``mean``.
        VAEError: x cannot be (``VAE.take_rows``).
    """
    require(vae.likelihood, "mean")
    x, mask, context = vae.take_rows(x, mask, context)
    params = _at_the_mean(vae, x, mask, context)
    mean = vae.likelihood.mean(params, context)
    return _over_observed((x - mean).square(), mask)


@torch.no_grad()
def pearson_residuals(vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
    """(batch, …) (x − mean) / standard deviation at the posterior's mean; 0 where nothing is observed.

    They say which entries make a row anomalous.

    Raises:
        CapabilityError: the likelihood has no ``mean`` or no ``variance``.
        VAEError: x cannot be (``VAE.take_rows``).
    """
    require(vae.likelihood, "mean", "variance")
    x, mask, context = vae.take_rows(x, mask, context)
    params = _at_the_mean(vae, x, mask, context)
    mean = vae.likelihood.mean(params, context)
    variance = vae.likelihood.variance(params, context)
    tiny = torch.finfo(variance.dtype).tiny  # a probability that rounds to 0 or 1 has no variance
    residuals: Tensor = (x - mean) / variance.clamp_min(tiny).sqrt()
    return residuals if mask is None else torch.where(mask, residuals, torch.zeros_like(residuals))


def pearson(vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
    """(batch,) mean squared Pearson residual over the observed entries. Errors as ``pearson_residuals``."""
    return _over_observed(pearson_residuals(vae, x, mask, context).square(), mask)


SCORES: dict[str, Score] = {
    "negative evidence": negative_evidence,
    "negative ELBO": negative_elbo,
    "decoder NLL": decoder_nll,
    "Pearson": pearson,
    "reconstruction error": reconstruction_error,
}
"""Every score by a name that can be shown."""


def _at_the_mean(vae: VAE, x: Tensor, mask: Tensor | None, context: Context | None) -> Tensor:
    """(batch, …) what is decoded at the posterior's mean."""
    with _evaluation_mode(vae):
        return vae.decode(vae.encode(x, mask, context).mean, context)


def _draws(posterior: Posterior, k: int) -> Iterator[Tensor]:
    """(some, batch, latent) draws at the fixed points, k in all."""
    mean, width = posterior.mean, posterior.noise_width
    noise = fixed_noise(width, k, mean).unsqueeze(1)
    for points in noise.split(max(1, ROWS_AT_ONCE // max(len(mean), 1))):
        yield posterior.at(points.expand(-1, len(mean), width))


@contextmanager
def _evaluation_mode(vae: VAE) -> Iterator[None]:
    """The model in evaluation mode, so that no dropout is drawn, and each part of it as it was behind."""
    before = [(module, module.training) for module in vae.modules()]
    vae.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _over_observed(entries: Tensor, mask: Tensor | None) -> Tensor:
    """(batch,) mean of the observed entries."""
    if mask is None:
        return entries.flatten(1).mean(1)
    return torch.where(mask, entries, torch.zeros_like(entries)).flatten(1).sum(1) / mask.flatten(1).sum(1)
