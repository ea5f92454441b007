"""Free molecules sought in latent space under a committee of surrogates: by chains, and in trust regions.

- Chains target p(z) P(the molecule that z decodes to is better than the best paid for), from elites on; the decoder is
  greedy, so that z says which molecule it is, and the prior keeps a chain where the decoder was trained.
- In a trust region places are chosen, and moved along the slope, by the process that sees latents alone; each is
  decoded several times, and the places of the next generation lie around what the committee takes for the best that
  came out, at the latent that the encoder gives it: the decoder maps many latents to one molecule, and seldom to the
  one meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from scipy.special import log_ndtr, logsumexp
from torch import Tensor

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import Generators, generators_of
from designloop.records import Candidate
from designloop.strategies.acquisition.votes import draw_voters, members_of, shares_of
from designloop.strategies.archive.archive import Archive, Member, draw_by_rank
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.proposers.base import candidates_of
from designloop.strategies.proposers.latents import origins_of
from designloop.strategies.search.core import Core
from designloop.strategies.search.crank_nicolson import crank_nicolson, turned
from designloop.strategies.search.pool import Turn
from designloop.strategies.search.regions import PROPOSER, Regions
from designloop.strategies.search.trust_region import TrustRegion
from designloop.strategies.surrogates.base import Belief, Posterior, View
from designloop.strategies.surrogates.latent_process import LatentProcess, ascended

CHAIN = "chain"
"""Proposer of what the chains write."""

_FEWEST = 48
"""Molecules that are decoded, however few are wanted."""

_STEPS = 8
"""Of a chain."""

_LEVELS = (0.1, 0.8)
"""Range of the noise that chains propose by, log-uniform; each has its own."""

_DECODES = 3
"""Of a place in a trust region."""

_GENERATIONS = 2
"""In a trust region."""

_PLACES = 16
"""Places that are looked at for each that is decoded."""

_SLOPE = (4, 0.5)
"""Steps along the slope, and the length of each in units of the latent; the sphere's radius is about 11."""

_REFINE = 20
"""Most gradient steps on the latent of a molecule that would not decode to itself."""


def log_chance(posterior: Posterior, best: float) -> np.ndarray:
    """(m,) log probability that each value is above ``best``, under the mixture of a committee's members."""
    chances = []
    for member in members_of(posterior):
        mean, doubt = member.moments()
        chances.append(log_ndtr((mean - best) / np.maximum(doubt, 1e-9)))
    return np.asarray(logsumexp(np.array(chances), axis=0, b=np.asarray(shares_of(posterior))[:, None]))


