"""Latent Bayesian optimization: a GP on the pretrained model's latents, in a trust region around the best molecule.

One round: latents drawn in the region are decoded several times each, what the campaign allows is encoded again (the
decoder maps many latents to one molecule, and seldom to the one meant), and a batch is taken by Thompson sampling or
qLogEI at the latents that the molecules have. The model does not learn: latents keep their meaning.
Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization" (TuRBO).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from designloop.records import Candidate, Scored, State
from designloop.strategies.base import Surroundings, seed_of, torch_generator

if TYPE_CHECKING:
    from torch import Tensor

    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.strategies.latent_surrogate import Axes, LatentGP


class Region(BaseModel):
    """How the trust region starts and moves. Its length is a noise level: tan of its angle on the latents' sphere."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    length: float = Field(0.8, gt=0, description="at the start and after a restart")
    shortest: float = Field(0.2, gt=0, description="below it the region is closed and another one opened elsewhere")
    longest: float = Field(1.6, gt=0)
    factor: float = Field(1.5, gt=1, description="by which it grows and shrinks")
    successes: int = Field(2, ge=1, description="rounds running with a new best after which it grows")
    failures: int = Field(2, ge=1, description="rounds running without one after which it shrinks")


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Literal["latent_bo"] = "latent_bo"
    acquisition: Literal["thompson", "qlogei"] = "thompson"
    start: int = Field(20, ge=3, description="scored molecules that it takes to fit the GP; until then, draws from the prior")
    prior_noise: float = Field(4.0, gt=0, le=8, description="noise level at which the prior is sampled")
    points: int = Field(80, ge=1, description="latents drawn in the region at a time")
    decodes: int = Field(4, ge=1, description="molecules decoded from each")
    dimensions: int = Field(32, ge=1, description="principal axes of the latents that the GP sees")
    remembered: int = Field(1000, ge=20, le=1000, description="molecules the GP is fitted on: the best half and the latest")
    region: Region = Region()


@dataclass(frozen=True)
class TrustRegion:
    """How far from its centre molecules are sought, and how that has gone."""

    length: float
    successes: int = 0
    """Rounds running with a new best."""
    failures: int = 0
    """Rounds running without one."""
    closed: tuple[str, ...] = ()
    """Centres of the regions that have shrunk to nothing, in standard form."""

    def after(self, improved: bool, centre: str, how: Region) -> Self:
        """The region after a round drawn in it, around the molecule ``centre``."""
        if improved:
            grows = self.successes + 1 >= how.successes
            length = min(self.length * how.factor, how.longest) if grows else self.length
            return replace(self, length=length, successes=0 if grows else self.successes + 1, failures=0)
        if self.failures + 1 < how.failures:
            return replace(self, successes=0, failures=self.failures + 1)
        if self.length / how.factor < how.shortest:
            return replace(self, length=how.length, successes=0, failures=0, closed=(*self.closed, centre))
        return replace(self, length=self.length / how.factor, successes=0, failures=0)


