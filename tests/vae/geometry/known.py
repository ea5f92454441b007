"""VAEs whose geometry is known: a function for a decoder."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from designloop.vae.geometry.metric import FisherRao, Metric
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.surfaces import Surface


class Fixed(nn.Module):
    """A decoder that is a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        return self.function(z)


def vae_of(function: Callable[[Tensor], Tensor], likelihood: Likelihood, latent: int) -> VAE:
    """A VAE in float64 that decodes by a function; its encoder is never asked."""
    return VAE(MLPEncoder(1, latent), Fixed(function), likelihood, StandardNormal(latent)).double().eval()


def surface_metric(surface: Surface) -> FisherRao:
    """The Fisher–Rao metric of a Gaussian of variance 1 about a surface: the surface's own."""
    return FisherRao(vae_of(surface.place, Gaussian(3, 1.0, learned=False), 2))


def euclidean(z: Tensor, tangents: Tensor) -> Tensor:
    return tangents @ tangents.transpose(-1, -2)


def half_plane(z: Tensor, tangents: Tensor) -> Tensor:
    """The hyperbolic plane's upper half, y > 0: dx² + dy² over y²."""
    return euclidean(z, tangents) / z[:, 1].square()[:, None, None]


def half_plane_distance(a: Tensor, b: Tensor) -> Tensor:
    return torch.acosh(1 + (a - b).square().sum(-1) / (2 * a[:, 1] * b[:, 1]))


def counting(metric: Metric) -> tuple[Metric, list[int]]:
    """A metric, and how many rows each call of it had."""
    calls: list[int] = []

    def counted(z: Tensor, tangents: Tensor) -> Tensor:
        calls.append(z.shape[0])
        return metric(z, tangents)

    return counted, calls


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniform(n: int, low: list[float], high: list[float], seed: int = 0) -> Tensor:
    """(n, latent) points of a box."""
    box = torch.tensor([low, high], dtype=torch.float64)
    return box[0] + (box[1] - box[0]) * torch.rand(n, len(low), dtype=torch.float64, generator=rng(seed))
