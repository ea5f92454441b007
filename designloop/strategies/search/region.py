"""Breeding in a trust region: each free generation is made around what Thompson sampling favours there.

Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization" (TuRBO).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from itertools import islice

import numpy as np

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import generators_of, seed_of
from designloop.records import Candidate, State
from designloop.strategies.acquisition.thompson import in_turns
from designloop.strategies.archive.archive import Archive, Member, latents_of
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.proposers.base import Proposer
from designloop.strategies.proposers.latents import TrustRegionDraws
from designloop.strategies.proposers.weighted import interleave
from designloop.strategies.search.pool import Bred, Pool, Turn, evolve
from designloop.strategies.search.trust_region import LEAST_GAIN, RegionSettings, TrustRegion, within
from designloop.strategies.surrogates.base import Belief, View


@dataclass(kw_only=True)
class RegionSearch:
    """The region around the best molecule: candidates are bred in it, and it moves with the scores."""

    settings: RegionSettings
    vae: SequenceVAE
    transcriber: Transcriber
    view: View
    points: int
    """Latents that are drawn around in a generation."""
    decodes: int
    """Molecules decoded from each."""
    generations: int
    temperature: float
    others: Mapping[str, Proposer] = field(default_factory=dict)
    """Asked for as many molecules together as are decoded: of parents that were paid for, or that they made."""
    state_before: InitVar[State | None] = None

    def __post_init__(self, state_before: State | None) -> None:
        fresh = TrustRegion(self.settings.length)
        self.region = fresh if state_before is None else TrustRegion.from_json(state_before.data["region"])

    def breed(self, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> Bred | None:
        """Free molecules in the region; None where every molecule lies in a closed region."""
        centre = self._centre(archive)
        if centre is None:
            return None
        # A block that follows had too little to give, so it reaches further; the next round starts where this one did.
        length = min(self.region.length * self.settings.factor**turn.block, self.settings.longest)
        latents = latents_of(archive.members)
        middle = latents[centre]
        inside = within(latents, middle, length)
        pool, home = Pool(self.view), _Home([archive.members[i] for i in np.flatnonzero(inside)], latents[inside])

        def votes(rows: Sequence[int] | slice, purpose: str, generation: int) -> np.ndarray:
            seed = seed_of(turn.seed, turn.rounds_seen, purpose, turn.block, generation)
            return belief(home.latents[rows]).samples(self.points, seed)

        def choose(new: slice, generation: int) -> list[Member]:
            if new.stop > new.start:
                rows = pool.features(new)
                # What left the region may be paid for, but breeds no further.
                near = within(rows, middle, length)
                home.add([pool.candidates[new.start + i] for i in np.flatnonzero(near)], rows[near])
            favourites = votes(slice(None), "sources", generation).argmax(1)
            return [home.member(row, self.transcriber) for row in favourites]

        def draw(parents: Sequence[Member], generation: int) -> list[Candidate]:
            key = (turn.seed, turn.rounds_seen, "points", turn.block, generation)
            rng, n = generators_of(self.vae.device, *key), self.points * self.decodes
            drawn = [TrustRegionDraws(self.vae, length, self.temperature).propose(parents, n, rng)]
            if self.others:
                # Decoded molecules are no parents here: they seldom hold the core that genetic steps are to keep.
                rows = home.rows_not_by("trust_region")
                favourites = islice(in_turns(votes(rows, "breeders", generation)), self.points)
                breeders = [home.member(rows[i], self.transcriber) for i in favourites]
                drawn += [step.propose(breeders, n // len(self.others), rng) for step in self.others.values()]
            return interleave(drawn)

        evolve(pool, choose, draw, self.generations)
        return Bred(pool, range(len(pool)), pool.drawn)

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Grows the region after rounds with a new best, shrinks it after rounds without, closes what is spent."""
        ours = {"trust_region", *self.others}
        scores = [row.score for row in told_round.news if row.score is not None and row.candidate.proposer in ours]
        centre = self._centre(told_round.before)
        if told_round.belief is not None and scores and centre is not None:
            middle = told_round.before.members[centre]
            self.region = self.region.after(max(scores) > middle.score + LEAST_GAIN, middle.smiles, self.settings)
        return {"trust_region": self.region.length}

    def state(self) -> State:
        """The region as JSON."""
        return State(data={"region": self.region.as_json()})

    def _centre(self, archive: Archive) -> int | None:
        return centre_of(archive, self.region.closed, self.settings.length)


class _Home:
    """Molecules of the region: those paid for, and free ones as they come."""

    def __init__(self, members: Sequence[Member], latents: np.ndarray) -> None:
        self._items: list[Member | Candidate] = [*members]
        self._proposers = ["" for _ in members]
        self.latents = latents

    def add(self, candidates: Sequence[Candidate], latents: np.ndarray) -> None:
        self._items += candidates
        self._proposers += [candidate.proposer for candidate in candidates]
        self.latents = np.concatenate([self.latents, latents])

    def rows_not_by(self, proposer: str) -> list[int]:
        return [row for row, name in enumerate(self._proposers) if name != proposer]

    def member(self, row: int, transcriber: Transcriber) -> Member:
        """A parent; a free one's children name the molecule paid for that it descends from."""
        item = self._items[row]
        if isinstance(item, Candidate):
            free = transcriber.member(item) or Member(item.smiles, item.selfies or "")
            self._items[row] = item = replace(free, ancestor=item.parents[0], latent=self.latents[row])
        return item


def centre_of(archive: Archive, closed: Sequence[str], reach: float) -> int | None:
    """Index of the best molecule that lies in no closed region, the earliest among equals; None where there is none.

    Args:
        closed: centres of the closed regions; one that is no longer remembered closes nothing.
        reach: how far a closed region reaches, as a noise level.
    """
    if not len(archive):
        return None
    smiles, latents = archive.smiles, latents_of(archive.members)
    free = np.ones(len(smiles), dtype=bool)
    for row in (smiles.index(centre) for centre in closed if centre in smiles):
        free &= ~within(latents, latents[row], reach)
    return int(np.argmax(np.where(free, archive.scores, -np.inf))) if free.any() else None
