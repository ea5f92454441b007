"""How noise and steps around a latent are stretched: far where the molecule stays what it is, little where it changes.

    posterior   along the units, as far as the encoder's posterior leaves each open
    pullback    (I + G)^(-1/2),  G the decoder's Fisher-Rao metric at the latent, along the latent's own molecule

I + G is the precision of N(0, I) times what the decoder tells of a latent, to second order: its own posterior, in whose
noise no direction changes what is written more than another, but where that would lead away from the prior. Either is
scaled so that a level of noise keeps its meaning: stretched noise is as long as before, in the root mean square.
Source: Arvanitidis et al. 2022, "Pulling back information geometry" (the metric).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.vae.geometry import ConditionalFisherRao, Metric
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal

LEADING = 48
"""Units of a latent, those that its posterior is surest of, along which the metric is taken: 99 % of its trace."""


def inverse_root(metric: Metric, z: Tensor, units: Tensor) -> Tensor:
    """(latent, latent) symmetric (I + G)^(-1/2), as long as the unit matrix: its squares have the trace of one.

    Args:
        metric: of the decoder.
        z: (latent,) where it is taken.
        units: (k,) along which; across the others it is taken to be 0.
    """
    whole = torch.eye(len(z), dtype=torch.float64, device=z.device)
    with torch.no_grad():
        along = metric(z.unsqueeze(0), whole[units].to(z).unsqueeze(0))[0].double()
    precision = whole.clone()
    precision[units.unsqueeze(1), units] += (along + along.T) / 2
    values, vectors = torch.linalg.eigh(precision)
    scales = values.clamp_min(1).rsqrt()  # G has no negative ones but by rounding
    scales = scales / scales.square().mean().sqrt()
    root: Tensor = (vectors * scales) @ vectors.T
    return root


@dataclass(frozen=True)
class Stretches:
    """Those around some latents."""

    maps: Tensor
    """(n, latent) along the units, or (n, latent, latent) symmetric."""

    def __call__(self, rows: Tensor, vectors: Tensor) -> Tensor:
        """(k, latent) vectors, each stretched as around the latent of its row (k,)."""
        if self.maps.ndim == 2:
            return self.maps[rows] * vectors
        stretched = torch.empty_like(vectors)
        for row in rows.unique().tolist():  # a matrix for each vector would fill the memory
            here = rows == row
            stretched[here] = vectors[here] @ self.maps[row]
        return stretched

    @classmethod
    def of_posterior(cls, posterior: DiagonalNormal) -> Self:
        """By the encoder's posterior."""
        return cls(posterior.relative_scale)

    @classmethod
    def of_metric(cls, vae: SequenceVAE, selfies: Sequence[str], posterior: DiagonalNormal, level: float) -> Self:
        """By the metric of the decoder that is told a level of noise.

        Args:
            selfies: (n,) molecules along which it is taken.
            posterior: theirs, at whose means.
        """
        width = (1 + level**2) ** 0.5  # latents with noise in them are so much longer
        maps = []
        for text, mean, scale in zip(selfies, posterior.mean, posterior.scale, strict=True):
            told = {"noise": mean.new_tensor([level])}
            along = ConditionalFisherRao(vae, vae.tokens([text]), told)

            def metric(z: Tensor, tangents: Tensor, along: Metric = along) -> Tensor:
                return along(width * z, width * tangents)

            maps.append(inverse_root(metric, mean, scale.argsort()[:LEADING]))
        return cls(torch.stack(maps).to(posterior.mean))
