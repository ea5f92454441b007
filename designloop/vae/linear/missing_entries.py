"""Probabilistic PCA of rows with missing entries, by expectation maximisation.

    z ~ N(0, I),   x | z ~ N(W z + b, σ² I)             of each row the observed entries alone

Given W, b and σ² the posterior of a row is that of its observed entries (``linear_gaussian.posterior``); given the
posteriors' moments, W and b are a least squares fit for each feature over the rows that observe it. No step lowers the
evidence. With nothing missing it climbs to the closed form of ``ppca``.

Sources: Dempster, Laird & Rubin 1977; Ilin & Raiko 2010, "Practical approaches to principal component analysis in the
presence of missing values".
"""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.checks import require_rows
from designloop.vae.linear.linear_gaussian import LinearGaussian, canonicalise, log_evidence, posterior, ppca

STEPS = 500
"""Of expectation maximisation, at most."""

LEAST_VARIANCE = 1e-9
"""σ² at least, in the mean variance of a feature: entries can be fewer than weights."""


def ppca_of_observed(
    x: Tensor, mask: Tensor, latent: int, *, start: LinearGaussian | None = None, steps: int = STEPS,
    tolerance: float = 1e-7,
) -> LinearGaussian:  # fmt: skip
    """The maximum-likelihood PPCA of the observed entries, in the canonical rotation, strongest unit first.

    Args:
        x: (rows, features); what stands in a missing entry does not matter.
        mask: (rows, features) True where observed, in each feature somewhere and in each row.
        latent: units, fewer than features.
        start: a model of as many units to climb from; None takes PPCA with means filled in.
        steps: at most. tolerance: nats an observed entry that a step has to gain, else it ends.

    Raises:
        ShapeError: x, mask or start are of other shapes.
        VAEError: a row or a feature observes nothing, or an observed entry is no number.
    """
    if x.ndim != 2 or not 1 <= latent < x.shape[1]:
        raise ShapeError("x", x.shape, f"(rows, more than latent = {latent} features)", "choose 1 ≤ latent < features")
    require_rows(x, mask)
    if not bool(mask.any(0).all()):
        raise VAEError(f"feature {int((~mask.any(0)).nonzero()[0])} is observed in no row; leave it out")
    seen = mask.to(x)
    means = x.masked_fill(~mask, 0).sum(0) / seen.sum(0)
    centred = (x - means).masked_fill(~mask, 0)  # else squares of what is far from 0 cancel
    model = ppca(centred, latent) if start is None else _moved(start, -means)
    if model.weights.shape != (x.shape[1], latent):
        raise ShapeError("start", model.weights.shape, f"({x.shape[1]}, {latent})", "give a model of as many units")
    least = LEAST_VARIANCE * float(centred.square().sum() / seen.sum())
    before = -float("inf")
    for _ in range(steps):
        now = float(log_evidence(model, centred, mask).sum() / seen.sum())
        if now - before < tolerance:
            break
        before = now
        model = _step(model, centred, mask, least)
    return canonicalise(_moved(model, means))


def _moved(model: LinearGaussian, by: Tensor) -> LinearGaussian:
    return LinearGaussian(model.weights, model.offset + by, model.variance)


def _step(model: LinearGaussian, x: Tensor, mask: Tensor, least: float) -> LinearGaussian:
    """One step: the posteriors' moments, then the least squares fit of each feature to them."""
    given, seen = posterior(model, x, mask), mask.to(x)
    ones = torch.ones_like(given.mean[:, :1])
    mean = torch.cat([given.mean, ones], 1)  # a unit that is always 1 has the offset for its weight
    second = mean.unsqueeze(2) * mean.unsqueeze(1)
    second[:, :-1, :-1] += given.covariance
    wide = mean.shape[1]
    normal = (seen.T @ second.flatten(1)).unflatten(1, (wide, wide))
    right = (seen * x).T @ mean
    weights = torch.linalg.solve(normal, right)
    variance = ((seen * x.square()).sum() - (weights * right).sum()) / seen.sum()
    return LinearGaussian(weights[:, :-1], weights[:, -1], variance.clamp_min(least).reshape(1))
