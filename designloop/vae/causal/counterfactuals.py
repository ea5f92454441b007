"""What rows would have been if units of their latent had been set from outside, all else about them the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.doors import as_tensor
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.model import VAE
from designloop.vae.priors.structural.base import Structural


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Rows as they are expected to be, and as they would have been."""

    factual: Tensor
    """(batch, …) the likelihood's mean."""
    changed: Tensor
    """(batch, …) the same under the interventions; less ``factual`` it is their effect on each row."""
    z: Tensor
    """(batch, latent) mean."""
    changed_z: Tensor
    """(batch, latent) mean under the interventions."""


@torch.no_grad()
def counterfactual(
    vae: VAE, x: Any, mask: Any | None = None, context: Mapping[str, Any] | None = None, *,
    do: Mapping[int, Any], draws: int | None = None, generator: torch.Generator | None = None,
) -> Counterfactual:  # fmt: skip
    """Abduction, action, prediction: the row's noise from its posterior, units set, and what follows, decoded.

    Where the model is linear and Gaussian and its encoder exact, this is E[x′ | x], x′ being x in the world where the
    units were set and all noise of z is the same. Elsewhere it is that up to the posterior's width, which ``draws``
    average over.

    Args:
        do: unit -> the value that it is set to, a number or (batch,).
        draws: of the posterior for each row, to average over; None takes its mean.
        generator: of the draws.

    Raises:
        VAEError: the prior is no structural causal model, ``do`` names a unit that is not there, or draws have no
            generator.
        ShapeError: a value of ``do`` is neither a number nor one a row.
        CapabilityError: the likelihood has no ``mean``.
    """
    prior = require_structural(vae, "counterfactual")
    require(vae.likelihood, "mean")
    if draws is not None and (draws < 1 or generator is None):
        raise VAEError(
            f"draws is {draws} and generator {generator}; give a number of draws and what they are drawn from"
        )
    x, mask, context = vae.take_rows(x, mask, context)
    posterior = vae.encode(x, mask, context)
    settings = {unit: _setting(unit, value, posterior.mean) for unit, value in do.items()}
    if draws is None:
        z = posterior.mean.unsqueeze(0)
    else:
        z = posterior.at(vae.draw_noise(len(x), generator, draws, width=posterior.noise_width))
    changed_z = prior.counterfactual(z, settings, context)
    # An intervention's entry in the context says how the row came to be, and is no condition of the decoder.
    factual, changed = (
        torch.stack([vae.likelihood.mean(vae.decode(drawn, context), context) for drawn in latents]).mean(0)
        for latents in (z, changed_z)
    )
    return Counterfactual(factual, changed, z.mean(0), changed_z.mean(0))


def require_structural(vae: VAE, part: str) -> Structural:
    """The VAE's prior, if it is a structural causal model.

    Raises:
        VAEError: it is another.
    """
    if not isinstance(vae.prior, Structural):
        raise VAEError(
            f"{part} asks for a structural causal model, the prior is {type(vae.prior).__name__}; build the VAE with "
            "StructuralCausal or AdditiveNoise, or take vae.with_prior(prior.settled()) of a LearnedGraph"
        )
    return vae.prior


def _setting(unit: int, value: Any, like: Tensor) -> Tensor:
    setting = as_tensor(value, like, f"do[{unit}]").to(like.dtype)
    if setting.ndim > 1 or (setting.ndim == 1 and len(setting) != len(like)):
        raise ShapeError(f"do[{unit}]", setting.shape, f"() or ({len(like)},)", "give a number, or one a row")
    return setting