@dataclass(frozen=True, kw_only=True)
class LatentSearch:
    """Writes molecules from latents that the surrogates speak for."""

    vae: SequenceVAE
    view: View
    transcriber: Transcriber
    regions: Regions
    elites: Callable[[Archive], list[Member]]
    decoded: float
    """Molecules that are decoded for each one wanted: half by chains, half in the regions."""
    temperature: float
    """Of the decoder in the regions."""
    core: Core
    """What lacks it is never better than anything."""

    def propose(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> list[Candidate]:
        """What was written; nothing where no surrogate sees latents, or there is nothing to start from."""
        process, elites = LatentProcess.of(belief), self.elites(archive)
        if process is None or len(elites) < 2 or not self.decoded:
            return []
        half = max(int(self.decoded * wanted), _FEWEST) // 2
        written = self._walk(elites, belief, float(archive.scores.max()), half, turn)
        return [*written, *self._in_regions(archive, belief, process, half, turn)]

    # ---- chains

    def _walk(self, elites: Sequence[Member], belief: Belief, best: float, decoded: int, turn: Turn) -> list[Candidate]:
        """What chains from elites on come by."""
        rng = generators_of(self.vae.device, turn.seed, turn.rounds_seen, "chains", turn.block)
        n = max(decoded // _STEPS, 2)
        rows = draw_by_rank(rng.numpy, elites, n)
        distinct = sorted(set(rows))
        start = self.vae.posteriors([elites[row].selfies for row in distinct], _REFINE).mean
        start = start[torch.as_tensor([distinct.index(row) for row in rows])]
        level = torch.from_numpy(np.exp(rng.numpy.uniform(np.log(_LEVELS[0]), np.log(_LEVELS[1]), n))).to(start)
        visited: list[Candidate] = []

        def log_likelihood(z: Tensor) -> Tensor:
            selfies = self.vae.write(z)
            smiles = [self.vae.codec.to_smiles(text) for text in selfies]
            chances = self._log_chances(smiles, belief, best)
            places = zip(smiles, selfies, rows, origins_of(z, [0.0] * n), chances, strict=True)
            visited.extend(
                Candidate(text, CHAIN, written, parents=(elites[row].name,), origin=origin)
                for text, written, row, origin, chance in places
                if text is not None and np.isfinite(chance)
            )
            return torch.from_numpy(chances)

        for _ in islice(crank_nicolson(start, log_likelihood, level, rng.torch), _STEPS + 1):
            pass
        return list({candidate.smiles: candidate for candidate in reversed(visited)}.values())[::-1]

    def _log_chances(self, smiles: Sequence[str | None], belief: Belief, best: float) -> np.ndarray:
        """(n,) log probability that each is better than the best; -inf of what cannot be seen or lacks the core."""
        kept = [text for text in dict.fromkeys(smiles) if text is not None and self.core.holds(text)]
        names = self.view.names([Candidate(text, CHAIN) for text in kept])
        seen = {text: name for text, name in zip(kept, names, strict=True) if name is not None}
        chance: dict[str | None, float] = {}
        if seen:
            values = log_chance(belief(self.view.features(list(seen.values()))), best)
            chance = dict(zip(seen, values.tolist(), strict=True))
        return np.array([chance.get(text, -np.inf) for text in smiles])

    # ---- trust regions

    def _in_regions(
        self, archive: Archive, belief: Belief, process: LatentProcess, decoded: int, turn: Turn
    ) -> list[Candidate]:
        regions = self.regions.placed(archive, process, turn.rounds_seen)
        members = {member.smiles: member for member in archive.members}
        places = max(decoded // (_DECODES * _GENERATIONS * max(len(regions), 1)), 1)
        drawn: list[Candidate] = []
        for number, region in enumerate(regions):
            rng = generators_of(self.vae.device, turn.seed, turn.rounds_seen, "region", turn.block, number)
            parents = [members[region.centre]]
            for _ in range(_GENERATIONS):
                written = self._around(region, parents, process, places, rng)
                drawn += written
                parents = self._favourites(written, belief, places, rng) or parents
        return drawn

    def _around(
        self, region: TrustRegion, parents: Sequence[Member], process: LatentProcess, places: int, rng: Generators
    ) -> list[Candidate]:
        """Molecules written from the most promising of some places around parents."""
        posterior = self.vae.posteriors([parent.selfies for parent in parents], _REFINE)
        rows = torch.arange(_PLACES * places) % len(parents)
        noise = torch.randn((len(rows), posterior.mean.shape[1]), generator=rng.torch, device=posterior.mean.device)
        level = torch.full((len(rows),), region.length).to(posterior.mean)
        z = turned(posterior.mean[rows], level, posterior.relative_scale[rows] * noise).cpu().numpy()
        kappa = np.array([voter.kappa for voter in draw_voters(rng.numpy, (1.0,), places)])
        left, chosen = np.ones(len(z), dtype=bool), list[int]()
        for doubt in kappa:
            chosen.append(int(np.argmax(np.where(left, process.bounds(z, doubt), -np.inf))))
            left[chosen[-1]] = False
        steps, length = _SLOPE
        best = ascended(process, z[chosen].astype(float), kappa, steps=steps, length=length)
        # The decoder takes latents with the noise in them, which made them longer.
        noisy = torch.from_numpy(best * (1 + region.length**2) ** 0.5).to(posterior.mean).repeat_interleave(_DECODES, 0)
        written = self.vae.write(noisy, region.length, rng.torch, self.temperature)
        names = [(region.centre,)] * len(written)
        drawn = candidates_of(self.vae.codec, written, PROPOSER, names, origins_of(noisy, [region.length] * len(noisy)))
        return self.core.holding(drawn)

    def _favourites(self, drawn: Sequence[Candidate], belief: Belief, n: int, rng: Generators) -> list[Member]:
        """Of what was written, each voter's favourite, as parents of the next generation."""
        names = self.view.names(drawn)
        seen = {name: candidate for name, candidate in zip(names, drawn, strict=True) if name is not None}
        if not seen:
            return []
        posterior, candidates = belief(self.view.features(list(seen))), list(seen.values())
        moments = [member.moments() for member in members_of(posterior)]
        chosen = dict[int, None]()
        for voter in draw_voters(rng.numpy, shares_of(posterior), n):
            mean, doubt = moments[voter.member]
            chosen[int(np.argmax(mean + voter.kappa * doubt))] = None
        members = (self.transcriber.member(candidates[row]) for row in chosen)
        return [replace(member, ancestor=candidates[0].parents[0]) for member in members if member is not None]
