"""Two elites' latents mixed and decoded: the model's own crossover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from designloop.molecules.sequence_networks import on_sphere
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import Generators
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member, deal_pairs
from designloop.strategies.proposers.base import candidates_of
from designloop.strategies.proposers.latents import origins_of


@dataclass(frozen=True)
class LatentMixing:
    """Latents between two parents (proposer ``mixing``): on the way from one to the other, or each unit of either.

    On the sphere again, and under noise, which the decoder is told: what lies between two molecules is no molecule's.
    """

    decodes: ClassVar[bool] = True
    vae: SequenceVAE
    noise: tuple[float, float]
    """Range of the noise level, log-uniform."""
    temperature: float = 1.0

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """The distinct molecules among the children of ``n`` pairs of parents; none of one parent alone."""
        pairs = deal_pairs(rng.numpy, parents, n)
        if not pairs:
            return []
        distinct = list({parent.selfies: None for pair in pairs for parent in pair})
        place = {selfies: row for row, selfies in enumerate(distinct)}
        latents = self.vae.latents(distinct)
        first, second = (torch.as_tensor([place[pair[k].selfies] for pair in pairs]) for k in (0, 1))
        share = self._shares(len(pairs), latents.shape[1], rng).to(latents)
        z = latents[first] + share * (latents[second] - latents[first])
        level = np.exp(rng.numpy.uniform(np.log(self.noise[0]), np.log(self.noise[1]), len(pairs))).astype(np.float32)
        sigma = torch.from_numpy(level).to(latents)
        noise = torch.randn(z.shape, generator=rng.torch, device=z.device, dtype=z.dtype)
        z = on_sphere(z) + sigma.unsqueeze(-1) * noise
        written = self.vae.write(z, sigma, rng.torch, self.temperature)
        names = [(a.name, b.name) for a, b in pairs]
        return candidates_of(self.vae.codec, written, "mixing", names, origins_of(z, level.tolist()))

    @staticmethod
    def _shares(n: int, units: int, rng: Generators) -> torch.Tensor:
        """(n, units) how much of the second parent: for half of the pairs alike in all units, for half 0 or 1."""
        share = rng.numpy.uniform(0.1, 0.9, (n, 1))
        either = rng.numpy.random((n, units)) < share
        return torch.from_numpy(np.where(rng.numpy.random((n, 1)) < 0.5, share, either))
