"""A linear VAE and rows for it, as tests of training take them."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal


def linear_vae(features: int = 4, latent: int = 2, seed: int = 0) -> VAE:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VAE(
            MLPEncoder(features, latent), MLPDecoder(latent, features), Gaussian(features), StandardNormal(latent)
        )


def data(rows: int = 64, features: int = 4) -> Tensor:
    mixing = torch.randn(2, features, generator=generator(5))
    return torch.randn(rows, 2, generator=generator(6)) @ mixing + 0.3 * torch.randn(
        rows, features, generator=generator(7)
    )


def weights(vae: VAE) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in vae.state_dict().items()}


def same(state: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in state.items())
