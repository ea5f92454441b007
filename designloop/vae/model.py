"""VAE = encoder + decoder + likelihood + prior.

    z ~ p(z | context),   x | z ~ likelihood(decoder(z, context))            generative process
    q(z | x) = encoder(x, mask, context)                                     approximate posterior

The four parts are plain objects that can be replaced one by one. Source: Kingma & Welling 2014; Burda et al. 2016
(IWAE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import require_base
from designloop.vae.doors import as_numbers, as_tensor, take, take_context, take_weights
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.forward_pass import ForwardPass as ForwardPass
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.posteriors.base import NotEncoded, Posterior, standard_noise
from designloop.vae.priors.base import Prior

Encoder = Callable[[Tensor, Tensor | None, Context | None], Posterior]
Decoder = Callable[[Tensor, Context | None], Tensor]


class VAE(nn.Module):
    """A variational autoencoder, composed of four parts.

    Args:
        encoder: (x, mask, context) -> ``Posterior``: ``DiagonalNormal``, ``FullNormal``, ``MarkovNormal``, …
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

    def take_rows(
        self, x: Any, mask: Any | None = None, context: Mapping[str, Any] | None = None
    ) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        """Rows, mask and context as tensors of the model's precision and device: the door of every call on data.

        Args:
            x: (batch, …) a tensor, an array, a data frame, a sparse matrix or lists.
            mask: of the same shape, True where an entry is observed.
            context: name -> (batch, …).

        Raises:
            ShapeError: they do not go together.
            VAEError: x has observed entries that are NaN or infinite, the mask observes nothing of some row, or
                something is no number.
        """
        return take(self._like(), x, mask, context)

    def encode(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Posterior:
        """q(z | x), (batch, latent).

        Raises:
            ShapeError: rows, mask and context do not go together, or the encoder's z is not as wide as the prior's.
            VAEError: x cannot be (``take_rows``).
        """
        return self._encode(*self.take_rows(x, mask, context))

    def _encode(self, x: Tensor, mask: Tensor | None, context: Context) -> Posterior:
        posterior = self.encoder(x, mask, context)
        shape = posterior.mean.shape
        if tuple(shape) != (len(x), self.prior.latent):
            wanted = f"({len(x)}, {self.prior.latent}), a row of the prior's width for each of x"
            raise ShapeError("the encoder's mean", shape, wanted, "build encoder and prior with one latent width")
        return self.prior.condition(posterior, context)

    def _like(self) -> Tensor | None:
        """A weight, of the precision and on the device that the model computes in; None for a model without any."""
        return next((p for p in self.parameters() if p.is_floating_point()), None)

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
        *,
        generator: torch.Generator | None = None,
        draws: int | None = None,
        z: Tensor | None = None,
        encode: bool = True,
    ) -> ForwardPass:
        """One batch through encoder, posterior, decoder and likelihood; pure given ``noise`` or ``z``.

        Args:
            x: (batch, …) data.
            noise: (batch, noise_width) standard normal, or (draws, batch, noise_width); None draws it.
            generator: of the noise where none is given, and of terms that draw; None decodes the posterior mean.
            draws: of each row, where the generator makes the noise; None for one.
            z: (batch, latent) where the rows are decoded from, in place of draws of their posteriors. A KL that has no
                closed form is then that at one draw of each posterior, from the generator, and NaN without one.
            encode: False leaves the encoder out, where z is given and nothing asks for posteriors: the pass has none,
                and its KL is NaN.

        Raises:
            ShapeError: rows, mask, context, targets, weights, noise and latents do not go together.
            VAEError: x has observed entries that are NaN or infinite, or the mask observes nothing of some row. Or z is
                given and is to be drawn as well, or neither given nor made by the encoder.
        """
        x, mask, context = self.take_rows(x, mask, context)
        targets, weights = (
            take_context(self._like(), targets, len(x), "targets"),
            take_weights(self._like(), weights, len(x)),
        )
        if z is None and not encode:
            raise VAEError(
                "found encode=False without z, expected latents to decode; give z, or let the rows be encoded"
            )
        posterior = self._encode(x, mask, context) if encode else NotEncoded()
        if z is not None:
            z = self._take_latents(z, len(x), drawn=noise is not None or draws is not None)
        elif noise is None and generator is not None:
            noise = self.draw_noise(len(x), generator, draws, width=posterior.noise_width)
        elif noise is not None:
            noise = self._take_noise(noise, len(x), posterior.noise_width)
        is_given, copies = z is not None, 1 if noise is None or noise.ndim == 2 else len(noise)
        if noise is not None and noise.ndim == 3:
            rows = torch.arange(len(x), device=x.device).repeat(copies)
            x, mask, posterior, noise = (
                x[rows],
                None if mask is None else mask[rows],
                posterior[rows],
                noise.flatten(0, 1),
            )
            context = {name: value[rows] for name, value in context.items()}
            targets = {name: value[rows] for name, value in targets.items()}
            weights = None if weights is None else weights[rows]
        if z is None:
            z = posterior.mean if noise is None else posterior.at(noise)
        params, logits, log_prob = self.decode_and_score(x, z, mask, context)
        return ForwardPass(
            x=x,
            mask=mask,
            posterior=posterior,
            z=z,
            params=params,
            log_prob=log_prob,
            kl=self._kl(posterior, z, context, generator, is_given) if encode else torch.full_like(log_prob, torch.nan),
            context=context,
            targets=targets,
            weights=weights,
            logits=logits,
            noise=noise,
            generator=generator,
            draws=copies,
            prior=self.prior,
            likelihood=self.likelihood,
        )

    def _kl(
        self, posterior: Posterior, z: Tensor, context: Context, generator: torch.Generator | None, is_given: bool
    ) -> Tensor:
        """(batch,) KL(posterior || prior) in nats; at z, where it has no closed form, unless z was given.

        At latents from elsewhere log q(z) − log p(z) is no estimate of a KL, and has no least value.
        """
        kl = self.prior.kl(posterior, z, context)
        if not is_given or torch.equal(kl, self.prior.kl(posterior, z + 1, context)):  # closed: it does not look at z
            return kl
        if generator is None:
            return torch.full_like(kl, torch.nan)
        noise = self.draw_noise(len(z), generator, width=posterior.noise_width)
        return self.prior.kl(posterior, posterior.at(noise), context)

    def _take_latents(self, z: Tensor, rows: int, drawn: bool) -> Tensor:
        """Given latents, if they are of the rows' number and the prior's width, and nothing asks for draws."""
        taken: Tensor = as_numbers(z, self._like(), "z")
        if tuple(taken.shape) != (rows, self.prior.latent):
            raise ShapeError("z", taken.shape, f"({rows}, {self.prior.latent})", "give one latent for each row")
        if drawn:
            raise VAEError("found z as well as noise or draws, expected one of them; leave z out where it is drawn")
        return taken

    def _take_noise(self, noise: Tensor, rows: int, width: int) -> Tensor:
        """Given noise, if it is of the rows' number and the posterior's width: a narrower one would be shared."""
        taken: Tensor = as_numbers(noise, self._like(), "noise")
        if taken.ndim not in (2, 3) or tuple(taken.shape[-2:]) != (rows, width):
            wanted = f"({rows}, {width}), or (draws, {rows}, {width})"
            raise ShapeError("noise", taken.shape, wanted, "draw it by vae.draw_noise, or give a generator")
        return taken

    def elbo(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, noise: Tensor) -> Tensor:
        """(batch,) evidence lower bound in nats at one draw a row; pure, compiles whole.

        Args:
            noise: (batch, latent) standard normal.
        """
        out = self(x, mask, context, noise)
        bound: Tensor = out.log_prob - out.kl
        return bound

    def draw_noise(
        self,
        batch: int,
        generator: torch.Generator | None = None,
        samples: int | None = None,
        width: int | None = None,
    ) -> Tensor:
        """(batch, width) standard normal noise, or (samples, batch, width), of the model's dtype and device.

        A model without parameters has torch's default dtype, and the generator's device.

        Args:
            width: ``noise_width`` of the posterior; None for the latent's, which is that of every normal.
        """
        like = self._like()
        if like is None:
            like = torch.empty(0, device=None if generator is None else generator.device)
        return standard_noise(like.new_empty(batch, width or self.prior.latent), generator, samples)

    @torch.no_grad()
    def sample(
        self, n: int, context: Context | None = None, generator: torch.Generator | None = None, **options: Any
    ) -> Tensor:
        """(n, …) data drawn from the prior and the likelihood, each row under its own of the context.

        Args:
            context: name -> (n, …), or (1, …) for what is the same of all n.
            options: passed on to the likelihood's ``sample`` (a temperature, say).

        Raises:
            ShapeError: the context has neither n rows nor one.
        """
        if context:
            rows = {name: as_tensor(value, self._like(), f"context[{name!r}]") for name, value in context.items()}
            alike = all(value.ndim > 0 and len(value) == 1 for value in rows.values())
            context = take_context(
                self._like(),
                {name: value.expand(n, *value.shape[1:]) for name, value in rows.items()} if alike else rows,
                n,
            )
        z = self.prior.sample(1, context, generator)[0] if context else self.prior.sample(n, None, generator)
        drawn: Tensor = self.likelihood.sample(self.decode(z, context), generator, context, **options)
        return drawn

    @torch.no_grad()
    def reconstruct(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch, …) the likelihood's mean at the posterior mean.

        Raises:
            CapabilityError: the likelihood has no ``mean``.
            VAEError: x cannot be (``take_rows``).
        """
        x, mask, context = self.take_rows(x, mask, context)
        return self.likelihood.mean(self.decode(self._encode(x, mask, context).mean, context), context)
