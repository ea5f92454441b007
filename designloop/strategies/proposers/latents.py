"""Draws that decode latents: of the prior, and of the posterior of elites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import Generators
from designloop.records import Candidate, Origin
from designloop.strategies.archive.archive import Member, deal
from designloop.strategies.proposers.base import candidates_of


def origins_of(z: torch.Tensor, noise: Sequence[float]) -> list[Origin]:
    """Where each of some molecules was written from: latents (n, latent), and the noise that the decoder was told."""
    return [Origin(latent, level) for latent, level in zip(z.cpu().numpy(), noise, strict=True)]


@dataclass(frozen=True)
class PriorDraws:
    """Draws from the model's prior (proposer ``prior``); they need no parents."""

    decodes: ClassVar[bool] = True
    model: Callable[[], SequenceVAE]
    """The model under the prior that is drawn from today."""
    noise: float
    """Noise level at which the prior is sampled."""
    temperature: float = 1.0

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """The distinct molecules among ``n`` draws."""
        model = self.model()
        z = model.draw_latents(n, rng.torch, self.noise)
        written = model.write(z, self.noise, rng.torch, self.temperature)
        return candidates_of(model.codec, written, "prior", origins=origins_of(z, [self.noise] * n))


@dataclass(frozen=True)
class PosteriorDraws:
    """Elites encoded, noised and decoded again (proposer ``posterior``).

    The noise has the shape of a parent's own posterior, so it changes what the molecule leaves open first.
    The decoder is told how much noise there is, so it repairs rather than obeys; each draw has its own noise level.
    """

    decodes: ClassVar[bool] = True
    vae: SequenceVAE
    noise: tuple[float, float]
    """Range of the noise level, log-uniform."""
    temperature: float = 1.0
    refine: int = 0
    """Most gradient steps on the latent of a parent that would not decode to itself."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """The distinct molecules among ``n`` draws, of each parent in turn; none without parents."""
        chosen = deal(rng.numpy, parents, n)
        if not chosen:
            return []
        distinct = list({parent.selfies: None for parent in chosen})
        place = {selfies: row for row, selfies in enumerate(distinct)}
        posterior = self.vae.posteriors(distinct, self.refine)
        shape = posterior.relative_scale
        level = np.exp(rng.numpy.uniform(np.log(self.noise[0]), np.log(self.noise[1]), n)).astype(np.float32)
        sigma = torch.from_numpy(level).to(shape)
        rows = torch.as_tensor([place[parent.selfies] for parent in chosen])
        drawn = torch.randn((n, shape.shape[1]), generator=rng.torch, device=shape.device, dtype=shape.dtype)
        z = posterior.mean[rows] + sigma.unsqueeze(-1) * shape[rows] * drawn
        written = self.vae.write(z, sigma, rng.torch, self.temperature)
        names = [(parent.name,) for parent in chosen]
        return candidates_of(self.vae.codec, written, "posterior", names, origins_of(z, level.tolist()))
