"""Mixtures as priors: of learned normals, and of the posteriors of learned pseudo-inputs (VampPrior).

Neither has a closed KL: it is log q(z) − log p(z) at the draw.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import log_normal, noise_for, rows_of


class GaussianMixture(Prior):
    """p(z) = Σ_k π_k N(mean_k, diag(scale_k²)), all learned.

    Args:
        latent: width of z.
        components: how many.
        generator: draws the means to start from, N(0, spread²): components that start alike stay alike.
        spread: of them; the scales start at 1.

    Raises:
        VAEError: there are no components.

    Source: Dilokthanakul et al. 2016, "Deep unsupervised clustering with Gaussian mixture variational autoencoders".
    """

    def __init__(self, latent: int, components: int, generator: torch.Generator, spread: float = 1.0) -> None:
        super().__init__()
        _require_components(components)
        self.latent = latent
        where = generator.device
        self.logits = nn.Parameter(torch.zeros(components, device=where))
        self.means = nn.Parameter(spread * torch.randn(components, latent, generator=generator, device=where))
        self.log_scales = nn.Parameter(torch.zeros(components, latent, device=where))

    def log_joint(self, z: Tensor) -> Tensor:
        """(..., components) log π_k N(z; mean_k, scale_k²) at z (..., latent); its softmax says which it came of."""
        log_densities = log_normal(z.unsqueeze(-2) - self.means, self.log_scales.exp())
        return self.logits.log_softmax(0) + log_densities

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent)."""
        return self.log_joint(z).logsumexp(-1)

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""
        noise = noise_for(n, self.latent, self.means, context, generator)
        chosen = _choose(self.logits, noise[..., 0], generator)
        return self.means[chosen] + self.log_scales[chosen].exp() * noise


class VampPrior(Prior):
    """p(z) = Σ_k π_k q(z | u_k): the encoder's own posteriors of learned pseudo-inputs.

    Args:
        encoder: the VAE's; it is shared, and learns through the prior too.
        inputs: (components, …) pseudo-inputs to start from, rows of the data say.
        latent: width of z.
        transform: what brings pseudo-inputs into the data's range, ``torch.sigmoid`` or ``softplus`` say.
        weighted: learn π too; else all are alike.

    Raises:
        VAEError: there are no pseudo-inputs.

    Source: Tomczak & Welling 2018, "VAE with a VampPrior".
    """

    logits: Tensor

    def __init__(
        self, encoder: nn.Module, inputs: Tensor, latent: int, transform: Callable[[Tensor], Tensor] | None = None,
        weighted: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        _require_components(len(inputs))
        self.latent, self.encoder, self.transform = latent, encoder, transform
        self.inputs = nn.Parameter(inputs.detach().clone())
        logits = torch.zeros_like(inputs.flatten(1)[:, 0])
        if weighted:
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits)

    def components(self, chosen: Tensor | None = None) -> Posterior:
        """q(z | u_k) of all pseudo-inputs, or of those chosen (rows,)."""
        inputs = self.inputs if chosen is None else self.inputs[chosen]
        posterior: Posterior = self.encoder(inputs if self.transform is None else self.transform(inputs), None, None)
        return posterior

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent)."""
        log_densities = self.components().log_prob(z.unsqueeze(-2))
        return (self.logits.log_softmax(0) + log_densities).logsumexp(-1)

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""
        rows = rows_of(context)
        chosen = _choose(self.logits, self.inputs.new_empty(n * (1 if rows is None else rows)), generator)
        drawn = self.components(chosen).rsample(generator)
        return drawn if rows is None else drawn.view(n, rows, self.latent)


def _choose(logits: Tensor, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Numbers of components, of the shape of ``like``."""
    chances = logits.detach().softmax(0)
    return torch.multinomial(chances, like.numel(), replacement=True, generator=generator).view(like.shape)


def _require_components(components: int) -> None:
    if components < 1:
        raise VAEError(f"there are {components} components, expected at least 1; 10 to 500 are usual")
