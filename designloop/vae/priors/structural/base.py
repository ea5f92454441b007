"""What a structural causal model with additive noise is to a VAE: a prior that knows of interventions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import require_diagonal
from designloop.vae.posteriors.partly_set import PartlySet
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import noise_for
from designloop.vae.priors.structural.graph import generations

Do = Mapping[int, float | Tensor]
"""Interventions: unit -> the value that it is set to, a number or (batch,); NaN leaves a row's unit alone."""


class Structural(Prior):
    """z_i = f_i(z_j, j causes i) + s_i ε_i,  ε ~ N(0, I): the base class, to which a subclass gives the ``means`` f.

    Its density is that of the noise, as each unit moves its own noise one to one and later ones do not move earlier
    ones: |∂ε/∂z| = Π 1/s_i. Given z, the noise is known, and with it what z would have been under any intervention.

    Args:
        causes: (latent, latent) True at [i, j] where unit j causes unit i. In any order, but without a cycle.
        key: name of the context's entry with interventions, (batch, latent): what units are set to, NaN where they are
            left alone, as ``interventions`` writes it. Draws, densities, posteriors and the KL are then those under
            do(z_i = v): unit i is v, and owes nothing to its causes. Rows without any are observations.

    Raises:
        ShapeError: ``causes`` is not square.
        VAEError: it has a cycle.

    Source: Pearl 2009, "Causality", sections 1.4 and 7.1 (interventions and counterfactuals).
    """

    causes: Tensor
    """As given."""
    generations: list[list[int]]
    """The units, each generation behind their causes."""

    def __init__(self, causes: Tensor, key: str = "do") -> None:
        super().__init__()
        self.generations = generations(causes)
        self.latent, self.key = causes.shape[0], key
        self.register_buffer("causes", causes.bool())
        self.log_scale = nn.Parameter(torch.zeros(self.latent))

    @abstractmethod
    def means(self, z: Tensor) -> Tensor:
        """(..., latent) f: what each unit is without its noise, given its causes in z (..., latent), and them alone."""

    def noise_of(self, z: Tensor) -> Tensor:
        """(..., latent) s ε that made z, from (..., latent)."""
        return z - self.means(z)

    def from_noise(self, noise: Tensor, do: Do | None = None) -> Tensor:
        """(..., latent) z of s ε, from causes to effects; units under ``do`` are what they are set to.

        Raises:
            VAEError: ``do`` names a unit that is not there.
        """
        return self._under(noise, self._settings(do or {}, noise))

    def interventions(self, do: Do, rows: int) -> Tensor:
        """(rows, latent) for ``context[key]``: the units of ``do`` set to their values, NaN where they are left alone.

        Raises:
            VAEError: ``do`` names a unit that is not there.
        """
        return self._settings(do, self.log_scale.detach().expand(rows, -1))

    def sample(
        self, n: int, context: Context | None = None, generator: torch.Generator | None = None, do: Do | None = None
    ) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent); under interventions where ``do`` is given.

        Raises:
            VAEError: ``do`` is given and the context has interventions too.
        """
        noise = self.log_scale.exp() * noise_for(n, self.latent, self.log_scale, context, generator)
        values = self._set(context)
        if values is not None and do:
            raise VAEError(f"do is given, and context[{self.key!r}] too; give one of them")
        return self._under(noise, self._settings(do or {}, noise) if values is None else values)

    def counterfactual(self, z: Tensor, do: Do, context: Context | None = None) -> Tensor:
        """(..., batch, latent) what z would have been under ``do``, all noise the same.

        Abduction, of the noise that made z; action, the setting of units; prediction, of what follows.

        Args:
            context: of the rows as they were: units that were set stay so, unless ``do`` sets them anew.
        """
        settings, values = self._settings(do, z), self._set(context)
        if values is not None:
            settings = torch.where(settings.isnan(), values, settings)
        return self._under(self.noise_of(z), settings)

    def settle(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch, latent) z with the units that the context sets at what they are set to."""
        values = self._set(context)
        return z if values is None else torch.where(values.isnan(), z, torch.nan_to_num(values))

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent), of the units that are not set."""
        values = self._set(context)
        units = (
            -0.5 * ((self.noise_of(self.settle(z, context)) / self.log_scale.exp()).square() + LOG_2PI) - self.log_scale
        )
        return (units if values is None else torch.where(values.isnan(), units, 0.0)).sum(-1)

    def condition(self, posterior: Posterior, context: Context | None = None) -> Posterior:
        """The posterior of what is not set, beside what is.

        Raises:
            VAEError: units are set and the posterior is not diagonal.
        """
        values = self._set(context)
        if values is None:
            return posterior
        return PartlySet(require_diagonal(posterior, "an intervention"), values)

    def _settings(self, do: Do, like: Tensor) -> Tensor:
        """Of the shape of ``like`` (..., batch, latent): what ``do`` sets units to, NaN elsewhere.

        Raises:
            ShapeError: a value is neither a number nor one a row.
            VAEError: ``do`` names a unit that is not there.
        """
        if unknown := sorted(set(do) - set(range(self.latent))):
            raise VAEError(f"do sets unit {unknown[0]}, the units are 0 to {self.latent - 1}; give one of them")
        settings, rows = torch.full_like(like, torch.nan), like.shape[-2] if like.ndim > 1 else 1
        for unit, value in do.items():
            setting = torch.as_tensor(value, dtype=like.dtype, device=like.device)
            if setting.ndim > 1 or (setting.ndim == 1 and len(setting) != rows):
                raise ShapeError(f"do[{unit}]", setting.shape, f"() or ({rows},)", "give a number, or one a row")
            settings[..., unit] = setting
        return settings

    def _set(self, context: Context | None) -> Tensor | None:
        """(batch, latent) what the context sets units to, NaN where it does not."""
        if context is None or self.key not in context:
            return None
        values = context[self.key]
        if values.ndim != 2 or values.shape[1] != self.latent:
            raise ShapeError(
                f"context[{self.key!r}]", values.shape, f"(batch, {self.latent})", "write it with prior.interventions"
            )
        return values

    def _under(self, noise: Tensor, values: Tensor) -> Tensor:
        """(..., batch, latent) z of noise, with the values, (batch, latent) or as the noise, where they are numbers."""
        units = list(noise.unbind(-1))
        set_to, is_free = torch.nan_to_num(values), values.isnan()
        for generation in self.generations:
            means = self.means(torch.stack(units, -1))
            for i in generation:
                units[i] = torch.where(is_free[..., i], units[i] + means[..., i], set_to[..., i])
        return torch.stack(units, -1)
