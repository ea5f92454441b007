"""Linear-Gaussian state-space models, exactly: the Kalman filter and its smoother, with gaps.

    a_1 ~ N(start, P),   a_{t+1} = T a_t + η_t,  η ~ N(0, Q),   y_t = Z a_t + ε_t,  ε ~ N(0, noise)

A gap is a step without an observation: what is known of the state then is what it was carried to. The local level is
a_{t+1} = a_t + η_t, y_t = a_t + ε_t. Everything here is differentiable in the model's numbers.

Sources: Kalman 1960; Durbin & Koopman 2012, "Time series analysis by state space methods", chapters 2 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from designloop.vae.doors import as_tensor
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.special import LOG_2PI


@dataclass(frozen=True, slots=True)
class StateSpace:
    """A linear-Gaussian model of a series of numbers."""

    transition: Tensor
    """(states, states) T"""
    news: Tensor
    """(states, states) Q, covariance of η."""
    design: Tensor
    """(states,) Z"""
    noise: Tensor
    """() variance of ε."""
    start: Tensor
    """(states,) mean of a_1."""
    start_covariance: Tensor
    """(states, states) P; many times the data's variance where nothing is known."""


def local_level(wander: Tensor | float, noise: Tensor | float, start_variance: float = 1e6) -> StateSpace:
    """A level that drifts by steps of variance ``wander``, seen through noise of a variance; float64."""
    steps, seen = (torch.as_tensor(value, dtype=torch.float64) for value in (wander, noise))
    eye = torch.eye(1, dtype=torch.float64)
    return StateSpace(eye, steps * eye, eye[0], seen, torch.zeros(1, dtype=torch.float64), start_variance * eye)


@dataclass(frozen=True, slots=True)
class Filtered:
    """What is known of the states as the series goes on; nothing here knows what came later."""

    log_likelihood: Tensor
    """(batch, steps) log p(y_t | what came before) in nats, 0 in a gap; their sum is the evidence."""
    predicted: Tensor
    """(batch, steps, states) E[a_t | what came before]."""
    predicted_covariance: Tensor
    """(batch, steps, states, states)"""
    mean: Tensor
    """(batch, steps, states) E[a_t | y up to t]."""
    covariance: Tensor
    """(batch, steps, states, states)"""


def kalman_filter(model: StateSpace, y: Any, mask: Any | None = None) -> Filtered:
    """The filter of each row.

    Args:
        y: (batch, steps), whatever the doors take; what stands in a gap does not matter.
        mask: (batch, steps) True where observed; None when all are.

    Raises:
        ShapeError: y or mask is not (batch, steps).
        VAEError: an observed entry is NaN or infinite.
    """
    y, mask = _take(y, mask, model.start)
    a = model.start.expand(len(y), -1)
    p = model.start_covariance.expand(len(y), -1, -1)
    kept: list[tuple[Tensor, ...]] = []
    for now, seen in zip(y.unbind(1), mask.unbind(1), strict=True):
        predicted, predicted_covariance = a, p
        surprise = now - a @ model.design
        column = p @ model.design  # (batch, states)
        spread = column @ model.design + model.noise
        gain = torch.where(seen.unsqueeze(-1), column / spread.unsqueeze(-1), 0.0)
        log_prob = -0.5 * (surprise.square() / spread + spread.log() + LOG_2PI)
        a = a + gain * surprise.unsqueeze(-1)
        p = p - gain.unsqueeze(-1) * column.unsqueeze(-2)
        kept.append((torch.where(seen, log_prob, 0.0), predicted, predicted_covariance, a, p))
        a = a @ model.transition.T
        p = model.transition @ p @ model.transition.T + model.news
    return Filtered(*(torch.stack(part, 1) for part in zip(*kept, strict=True)))


def kalman_smoother(model: StateSpace, y: Any, mask: Any | None = None) -> tuple[Tensor, Tensor]:
    """(batch, steps, states) means and (batch, steps, states, states) covariances of the states given all of y.

    Arguments and errors as ``kalman_filter``.
    """
    filtered = kalman_filter(model, y, mask)
    mean, covariance = filtered.mean[:, -1], filtered.covariance[:, -1]
    means, covariances = [mean], [covariance]
    for step in range(filtered.mean.shape[1] - 2, -1, -1):
        ahead = filtered.predicted_covariance[:, step + 1]
        back = torch.linalg.solve(ahead, model.transition @ filtered.covariance[:, step]).mT
        change = (mean - filtered.predicted[:, step + 1]).unsqueeze(-1)
        mean = filtered.mean[:, step] + (back @ change).squeeze(-1)
        covariance = filtered.covariance[:, step] + back @ (covariance - ahead) @ back.mT
        means.append(mean)
        covariances.append(covariance)
    return torch.stack(means[::-1], 1), torch.stack(covariances[::-1], 1)


def _take(y: Any, mask: Any | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """The series with 0 in its gaps, and its mask, of the model's precision and device."""
    y = as_tensor(y, like, "y")
    if y.ndim != 2:
        raise ShapeError("y", y.shape, "(batch, steps)", "give y.unsqueeze(0) for a single series")
    if not y.is_floating_point():
        y = y.to(like.dtype)
    mask = torch.ones_like(y, dtype=torch.bool) if mask is None else as_tensor(mask, like, "mask")
    if mask.shape != y.shape:
        raise ShapeError("mask", mask.shape, f"{tuple(y.shape)} as y", "give True where an entry is observed")
    if mask.dtype != torch.bool:
        raise VAEError(f"mask is of {mask.dtype}, expected torch.bool, True where observed; give mask.bool()")
    y = torch.where(mask, y, 0.0)
    if not bool(y.isfinite().all()):
        row, step = (~y.isfinite()).nonzero()[0].tolist()
        raise VAEError(f"y[{row}, {step}] is observed and no finite number; mask it, a gap is a missing entry")
    return y, mask
