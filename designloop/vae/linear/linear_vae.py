"""Linear VAEs of the library's own parts, whose every number can be compared with a closed form.

A ``LinearGaussian`` as a VAE (``as_vae``, or ``exact_vae`` where entries are missing), a VAE to be fitted
(``untrained_vae``), and what a fitted one has learnt as a ``LinearGaussian`` again. At PPCA's maximum ELBO = IWAE for
every k = evidence; the optima of the trained one are PPCA's, in the canonical rotation, which the diagonal encoder asks
for.

Source: Lucas et al. 2019, "Don't blame the ELBO! A linear VAE perspective on posterior collapse".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.linear.linear_gaussian import LinearGaussian, canonicalise, posterior
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.posteriors.full_normal import FullNormal
from designloop.vae.priors.standard_normal import StandardNormal


def as_vae(model: LinearGaussian, widen: float = 1.0) -> VAE:
    """The model as a VAE of the library's parts, in the canonical rotation: its ELBO is ``log_evidence``.

    Args:
        widen: factor on the encoder's standard deviations; each row's ELBO falls by latent (w² − 1 − ln w²)/2.

    Raises:
        VAEError: a unit is known more sharply than an ``MLPEncoder`` can say.
    """
    model = canonicalise(model)
    features, latent = model.weights.shape
    scaled = model.weights / model.variance.unsqueeze(-1)
    precision = 1 + (model.weights * scaled).sum(0)
    log_scale = math.log(widen) - 0.5 * precision.log()
    if float(log_scale.min()) < -10 or float(log_scale.max()) > 5:
        raise VAEError(
            f"an encoder of log scales {log_scale.tolist()} was asked for, expected within -10 … 5; "
            "scale the data or lower latent"
        )
    gain = (scaled / precision).T
    with torch.device("meta"):  # the weights come from the model, none are drawn
        encoder, decoder = MLPEncoder(features, latent), MLPDecoder(latent, features)
    bias = torch.cat([-gain @ model.offset, log_scale])
    encoder.load_state_dict(
        {"net.0.weight": torch.cat([gain, torch.zeros_like(gain)]), "net.0.bias": bias}, assign=True
    )
    decoder.load_state_dict({"net.0.weight": model.weights.clone(), "net.0.bias": model.offset.clone()}, assign=True)
    likelihood = Gaussian(features, per_feature=len(model.variance) > 1)
    likelihood.load_state_dict({"log_variance": model.variance.log()}, assign=True)
    return VAE(encoder, decoder, likelihood, StandardNormal(latent).to(model.weights))


def exact_vae(model: LinearGaussian) -> VAE:
    """The model as a VAE whose encoder is its decoder's posterior under any mask, of full covariance.

    ELBO and IWAE are ``log_evidence`` at every draw, and the gradient of the ELBO is that of the evidence: the KL is
    taken at the draw, and its noise cancels that of log p(x | z). The encoder has no weights of its own, so that it is
    as exact while the model is fitted: the linear family of Gaussians with missing entries, by its maximum likelihood.
    ``reconstruct`` is the mean of the missing entries given the observed ones.
    """
    vae = as_vae(model)
    assert isinstance(vae.decoder, MLPDecoder)
    assert isinstance(vae.likelihood, Gaussian)
    return VAE(_ExactEncoder(vae.decoder, vae.likelihood), vae.decoder, vae.likelihood, vae.prior)


def untrained_vae(
    features: int,
    latent: int,
    generator: torch.Generator,
    *,
    per_feature: bool = False,
    dtype: torch.dtype | None = None,
) -> VAE:
    """A linear VAE to be fitted: decoder weights N(0, 1/features), noise variance 1, the encoder that fits them."""
    weights = torch.randn(features, latent, generator=generator, dtype=dtype, device=generator.device)
    weights = weights / math.sqrt(features)
    variance = weights.new_ones(features if per_feature else 1)
    return as_vae(LinearGaussian(weights, weights.new_zeros(features), variance))


@torch.no_grad()
def linear_gaussian_of(vae: VAE) -> LinearGaussian:
    """What the decoder and likelihood of a linear VAE say, so that its exact evidence is known whatever its encoder.

    Raises:
        VAEError: the decoder is not linear, or the likelihood is not a Gaussian of its own variance.
    """
    likelihood = vae.likelihood
    if not isinstance(likelihood, Gaussian):
        raise VAEError(f"the likelihood is {type(likelihood).__name__}, expected Gaussian; its evidence is not closed")
    axes = _axes(vae)
    offset = vae.decode(torch.zeros_like(axes[:1]))[0]
    weights = vae.decode(axes) - offset
    far = vae.decode(-3 * axes) - offset
    if not torch.allclose(far, -3 * weights, rtol=1e-3, atol=1e-4 * float(weights.abs().max())):
        raise VAEError("the decoder is not linear in z; give MLPDecoder no hidden widths, or use importance_evidence")
    return LinearGaussian(weights.T, offset, likelihood.log_variance.exp())


@torch.no_grad()
def expected_elbo(vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
    """(batch,) the ELBO without noise, exact where log p(x | z) is quadratic in z, as in every linear VAE.

    Averages ``vae.elbo`` over the 2·latent points ±√latent eᵢ, whose mean and covariance are the noise's.

    Source: Arasaratnam & Haykin 2009, "Cubature Kalman filters".
    """
    axes = math.sqrt(vae.prior.latent) * _axes(vae)
    points = torch.cat([axes, -axes])
    return torch.stack([vae.elbo(x, mask, context, noise=point.expand(len(x), -1)) for point in points]).mean(0)


def _axes(vae: VAE) -> Tensor:
    """(latent, latent) the unit vectors of the latent, of the model's dtype and device."""
    like = vae.draw_noise(0)
    return torch.eye(vae.prior.latent, dtype=like.dtype, device=like.device)


class _ExactEncoder(nn.Module):
    """The posterior of what a linear decoder and its likelihood say, whose weights it shares."""

    def __init__(self, decoder: MLPDecoder, likelihood: Gaussian) -> None:
        super().__init__()
        self.decoder, self.likelihood = decoder, likelihood

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> FullNormal:
        """(batch, features) -> (batch, latent) posterior."""
        layer = self.decoder.net[0]
        assert isinstance(layer, nn.Linear)
        variance = self.likelihood.log_variance.exp()
        return posterior(LinearGaussian(layer.weight, layer.bias, variance), x, mask)
