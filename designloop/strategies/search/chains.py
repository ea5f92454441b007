"""Molecules written by Markov chains in latent space under a committee of surrogates.

A chain targets p(z) P(the molecule that z decodes to is better than the best paid for), and begins at an elite. The
decoder is greedy, so that z says which molecule it is, and the prior keeps the chain where the decoder was trained.
Source: Moss et al. 2025, "Return of the latent space cowboys".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from scipy.special import log_ndtr, logsumexp
from torch import Tensor

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.pieces import Spread, one_by_one
from designloop.randomness import generators_of, rng_of
from designloop.records import Candidate
from designloop.strategies.acquisition.votes import members_of, shares_of
from designloop.strategies.archive.archive import Archive, Member, draw_by_rank
from designloop.strategies.proposers.latents import origins_of
from designloop.strategies.search.core import Core
from designloop.strategies.search.crank_nicolson import crank_nicolson
from designloop.strategies.search.pool import Turn
from designloop.strategies.surrogates.base import Belief, Posterior, View

PROPOSER = "chain"

_FEWEST = 24
"""Molecules that are decoded, however few are wanted."""

_STEPS = 8
"""Of a chain."""

_LEVELS = (0.1, 0.8)
"""Range of the noise that chains propose by, log-uniform; each has its own."""

_PART = 8
"""Most chains that walk together."""

_REFINE = 20
"""Most gradient steps on the latent of an elite that would not decode to itself."""


def log_chance(posterior: Posterior, best: float) -> np.ndarray:
    """(m,) log probability that each value is above ``best``, under the mixture of a committee's members."""
    chances = []
    for member in members_of(posterior):
        mean, doubt = member.moments()
        chances.append(log_ndtr((mean - best) / np.maximum(doubt, 1e-9)))
    return np.asarray(logsumexp(np.array(chances), axis=0, b=np.asarray(shares_of(posterior))[:, None]))


@dataclass(frozen=True)
class ChainsPart:
    """Some of the chains of a block, with draws of their own."""

    number: int
    """Among the parts of the block."""
    starts: Sequence[Member]
    """Of each chain the elite that it begins at."""


@dataclass(frozen=True)
class ChainsBlock:
    """What all chains of a block go by."""

    belief: Belief
    best: float
    """What is to be bettered."""
    turn: Turn


@dataclass(frozen=True, kw_only=True)
class ChainWalk:
    """Walks chains; it needs nothing else of a campaign than what it is given."""

    vae: SequenceVAE
    view: View
    core: Core
    """What lacks it is never better than anything."""

    def __call__(self, block: ChainsBlock, part: ChainsPart) -> list[Candidate]:
        """The molecules that some chains come by."""
        turn, n = block.turn, len(part.starts)
        rng = generators_of(self.vae.device, turn.seed, turn.rounds_seen, "chains", turn.block, part.number)
        distinct = {start.smiles: start for start in part.starts}
        places = {smiles: row for row, smiles in enumerate(distinct)}
        means = self.vae.posteriors([start.selfies for start in distinct.values()], _REFINE).mean
        first = means[torch.as_tensor([places[start.smiles] for start in part.starts])]
        level = torch.from_numpy(np.exp(rng.numpy.uniform(np.log(_LEVELS[0]), np.log(_LEVELS[1]), n))).to(first)
        visited: list[Candidate] = []

        def log_likelihood(z: Tensor) -> Tensor:
            selfies = self.vae.write(z)
            smiles = [self.vae.codec.to_smiles(text) for text in selfies]
            chances = self._log_chances(smiles, block.belief, block.best)
            rows = zip(smiles, selfies, part.starts, origins_of(z, [0.0] * n), chances, strict=True)
            visited.extend(
                Candidate(text, PROPOSER, written, parents=(start.name,), origin=origin)
                for text, written, start, origin, chance in rows
                if text is not None and np.isfinite(chance)
            )
            return torch.from_numpy(chances).to(z.device)

        for _ in islice(crank_nicolson(first, log_likelihood, level, rng.torch), _STEPS + 1):
            pass
        return each_once(visited)

    def _log_chances(self, smiles: Sequence[str | None], belief: Belief, best: float) -> np.ndarray:
        """(n,) log probability that each is better than the best; -inf of what cannot be seen or lacks the core."""
        kept = [text for text in dict.fromkeys(smiles) if text is not None and self.core.holds(text)]
        names = self.view.names([Candidate(text, PROPOSER) for text in kept])
        seen = {text: name for text, name in zip(kept, names, strict=True) if name is not None}
        chance: dict[str | None, float] = {}
        if seen:
            values = log_chance(belief(self.view.features(list(seen.values()))), best)
            chance = dict(zip(seen, values.tolist(), strict=True))
        return np.array([chance.get(text, -np.inf) for text in smiles])


@dataclass(frozen=True, kw_only=True)
class Chains:
    """Writes molecules from the latents that chains come by."""

    walk: ChainWalk
    elites: Callable[[Archive], list[Member]]
    decoded: float
    """Molecules that are decoded for each one wanted."""
    spread: Spread = one_by_one
    """Over whom the parts of a block are spread."""

    def propose(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> list[Candidate]:
        """What chains from elites on come by; nothing of fewer than two elites."""
        elites = self.elites(archive)
        if len(elites) < 2:
            return []
        n = max(int(self.decoded * wanted), _FEWEST) // _STEPS
        rng = rng_of(turn.seed, turn.rounds_seen, "chains", turn.block)
        starts = [elites[row] for row in draw_by_rank(rng, elites, n)]
        # Cut by their number alone: how many workers there are must not change what is drawn.
        count = -(-n // _PART)
        parts = [ChainsPart(number, starts[number::count]) for number in range(count)]
        block = ChainsBlock(belief, float(archive.scores.max()), turn)
        return each_once([candidate for part in self.spread(self.walk, block, parts) for candidate in part])


def each_once(visited: Sequence[Candidate]) -> list[Candidate]:
    """Each molecule as it was first come by, in the order in which they were last come by."""
    return list({candidate.smiles: candidate for candidate in reversed(visited)}.values())[::-1]
