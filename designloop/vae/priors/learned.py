"""A prior that is learned after the VAE, from its latents: a mixture of full-covariance Gaussians.

    p(z) = sum_k w_k N(z; m_k, C_k),        p(z | σ) = sum_k w_k N(z; m_k, C_k + σ² I)

The aggregate posterior of a trained VAE is no standard normal; a prior fitted to it is what samples should be drawn
from ("ex-post density estimation", Ghosh et al. 2020, "From variational to deterministic autoencoders"). The noise
level σ is read from ``context["noise"]`` and is 0 without it: convolved with a normal, a mixture stays one.
"""

from __future__ import annotations

import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import noise_level
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import rows_of


class LearnedPrior(Prior):
    """A fitted mixture; make one by ``LearnedPrior.fit`` and give it to ``vae.with_prior``.

    Args:
        weights: (components,) positive; they are scaled to add up to one.
        means: (components, latent).
        covariances: (components, latent, latent) symmetric, positive definite.

    Raises:
        ShapeError: the three do not go together.
        VAEError: a covariance is not positive definite, or a weight not positive.
    """

    weights: Tensor
    means: Tensor
    variances: Tensor
    axes: Tensor

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        super().__init__()
        components, self.latent = means.shape
        if weights.shape != (components,) or covariances.shape != (components, self.latent, self.latent):
            raise ShapeError(
                "covariances",
                covariances.shape,
                f"({components}, {self.latent}, {self.latent}) with weights ({components},)",
                "give one weight, one mean and one covariance a component",
            )
        # Along its axes a covariance stays diagonal whatever noise is added to it.
        variances, axes = torch.linalg.eigh(covariances)
        if float(variances.min()) <= 0 or float(weights.min()) <= 0:
            raise VAEError(
                f"the smallest weight is {float(weights.min()):.3g} and the smallest variance "
                f"{float(variances.min()):.3g}, expected positive ones; fit with fewer components or a larger floor"
            )
        self.register_buffer("weights", weights / weights.sum())
        self.register_buffer("means", means)
        self.register_buffer("variances", variances)
        self.register_buffer("axes", axes)

    @classmethod
    def fit(cls, latents: Tensor, components: int = 1, seed: int = 0, floor: float = 1e-4) -> LearnedPrior:
        """The mixture of highest likelihood, by expectation maximisation from k-means (scikit-learn's).

        Args:
            latents: (n, latent) posterior means, or draws from the posteriors, of the training data.
            components: 1 is the Gaussian with the latents' own mean and covariance.
            seed: of the k-means start.
            floor: added to each variance, in units of the latents' mean variance.

        Raises:
            ShapeError: not two-dimensional, or fewer rows than ``latent + 1`` a component.
            VAEError: latents that are not finite.
        """
        least = components * (latents.shape[-1] + 1)
        if latents.ndim != 2 or len(latents) < least:
            raise ShapeError(
                "latents", latents.shape, f"(at least {least}, latent)", "encode more rows or ask for fewer components"
            )
        if not bool(latents.isfinite().all()):
            raise VAEError("latents hold NaN or infinite values, expected finite ones; look at the rows encoded")
        rows = latents.detach().double().cpu()
        added = floor * float(rows.var(0).mean())
        mixture = GaussianMixture(components, covariance_type="full", reg_covar=added, random_state=seed)
        with warnings.catch_warnings():
            # A fit that is still creeping up after 100 steps is a fit; its likelihood is there to be looked at.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(rows.numpy())
        fitted = (torch.as_tensor(array) for array in (mixture.weights_, mixture.means_, mixture.covariances_))
        return cls(*fitted).to(latents.device, latents.dtype)

    @property
    def covariances(self) -> Tensor:
        """Of each component without noise, (components, latent, latent)."""
        return (self.axes * self.variances.unsqueeze(-2)) @ self.axes.mT

    def _noise_variance(self, context: Context | None) -> Tensor:
        """() or (batch, 1): σ²."""
        level = noise_level(context)
        return self.means.new_zeros(()) if level is None else level.square()

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent), each at the noise level of its row."""
        rows = rows_of(context)
        shape = (n,) if rows is None else (n, rows)
        many = math.prod(shape)
        if many == 0:
            return self.means.new_zeros(*shape, self.latent)
        chosen = torch.multinomial(self.weights, many, replacement=True, generator=generator)
        standard = torch.randn(many, self.latent, dtype=self.means.dtype, device=self.means.device, generator=generator)
        flat: Tensor = self.means[chosen]
        for component in range(len(self.weights)):  # (latent, latent) axes a draw would be large
            of = chosen == component
            flat[of] += (standard[of] * self.variances[component].sqrt()) @ self.axes[component].T
        z: Tensor = flat.unflatten(0, shape)
        noise = self._noise_variance(context).sqrt()
        if noise.ndim:
            more = torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=generator)
            z = z + noise * more
        return z

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z), in nats.

        Args:
            z: (..., batch, latent).
        """
        noise = self._noise_variance(context)
        parts = []
        for weight, mean, variance, axes in zip(self.weights, self.means, self.variances, self.axes, strict=True):
            along, wide = (z - mean) @ axes, variance + noise
            units = along.square() / wide + wide.log() + LOG_2PI
            parts.append(weight.log() - 0.5 * units.sum(-1))
        total: Tensor = torch.stack(parts).logsumexp(0)
        return total

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor | None:
        """(batch,) KL(posterior || prior) in nats for one component; None for several."""
        if len(self.weights) > 1:
            return None
        mean, axes = self.means[0], self.axes[0]
        wide = self.variances[0] + self._noise_variance(context)
        along = (posterior.mean - mean) @ axes
        own = posterior.scale.square() @ axes.square()  # the posterior's variance along each axis
        trace = ((own + along.square()) / wide).sum(-1)
        log_volumes = wide.log().sum(-1) - 2 * posterior.scale.log().sum(-1)
        return 0.5 * (trace - self.latent + log_volumes)
