"""VAE = encoder + decoder + likelihood + prior.

    z ~ p(z | context),   x | z ~ likelihood(decoder(z, context))            generative process
    q(z | x) = encoder(x, mask, context)                                     approximate posterior

The four parts are plain objects that can be replaced one by one. Source: Kingma & Welling 2014; Burda et al. 2016
(IWAE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import require_base
from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.checks import require_rows
from designloop.vae.posteriors.base import standard_noise
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior

Encoder = Callable[[Tensor, Tensor | None, Context | None], DiagonalNormal]
Decoder = Callable[[Tensor, Context | None], Tensor]


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """What every term of a loss sees: one batch on its way through the VAE."""

    x: Tensor
    """(batch, …) data."""
    mask: Tensor | None
    """True where an entry of x is observed."""
    posterior: DiagonalNormal
    z: Tensor
    """(batch, latent) drawn from the posterior."""
    params: Any
    """(batch, …) decoder output at z."""
    log_prob: Tensor
    """(batch,) log p(x | z), nats."""
    kl: Tensor
    """(batch,) KL(q(z | x) || p(z)), nats."""
    context: Mapping[str, Tensor] = field(default_factory=dict)
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    """What penalties compare with: name -> (batch, …)."""
    weights: Tensor | None = None
    """(batch,) weight of each row in the loss."""
    logits: Tensor | None = None
    """(batch, length, vocabulary) next-token logits along x, of a likelihood that works token by token."""


class VAE(nn.Module):
    """A variational autoencoder, composed of four parts.

    Args:
        encoder: (x, mask, context) -> ``DiagonalNormal``.
        decoder: (z, context) -> params of the likelihood.
        likelihood: params -> distribution over x.
        prior: distribution over z.

    Raises:
        VAEError: the likelihood does not derive from ``Likelihood``, or the prior not from ``Prior``.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, likelihood: Likelihood, prior: Prior) -> None:
        super().__init__()
        require_base(likelihood, Likelihood)
        require_base(prior, Prior)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.prior = prior

    def with_prior(self, prior: Prior) -> Self:
        """The same VAE, of the same class and with its parts shared, with another prior to sample from.

        Raises:
            VAEError: the prior is of another latent width, or does not derive from ``Prior``.
        """
        require_base(prior, Prior)
        if prior.latent != self.prior.latent:
            raise VAEError(
                f"the prior has {prior.latent} units, this VAE {self.prior.latent}; fit the prior on this VAE's latents"
            )
        other = copy(self)
        other._modules = dict(self._modules)  # a copy's own, so that the prior is replaced in it alone
        other.prior = prior
        return other

    def encode(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """q(z | x), (batch, latent)."""
        return self.encoder(x, mask, context)

    def decode(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch, …) params of the likelihood at z (batch, latent)."""
        params: Tensor = self.decoder(z, context)
        return params

    def decode_along(self, x: Tensor, z: Tensor, context: Context | None = None) -> Tensor:
        """``decode``, or as much of it as the probability of ``x`` (batch, …) takes; a subclass may know of less."""
        return self.decode(z, context)

    def decode_and_score(
        self, x: Tensor, z: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Decoder output at z, next-token logits along x if the likelihood works token by token, and log p(x | z).

        Args:
            x: (batch, …) data.
            z: (batch, latent).

        Returns:
            (batch, …), (batch, length, vocabulary) or None, and (batch,) nats.
        """
        params = self.decode_along(x, z, context)
        log_prob, logits = self.likelihood.score(params, x, mask, context)
        return params, logits, log_prob

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        context: Context | None = None,
        noise: Tensor | None = None,
        targets: Mapping[str, Tensor] | None = None,
        weights: Tensor | None = None,
    ) -> ForwardPass:
        """One batch through encoder, posterior, decoder and likelihood; pure given ``noise``.

        Args:
            x: (batch, …) data.
            noise: (batch, latent) standard normal; None decodes the posterior mean.

        Raises:
            VAEError: x has observed entries that are NaN or infinite, or the mask observes nothing of some row.
        """
        require_rows(x, mask)
        posterior = self.encode(x, mask, context)
        z = posterior.mean if noise is None else posterior.at(noise)
        params, logits, log_prob = self.decode_and_score(x, z, mask, context)
        return ForwardPass(
            x=x,
            mask=mask,
            posterior=posterior,
            z=z,
            params=params,
            log_prob=log_prob,
            kl=self.prior.kl(posterior, z, context),
            context=context or {},
            targets=targets or {},
            weights=weights,
            logits=logits,
        )

    def elbo(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, noise: Tensor) -> Tensor:
        """(batch,) evidence lower bound in nats at one draw a row; pure, compiles whole.

        Args:
            noise: (batch, latent) standard normal.
        """
        out = self(x, mask, context, noise)
        bound: Tensor = out.log_prob - out.kl
        return bound

    def draw_noise(self, batch: int, generator: torch.Generator | None = None, samples: int | None = None) -> Tensor:
        """(batch, latent) standard normal noise, or (samples, batch, latent), of the model's dtype and device."""
        like = next(p for p in self.parameters() if p.is_floating_point())
        return standard_noise(like.new_empty(batch, self.prior.latent), generator, samples)

    @torch.no_grad()
    def sample(
        self, n: int, context: Context | None = None, generator: torch.Generator | None = None, **options: Any
    ) -> Tensor:
        """(n, …) data drawn from the prior and the likelihood, or one a row of the context where that has n rows.

        Args:
            context: name -> (n, …); each row is drawn under its own.
            options: passed on to the likelihood's ``sample`` (a temperature, say).
        """
        z = self.prior.sample(1, context, generator)[0] if context else self.prior.sample(n, None, generator)
        drawn: Tensor = self.likelihood.sample(self.decode(z, context), generator, context, **options)
        return drawn

    @torch.no_grad()
    def reconstruct(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch, …) the likelihood's mean at the posterior mean.

        Raises:
            CapabilityError: the likelihood has no ``mean``.
        """
        require_rows(x, mask)
        return self.likelihood.mean(self.decode(self.encode(x, mask, context).mean, context), context)
