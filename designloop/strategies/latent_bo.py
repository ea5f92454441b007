"""Latent Bayesian optimization: a GP on the pretrained model's latents, in a trust region around the best molecule.

One round: latents drawn in the region are decoded several times each, what the campaign allows is encoded again (the
decoder maps many latents to one molecule, and seldom to the one meant), and a batch is taken by Thompson sampling or
qLogEI at the latents that the molecules have. The model does not learn: latents keep their meaning.
Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization" (TuRBO).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from time import perf_counter
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from designloop.randomness import rng_of, seed_of, torch_generator
from designloop.records import Candidate, Scored, State
from designloop.strategies._trust_region import LEAST_GAIN, Region, TrustRegion, within
from designloop.strategies.base import Surroundings

if TYPE_CHECKING:
    from torch import Tensor

    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.strategies.latent_surrogate import Axes, LatentGP

T = TypeVar("T")

AXES_FROM = 2000
"""Molecules of the model's corpus that the GP's view of the latents is fitted on."""


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Literal["latent_bo"] = "latent_bo"
    acquisition: Literal["thompson", "qlogei"] = "thompson"
    start: int = Field(20, ge=3, description="scored molecules before the GP is fitted; until then, the prior")
    prior_noise: float = Field(4.0, gt=0, le=8, description="noise level at which the prior is sampled")
    points: int = Field(80, ge=1, description="latents drawn in the region in each generation")
    decodes: int = Field(4, ge=1, description="molecules decoded from each")
    generations: int = Field(2, ge=1, description="of free molecules, each drawn around the GP's favourites so far")
    temperature: float = Field(1.0, gt=0, description="of the decoder")
    dimensions: int = Field(64, ge=1, description="axes of the latents that the GP sees")
    remembered: int = Field(1000, ge=20, le=1000, description="molecules in the GP: the best half, the latest")
    region: Region = Region()


@dataclass(frozen=True)
class Told:
    """The molecules that scores are known of, in the order they were told; a bounded number of them."""

    smiles: tuple[str, ...]
    scores: np.ndarray
    """(n,)"""
    latents: np.ndarray
    """(n, latent) float32. Kept, not encoded again: a batch of another size may round differently."""

    @classmethod
    def none(cls, latent: int) -> Told:
        """Nothing yet."""
        return cls((), np.zeros(0), np.zeros((0, latent), np.float32))

    def plus(self, smiles: Sequence[str], scores: np.ndarray, latents: np.ndarray) -> Told:
        """These and further molecules; what is told again takes the place of what was said before."""
        old = np.array([i for i, one in enumerate(self.smiles) if one not in set(smiles)], dtype=int)
        return Told(
            (*(self.smiles[i] for i in old), *smiles),
            np.append(self.scores[old], scores),
            np.concatenate([self.latents[old], latents]),
        )

    def bounded(self, most: int) -> Told:
        """The best half of ``most`` molecules and the latest of the others."""
        if len(self.smiles) <= most:
            return self
        order = np.argsort(-self.scores, kind="stable")
        best, others = order[: most - most // 2], np.sort(order[most - most // 2 :])
        rows = np.sort(np.concatenate([best, others[len(others) - most // 2 :]]))
        return Told(tuple(self.smiles[i] for i in rows), self.scores[rows], self.latents[rows])


def centre_of(told: Told, closed: Sequence[str], around: float) -> int | None:
    """Index of the best molecule that lies in no closed region, the earliest among equals; None where there is none.

    Args:
        closed: centres of the closed regions; one that is no longer remembered closes nothing.
        around: how far a closed region reaches, as a noise level.
    """
    free = np.ones(len(told.smiles), dtype=bool)
    for at in (told.smiles.index(smiles) for smiles in closed if smiles in told.smiles):
        free &= ~within(told.latents, told.latents[at], around)
    return int(np.argmax(np.where(free, told.scores, -np.inf))) if free.any() else None


class LatentBO:
    """The strategy. Its state: what was told, with latents, and the trust region."""

    def __init__(self, settings: Settings, surroundings: Surroundings, state: State | None) -> None:
        self.settings, self.around = settings, surroundings
        self.vae: SequenceVAE = surroundings.load_model()
        self.round, self.region = 0, TrustRegion(settings.region.length)
        self.told = Told.none(self.vae.architecture.latent)
        if state is not None:
            self.round, self.region = int(state.data["round"]), TrustRegion.of_json(state.data["region"])
            self.told = Told(tuple(state.data["smiles"]), state.arrays["scores"], state.arrays["latents"])
        self.axes = self._fit_axes()
        self.gp: LatentGP | None = None
        self.fit_seconds = 0.0

    def state(self) -> State:
        return State(
            arrays={"scores": self.told.scores, "latents": self.told.latents},
            data={"round": self.round, "region": self.region.as_json(), "smiles": list(self.told.smiles)},
        )

    # ---- ask

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """Ranked blocks from the trust region without end; draws from the prior before there is anything to rank by."""
        gp = self._fitted()
        centre = self._centre() if gp is not None else None
        for block in count():
            if gp is None or centre is None:
                yield from self._from_prior(max(wanted, 32), block)
            else:
                yield from self._from_region(gp, centre, wanted, block)

    def _from_prior(self, n: int, block: int) -> list[Candidate]:
        from designloop.strategies.proposers import from_prior

        generator = torch_generator(self.vae.device, self.around.seed, self.round, "prior", block)
        return from_prior(self.vae, n, generator, self.settings.prior_noise, model_round=0)

    def _from_region(self, gp: LatentGP, centre: int, wanted: int, block: int) -> Iterator[Candidate]:
        """One block: some generations of free molecules in the region, and of these the batch that is worth paying for.

        Thompson sampling picks twice: the molecule that each latent is drawn around, and what is paid for.
        """
        import torch

        how, told = self.settings, self.told
        # A block that follows had too little to give, so it reaches further; the next round starts where this one did.
        length = min(self.region.length * how.region.factor**block, how.region.longest)
        at_home = within(told.latents, told.latents[centre], length)
        roots = [told.smiles[i] for i in np.flatnonzero(at_home)]
        latents = torch.from_numpy(told.latents[at_home])
        pool: dict[str, Candidate] = {}
        drawn: list[Candidate] = []
        encoded = latents[:0]
        for generation in range(how.generations):
            seed = self._seed("sources", block, generation)
            sources = gp.samples(latents, how.points, seed).argmax(1)
            drawn = self._decoded(latents[sources], length, [roots[i] for i in sources], (block, generation))
            new, z = self._encoded([c for c in drawn if c.smiles not in pool], lambda c: c.smiles)
            home = within(z.numpy(), told.latents[centre], length)
            pool |= {c.smiles: c for c in new}
            encoded = torch.cat([encoded, z])
            # What left the region may be paid for, but breeds no further.
            roots += [c.parents[0] for c, near in zip(new, home, strict=True) if near]
            latents = torch.cat([latents, z[torch.from_numpy(home)]])
        found = list(pool.values())
        allowed = lru_cache(None)(lambda at: self.around.allowed([found[at]]))
        picks = gp.picks(
            encoded,
            wanted,
            how.acquisition,
            self._seed("picks", block),
            lambda at: bool(allowed(at)),
        )
        first = next(picks, None)
        if first is None:
            yield from drawn  # nothing may be admitted: the loop is to count why, and to end if that goes on
            return
        for at in chain([first], picks):
            yield from allowed(at)

    def _decoded(self, sources: Tensor, length: float, roots: Sequence[str], where: tuple[int, int]) -> list[Candidate]:
        """Molecules decoded from sources (n, latent) under noise of level ``length``, ``decodes`` from each latent."""
        import torch

        from designloop.strategies.proposers import read

        how = self.settings
        generator = torch_generator(self.vae.device, self.around.seed, self.round, "points", *where)
        z = sources.to(self.vae.device)
        z = z + length * torch.randn(z.shape, generator=generator, device=z.device)
        written = self.vae.write(z.repeat_interleave(how.decodes, 0), length, generator, how.temperature)
        parents = [(root,) for root in roots for _ in range(how.decodes)]
        return read(self.vae.codec, written, "trust_region", parents, model_round=0)

    # ---- tell

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        """Takes the scores in; says how well they were foreseen, and moves the region.

        A molecule told again with the same score changes nothing; with another one, the last word counts.
        """
        known = dict(zip(self.told.smiles, self.told.scores, strict=True))
        rows = {row.smiles: row for row in scored if row.score is not None and known.get(row.smiles) != row.score}
        new, latents = self._encoded(list(rows.values()), lambda row: self._written(row.candidate))
        scores = np.array([row.score for row in new], dtype=float)
        metrics = self._foreseen(latents, scores)
        own = np.array([row.candidate.proposer == "trust_region" for row in new], dtype=bool)
        centre = self._centre()
        if own.any() and centre is not None:
            improved = bool(scores[own].max() > self.told.scores[centre] + LEAST_GAIN)
            self.region = self.region.after(improved, self.told.smiles[centre], self.settings.region)
        told = self.told.plus([row.smiles for row in new], scores, latents.numpy())
        self.told, self.gp = told.bounded(self.settings.remembered), None
        self.round += 1
        return metrics | {"trust_region": self.region.length}

    def _foreseen(self, latents: Tensor, scores: np.ndarray) -> dict[str, float]:
        """How well the GP that chose molecules foresaw their scores, where that is defined, and what its fit took."""
        from designloop.strategies.latent_surrogate import rank_correlation

        gp = self._fitted() if len(scores) else None
        if gp is None:
            return {}
        metrics = {"surrogate_molecules": float(len(self.told.scores)), "fit_seconds": self.fit_seconds}
        correlation = rank_correlation(gp.mean(latents), scores)
        return metrics if correlation is None else metrics | {"rank_correlation": correlation}

    # ---- parts of both

    def _centre(self) -> int | None:
        return centre_of(self.told, self.region.closed, self.settings.region.length)

    def _fitted(self) -> LatentGP | None:
        """The GP on what was told so far, fitted once a round; None where there is too little to tell apart."""
        import torch

        from designloop.strategies.latent_surrogate import LatentGP

        told = self.told
        if self.gp is None and len(told.scores) >= self.settings.start and np.ptp(told.scores) > 0:
            began = perf_counter()
            self.gp = LatentGP.fit(torch.from_numpy(told.latents), told.scores, self.axes, self._seed("fit"))
            self.fit_seconds = perf_counter() - began
        return self.gp

    def _fit_axes(self) -> Axes:
        """The view of the latents, fitted on molecules that the model was trained on; no score is looked at."""
        from designloop.molecules.chemistry import count_fingerprints
        from designloop.strategies.latent_surrogate import Axes

        corpus, codec = self.around.load_replay(), self.vae.codec
        rows = rng_of(self.around.seed, "axes").permutation(corpus.train)[:AXES_FROM]
        selfies = codec.selfies_of(corpus.rows.take(rows))
        features = np.log1p(count_fingerprints([codec.to_smiles(one) or "C" for one in selfies], "ecfp4", 1024))
        return Axes.explaining(self.vae.latents(selfies).cpu(), features, self.settings.dimensions)

    def _written(self, candidate: Candidate) -> str:
        """SMILES of a molecule as the model wrote it, its own protonation kept."""
        own = self.vae.codec.to_smiles(candidate.selfies) if candidate.selfies else None
        return own or candidate.smiles

    def _encoded(self, items: Sequence[T], smiles_of: Callable[[T], str]) -> tuple[list[T], Tensor]:
        """The items that the alphabet can express, and the (n, latent) latents of their canonical SELFIES."""
        from designloop.molecules.errors import MoleculeError

        kept, selfies = [], []
        for item in items:
            try:
                selfies.append(self.vae.codec.to_selfies(smiles_of(item)))
            except MoleculeError:
                continue  # it can be scored and stands in the table, but the model has no latent for it
            kept.append(item)
        return kept, self.vae.latents(selfies).cpu()

    def _seed(self, *what: int | str) -> int:
        return seed_of(self.around.seed, self.round, *what)


def build(settings: Settings, surroundings: Surroundings, state: State | None) -> LatentBO:
    """Fresh, or as it was after its last round."""
    return LatentBO(settings, surroundings, state)
