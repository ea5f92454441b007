"""Molecules written in trust regions of latent space under a committee of surrogates.

Places are chosen, and moved along the slope, by the process that sees latents alone; each is decoded several times, and
the places of the next generation lie around what the committee takes for the best that came out, at the latent that the
encoder gives it: the decoder maps many latents to one molecule, and seldom to the one meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.pieces import Spread, one_by_one
from designloop.randomness import Generators, generators_of
from designloop.records import Candidate
from designloop.strategies.acquisition.votes import draw_voters, members_of, shares_of
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.proposers.base import candidates_of
from designloop.strategies.proposers.latents import origins_of
from designloop.strategies.search.core import Core
from designloop.strategies.search.crank_nicolson import turned
from designloop.strategies.search.pool import Turn
from designloop.strategies.search.regions import PROPOSER, Regions
from designloop.strategies.search.stretches import Stretches
from designloop.strategies.search.trust_region import StretchedBy, TrustRegion
from designloop.strategies.search.typical import Typical
from designloop.strategies.surrogates.base import Belief, View
from designloop.strategies.surrogates.latent_process import Sloping, ascended, favourites
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal

_FEWEST = 24
"""Molecules that are decoded, however few are wanted."""

_DECODES = 3
"""Of a place."""

_GENERATIONS = 2

_PLACES = 16
"""Places that are looked at for each that is decoded."""

_SLOPE = (4, 0.5)
"""Steps along the slope, and the length of each in units of the latent; the sphere's radius is about 11."""

_REFINE = 20
"""Most gradient steps on the latent of a molecule that would not decode to itself."""


@dataclass(frozen=True)
class RegionPart:
    """One region of a block, with draws of its own."""

    number: int
    """Among the regions of the block."""
    region: TrustRegion
    centre: Member


@dataclass(frozen=True)
class RegionsBlock:
    """What all regions of a block go by."""

    belief: Belief
    process: Sloping
    """The one that places are sought by."""
    places: int
    """Places of a region that are decoded in a generation."""
    turn: Turn


@dataclass(frozen=True, kw_only=True)
class RegionWriter:
    """Writes molecules in a region; it needs nothing else of a campaign than what it is given."""

    vae: SequenceVAE
    view: View
    transcriber: Transcriber
    temperature: float
    """Of the decoder."""
    core: Core
    """What lacks it is dropped."""
    metric: StretchedBy = "posterior"
    """What stretches noise and steps."""
    typical: Typical | None = None
    """Drops what the model takes for odd; None where nothing is."""

    def __call__(self, block: RegionsBlock, part: RegionPart) -> list[Candidate]:
        """All that was written in the region."""
        turn = block.turn
        rng = generators_of(self.vae.device, turn.seed, turn.rounds_seen, "region", turn.block, part.number)
        parents, drawn = [part.centre], list[Candidate]()
        for _ in range(_GENERATIONS):
            written = self._around(part.region, parents, block.process, block.places, rng)
            drawn += written
            parents = self._favourites(written, block.belief, block.places, rng) or parents
        return drawn

    def _around(
        self, region: TrustRegion, parents: Sequence[Member], process: Sloping, places: int, rng: Generators
    ) -> list[Candidate]:
        """Molecules written from the most promising of some places around parents."""
        posterior = self.vae.posteriors([parent.selfies for parent in parents], _REFINE)
        stretches = self._stretches(parents, posterior, region.length)
        rows = torch.arange(_PLACES * places) % len(parents)
        noise = torch.randn((len(rows), posterior.mean.shape[1]), generator=rng.torch, device=posterior.mean.device)
        level = torch.full((len(rows),), region.length).to(posterior.mean)
        z = turned(posterior.mean[rows], level, stretches(rows, noise)).cpu().numpy()
        kappa = np.array([voter.kappa for voter in draw_voters(rng.numpy, (1.0,), places)])
        chosen = favourites(process, z, kappa)
        steps, length = _SLOPE
        scale = stretches.maps[rows[chosen]].cpu().numpy() if self.metric == "pullback" else 1.0
        best = ascended(process, z[chosen].astype(float), kappa, steps=steps, length=length, scale=scale)
        # The decoder takes latents with the noise in them, which made them longer.
        noisy = torch.from_numpy(best * (1 + region.length**2) ** 0.5).to(posterior.mean).repeat_interleave(_DECODES, 0)
        written = self.vae.write(noisy, region.length, rng.torch, self.temperature)
        names = [(region.centre,)] * len(written)
        drawn = candidates_of(self.vae.codec, written, PROPOSER, names, origins_of(noisy, [region.length] * len(noisy)))
        kept = self.core.holding(drawn)
        return kept if self.typical is None else self.typical.keeping(kept)

    def _stretches(self, parents: Sequence[Member], posterior: DiagonalNormal, level: float) -> Stretches:
        if self.metric == "posterior":
            return Stretches.of_posterior(posterior)
        return Stretches.of_metric(self.vae, [parent.selfies for parent in parents], posterior, level)

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


@dataclass(frozen=True, kw_only=True)
class RegionSearch:
    """Writes molecules from latents in trust regions."""

    writer: RegionWriter
    regions: Regions
    decoded: float
    """Molecules that are decoded for each one wanted."""
    spread: Spread = one_by_one
    """Over whom the regions of a block are spread."""

    def propose(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> list[Candidate]:
        """What was written; nothing where no surrogate sees latents."""
        process = self.regions.process(belief, archive)
        if process is None:
            return []
        regions = self.regions.placed(archive, process, turn.rounds_seen)
        members = {member.smiles: member for member in archive.members}
        decoded = max(int(self.decoded * wanted), _FEWEST)
        places = max(decoded // (_DECODES * _GENERATIONS * max(len(regions), 1)), 1)
        block = RegionsBlock(belief, process, places, turn)
        parts = [RegionPart(number, region, members[region.centre]) for number, region in enumerate(regions)]
        return [candidate for part in self.spread(self.writer, block, parts) for candidate in part]
