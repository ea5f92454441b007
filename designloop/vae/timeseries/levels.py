"""The local level model as a VAE: a level that drifts, seen through noise; exact with a ``NewtonEncoder``.

    z_1 ~ N(0, start²),   z_{t+1} = z_t + η_t,  η ~ N(0, wander²),   x_t | z_t ~ N(z_t, noise)

Its posterior is a normal chain, so Newton's method is there in one step, and the ELBO is the evidence that a Kalman
filter gives (``kalman.local_level``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.inference.newton import NewtonEncoder
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.model import VAE
from designloop.vae.priors.autoregressive import RandomWalk


class LevelDecoder(nn.Module):
    """From a path to the params of a ``HeteroscedasticGaussian``: the path itself, and one variance for all steps.

    Args:
        noise: variance to start from.

    Raises:
        VAEError: ``noise`` is not positive.
    """

    def __init__(self, noise: float = 1.0) -> None:
        super().__init__()
        if noise <= 0:
            raise VAEError(f"noise is {noise}, expected a positive variance, in the data's unit squared")
        self.log_noise = nn.Parameter(torch.tensor(math.log(noise)))

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., steps) -> (..., 2 · steps) means and log variances."""
        return torch.cat([z, self.log_noise.expand_as(z)], -1)


def local_level_vae(steps: int, wander: float, noise: float, start_variance: float = 1e6) -> VAE:
    """The local level model in float64, with the encoder that is exact for it.

    Args:
        steps: of a series.
        wander: variance of a step. noise: variance of an observation; both to start from.
        start_variance: of the first level.
    """
    for name, value in (("wander", wander), ("start_variance", start_variance)):
        if value <= 0:
            raise VAEError(f"{name} is {value}, expected a positive variance, in the data's unit squared")
    prior = RandomWalk(steps, wander=math.sqrt(wander), start=math.sqrt(start_variance)).double()
    decoder, likelihood = LevelDecoder(noise).double(), HeteroscedasticGaussian(least=0.0)
    prior.raw.data.fill_(0.5 * math.log(wander))  # in the precision that it has now
    prior.start.fill_(math.sqrt(start_variance))
    decoder.log_noise.data.fill_(math.log(noise))
    return VAE(NewtonEncoder(prior, decoder, likelihood), decoder, likelihood, prior)
