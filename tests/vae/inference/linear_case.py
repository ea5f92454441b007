"""A linear-Gaussian model with a rough encoder, and rows with missing entries, whose exact law is known."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.likelihoods.base import Likelihood
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.standard_normal import StandardNormal

NOISE = 0.25

WEIGHTS = torch.tensor([[1.5, 0.3], [0.2, -1.0], [0.7, 0.7], [-0.4, 1.1]], dtype=torch.float64)

X = torch.tensor([[1.0, 0.5, -0.3, 2.0], [-1.0, 0.1, 0.2, 0.4], [0.3, 0.6, -1.2, 0.0]], dtype=torch.float64)
MASK = torch.tensor([[1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]], dtype=torch.bool)
HIDDEN = X.masked_fill(~MASK, torch.nan)


def rough_vae(
    likelihood: Likelihood | None = None, outputs: int = 4, *, prior: Prior | None = None, gain: float = 0.4,
    width: float = 1.2,
) -> VAE:  # fmt: skip
    """The model with an encoder that is off in mean and width; with other outputs than 4, a decoder of random weights.

    Args:
        gain: of the encoder's mean. width: its standard deviation.
    """
    decoder = MLPDecoder(2, outputs).double()
    if outputs == 4:
        decoder.load_state_dict({"net.0.weight": WEIGHTS, "net.0.bias": torch.zeros(4).double()})

    def encode(x: Tensor, mask: Tensor | None, context: object) -> DiagonalNormal:
        x = torch.where(mask, x, torch.zeros_like(x)) if mask is not None else x
        mean = gain * x @ WEIGHTS
        return DiagonalNormal(mean, torch.full_like(mean, width))

    likelihood = likelihood or Gaussian(4, NOISE, learned=False).double()
    return VAE(encode, decoder, likelihood, prior or StandardNormal(2).double())