@dataclass(frozen=True)
class Told:
    """The molecules that scores are known of, in the order they were told; a bounded number of them."""

    smiles: tuple[str, ...]
    scores: np.ndarray
    """(n,)"""
    latents: np.ndarray
    """(n, latent) float32. Kept, not encoded again: a batch of another size may round differently."""

    def plus(self, smiles: Sequence[str], scores: np.ndarray, latents: np.ndarray) -> Told:
        """These and further molecules."""
        return Told((*self.smiles, *smiles), np.append(self.scores, scores), np.concatenate([self.latents, latents]))

    def bounded(self, most: int) -> Told:
        """The best half of ``most`` molecules and the latest of the others."""
        if len(self.smiles) <= most:
            return self
        order = np.argsort(-self.scores, kind="stable")
        best, others = order[: most - most // 2], np.sort(order[most - most // 2 :])
        rows = np.sort(np.concatenate([best, others[len(others) - most // 2 :]]))
        return Told(tuple(self.smiles[i] for i in rows), self.scores[rows], self.latents[rows])


def within(latents: np.ndarray, centre: np.ndarray, length: float) -> np.ndarray:
    """(n,) whether latents are no further from a centre than noise of level ``length`` takes them, as an angle.

    Args:
        latents: (n, latent)
        centre: (latent,)
    """
    cosine = latents @ centre / (np.linalg.norm(latents, axis=-1) * np.linalg.norm(centre))
    inside: np.ndarray = cosine >= 1 / math.sqrt(1 + length**2)
    return inside


class LatentBO:
    """The strategy. Its state: what was told, with latents, and the trust region."""

    def __init__(self, settings: Settings, surroundings: Surroundings, state: State | None) -> None:
        self.settings, self.around = settings, surroundings
        self.vae: SequenceVAE = surroundings.load_model()
        self.round = 0
        self.region = TrustRegion(settings.region.length)
        self.told = Told((), np.zeros(0), np.zeros((0, self.vae.architecture.latent), np.float32))
        if state is not None:
            data, arrays = state.data, state.arrays
            self.round = int(data["round"])
            self.region = TrustRegion(**{**data["region"], "closed": tuple(data["region"]["closed"])})
            self.told = Told(tuple(data["smiles"]), arrays["scores"], arrays["latents"])
        self.axes: Axes = self._principal_axes()
        self.gp: LatentGP | None = None
        self.fit_seconds = 0.0

    def state(self) -> State:
        return State(
            arrays={"scores": self.told.scores, "latents": self.told.latents},
            data={"round": self.round, "region": asdict(self.region), "smiles": list(self.told.smiles)},
        )

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """Ranked blocks from the trust region without end; before there is anything to rank by, draws from the prior."""
        gp, block = self._surrogate(), 0
        while True:
            drawn = self._drawn(block, ranked=gp is not None)
            pool, latents = self._encoded(self.around.allowed(drawn))
            if gp is not None and pool:
                order = gp.rank(latents, wanted, self.settings.acquisition, self._seed("rank", block))
                pool = [pool[at] for at in order]
            # Where nothing may be admitted the draws go out as they are: the loop counts why, and can end.
            yield from pool or drawn
            block += 1

    def _drawn(self, block: int, ranked: bool) -> list[Candidate]:
        """Candidates of one block: decoded from latents in the trust region, or drawn from the prior."""
        import torch

        from designloop.strategies.proposers import from_prior, read

        how = self.settings
        generator = torch_generator(self.vae.device, self.around.seed, self.round, "points", block)
        centre = self._centre() if ranked else None
        if centre is None:
            return from_prior(self.vae, how.points * how.decodes, generator, how.prior_noise, model_round=0)
        middle = torch.from_numpy(self.told.latents[centre]).to(self.vae.device)
        length = self.region.length
        z = middle + length * torch.randn(how.points, len(middle), generator=generator, device=self.vae.device)
        written = self.vae.write(z.repeat_interleave(how.decodes, 0), length, generator, temperature=1.0)
        return read(self.vae.codec, written, "trust_region", [(self.told.smiles[centre],)] * len(written), model_round=0)

    def _centre(self) -> int | None:
        """The best molecule told that lies in no closed region; None where all do."""
        free = np.ones(len(self.told.smiles), dtype=bool)
        for smiles in self.region.closed:
            if smiles in self.told.smiles:
                at = self.told.latents[self.told.smiles.index(smiles)]
                free &= ~within(self.told.latents, at, self.settings.region.length)
        return int(np.argmax(np.where(free, self.told.scores, -np.inf))) if free.any() else None

    def _surrogate(self) -> LatentGP | None:
        """The GP on all that was told so far, fitted once a round; None where there is too little to fit."""
        from designloop.strategies.latent_surrogate import LatentGP

        told = self.told
        if self.gp is None and len(told.scores) >= self.settings.start and np.ptp(told.scores) > 0:
            import torch

            began = perf_counter()
            self.gp = LatentGP.fit(torch.from_numpy(told.latents), told.scores, self.axes, self._seed("fit"))
            self.fit_seconds = perf_counter() - began
        return self.gp

    def _principal_axes(self) -> Axes:
        from designloop.strategies.latent_surrogate import Axes
        from designloop.strategies.proposers import from_prior
        generator = torch_generator(self.vae.device, self.around.seed, "axes")
        drawn = from_prior(self.vae, 1000, generator, self.settings.prior_noise, model_round=0)
        return Axes.of(self._encoded(drawn)[1], self.settings.dimensions)

    def _encoded(self, candidates: Sequence[Candidate]) -> tuple[list[Candidate], Tensor]:
        """The candidates that the alphabet can express, and their (n, latent) posterior means."""
        from designloop.molecules.errors import MoleculeError

        codec = self.vae.codec
        kept, selfies = [], []
        for candidate in candidates:
            written = codec.to_smiles(candidate.selfies) if candidate.selfies else candidate.smiles
            try:
                selfies.append(codec.to_selfies(written or candidate.smiles))
            except MoleculeError:
                continue
            kept.append(candidate)
        return kept, self.vae.latents(selfies).cpu()

    def _seed(self, *what: int | str) -> int:
        return seed_of(self.around.seed, self.round, *what)

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        from designloop.strategies.latent_surrogate import rank_correlation

        new = [r for r in {row.smiles: row for row in scored if row.score is not None}.values() if r.smiles not in self.told.smiles]
        scores_of = {r.smiles: r.score for r in new}
        kept, latents = self._encoded([r.candidate for r in new])
        scores = np.array([scores_of[c.smiles] for c in kept])
        metrics = {}
        gp = self._surrogate()
        if gp is not None and kept:
            rho = rank_correlation(gp.mean(latents), scores)
            if rho is not None:
                metrics["rank_correlation"] = rho
        before = self.told
        self.told = before.plus([c.smiles for c in kept], scores, latents.numpy())
        drawn = np.array([c.proposer == "trust_region" for c in kept], dtype=bool)
        if drawn.any():
            centre = self._centre_of(before)
            self.region = self.region.after(scores[drawn].max() > before.scores[centre] + 1e-3, before.smiles[centre], self.settings.region)
        self.told = self.told.bounded(self.settings.remembered)
        self.round += 1
        metrics |= {"trust_region": self.region.length, "surrogate_molecules": float(len(before.scores)), "fit_seconds": self.fit_seconds}
        self.gp = None
        return metrics
    def _centre_of(self, before):
        now=self.told; self.told=before
        try: return self._centre()
        finally: self.told=now


def build(settings: Settings, surroundings: Surroundings, state: State | None) -> LatentBO:
    """Fresh, or as it was after its last round."""
    return LatentBO(settings, surroundings, state)
