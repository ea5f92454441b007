"""Several trust regions at once, each around a molecule of its own, each with a length of its own.

One opens where value and potential add to most: at a molecule of high score in whose reach the latents' process has a
high bound, for the best may have nothing left around it. None opens within another, nor where one was closed.
Sources: Eriksson et al. 2019 (several trust regions); Chu et al. 2024, "Inversion-based latent Bayesian optimization"
(centres by their potential).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from designloop.randomness import rng_of
from designloop.records import State
from designloop.strategies.archive.archive import Archive
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.crank_nicolson import turned
from designloop.strategies.search.trust_region import LEAST_GAIN, RegionSettings, TrustRegion, within
from designloop.strategies.surrogates.base import Belief
from designloop.strategies.surrogates.faint import in_proportion
from designloop.strategies.surrogates.fitted_process import FittedProcess
from designloop.strategies.surrogates.latent_process import LatentProcess, Sloping

PROPOSER = "trust_region"

_CENTRES = 50
"""Best molecules, of which one may become a centre."""

_KAPPA = 0.1
"""Standard deviations of doubt in what is hoped for: the middle of what voters have."""

_PLACES = 32
"""Latents in the reach of each that are looked at."""


class Regions:
    """The regions of a campaign; they move, grow, shrink and close with the scores.

    Args:
        settings: how many are open at once, how each starts and moves.
        seed: of the campaign.
        state: what earlier regions of this campaign gave.
    """

    def __init__(self, settings: RegionSettings, seed: int, state: State | None = None) -> None:
        self._settings, self._seed = settings, seed
        known = state.data if state is not None else {"open": [], "closed": []}
        self.open: tuple[TrustRegion, ...] = tuple(TrustRegion.from_json(row) for row in known["open"])
        self.closed: tuple[str, ...] = tuple(known["closed"])
        """Centres of regions that have shrunk to nothing."""
        self._fitted: tuple[tuple[bytes, bytes], FittedProcess] | None = None
        """The last that was fitted, behind the latents and the scores that it was fitted to."""

    def process(self, belief: Belief, archive: Archive) -> Sloping | None:
        """What sees an archive's latents: the committee's member that does, or one whose lengths are fitted to scores.

        None where no member does.
        """
        process = LatentProcess.of(belief)
        if process is None or not self._settings.fitted:
            return process
        key = (process.latents.tobytes(), archive.scores.tobytes())
        if self._fitted is None or self._fitted[0] != key:
            # From nothing each time: what a fit begins with must not depend on what was fitted before a restart.
            self._fitted = key, FittedProcess.fit(process.latents.astype(float), archive.scores)
        return self._fitted[1]

    def placed(self, archive: Archive, process: Sloping, rounds_seen: int) -> list[TrustRegion]:
        """The regions of a round: those that are open and whose centre is still known, and new ones for the others.

        Args:
            process: fitted on this archive.
        """
        smiles, latents = archive.smiles, process.latents
        regions = [region for region in self.open if region.centre in smiles]
        free = np.ones(len(smiles), dtype=bool)
        taken = [(region.centre, region.length) for region in regions]
        taken += [(centre, self._settings.length) for centre in self.closed if centre in smiles]
        for centre, reach in taken:
            free &= ~within(latents, latents[smiles.index(centre)], reach)
        rng = rng_of(self._seed, rounds_seen, "regions")
        while len(regions) < self._settings.count and free.any():
            rows = np.flatnonzero(free)
            rows = rows[np.argsort(-archive.scores[rows], kind="stable")[:_CENTRES]]
            row = int(rows[np.argmax(archive.scores[rows] + self._potentials(process, latents[rows], rng))])
            regions.append(TrustRegion(smiles[row], self._settings.length))
            free &= ~within(latents, latents[row], self._settings.length)
        return regions

    def _potentials(self, process: Sloping, centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(k,) potential of (k, latent) centres: the highest bound among latents in the reach of each."""
        noise = torch.from_numpy(rng.standard_normal((_PLACES, *centres.shape)))
        level = torch.full(noise.shape[:2], self._settings.length, dtype=noise.dtype)
        places = turned(torch.from_numpy(centres.astype(float)), level, noise).numpy()
        potentials: np.ndarray = (
            process.bounds(places.reshape(-1, centres.shape[1]), _KAPPA).reshape(_PLACES, -1).max(0)
        )
        return potentials

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Moves, grows, shrinks and closes the regions that the round was drawn in; tells their mean length.

        One that nothing was bought from had nothing that was worth it: for it the round was one without a new best.
        """
        # A correction says nothing of where to search.
        if told_round.belief is None or not told_round.firsts(told_round.news):
            return self._metrics()
        process = self.process(told_round.belief, told_round.before)
        if process is None:
            return self._metrics()
        scores = dict(zip(told_round.before.smiles, told_round.before.scores.tolist(), strict=True))
        regions, closed = list[TrustRegion](), list(self.closed)
        for region in self.placed(told_round.before, process, told_round.number - 1):
            after = region.after(self._better(told_round, region.centre, scores[region.centre]), self._settings)
            if after is None:
                closed.append(region.centre)
            else:
                regions.append(after)
        known = set(told_round.archive.smiles)
        self.open, self.closed = tuple(regions), tuple(centre for centre in closed if centre in known)
        return self._metrics()

    @staticmethod
    def _better(told_round: ToldRound, centre: str, score: float) -> str | None:
        """The best molecule of a round that was drawn around a centre; None where that is no better than the centre."""
        ours = [
            (row.score, row.smiles)
            for row in told_round.news
            if row.score is not None and row.candidate.proposer == PROPOSER and centre in row.candidate.parents
        ]
        best, name = max(ours, default=(score, centre))
        return name if best > score + in_proportion(LEAST_GAIN, score) else None

    def _metrics(self) -> dict[str, float]:
        lengths: Sequence[float] = [region.length for region in self.open]
        return {"trust_region": float(np.mean(lengths))} if lengths else {}

    def state(self) -> State:
        """The regions, and the centres of those that were closed."""
        return State(data={"open": [region.as_json() for region in self.open], "closed": list(self.closed)})
