"""What the property loss learns from: paid molecules, each with the latent and the noise that it was written from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from designloop.molecules.errors import MoleculeError
from designloop.molecules.pretrain import levels
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import generators_of
from designloop.records import Origin, Scored, State
from designloop.strategies.archive.archive import Member, best_and_latest
from designloop.strategies.base import KnownObjective
from designloop.strategies.surrogates.faint import told_apart


@dataclass(frozen=True, slots=True, eq=False)
class PaidMolecule:
    """A molecule that was paid for, as the model sees it."""

    smiles: str
    """Standard form."""
    selfies: str
    """As the model wrote it, or would."""
    score: float
    origin: Origin
    """Where it was written from; of one that no latent wrote, a draw around its own."""
    family: str = ""
    """The elite around which it was written; empty of one that was not."""
    goals: tuple[float, ...] = ()
    """Its desirabilities, where trade-offs are sought; none where its score is all that counts."""


Worth = Callable[[np.ndarray], np.ndarray]
"""(n, goals) desirabilities of all that is replayed -> (n,) what each is worth, from 0 to 1."""


@dataclass(frozen=True)
class Replay:
    """Paid molecules in the order in which they were told: the best half of ``limit``, and the latest of the others."""

    rows: tuple[PaidMolecule, ...] = ()
    limit: int = 1024
    worth: Worth | None = field(default=None, compare=False, repr=False)
    """Of molecules among each other, where trade-offs are sought; None: their scores are what counts."""

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def scores(self) -> np.ndarray:
        """(len(self),) one a molecule: its score, or rank where all are faint; its worth where goals are traded off."""
        if self.worth is None or not self.rows:
            scores = np.array([row.score for row in self.rows], dtype=np.float64)
            return told_apart(scores) if len(scores) else scores
        return self.worth(np.array([row.goals for row in self.rows]))

    @property
    def lacks_goals(self) -> bool:
        """Whether trade-offs are sought, and of some molecules the desirabilities were not kept."""
        return self.worth is not None and not all(row.goals for row in self.rows)

    def with_goals(self, known: Mapping[str, tuple[float, ...]]) -> Replay:
        """The same, with the desirabilities that some molecules lack; without those whose are not known."""
        rows = [row if row.goals else replace(row, goals=known.get(row.smiles, ())) for row in self.rows]
        return replace(self, rows=tuple(row for row in rows if row.goals))

    def add(self, new: Sequence[PaidMolecule]) -> Replay:
        """With further molecules, bounded; one told again takes the place of what was said before."""
        again = {row.smiles for row in new}
        whole = replace(self, rows=(*(row for row in self.rows if row.smiles not in again), *new))
        if len(whole) <= self.limit:
            return whole
        return replace(self, rows=tuple(whole.rows[row] for row in best_and_latest(whole.scores, self.limit)))

    def without(self, names: Collection[str]) -> Replay:
        """What is left without some molecules, by their standard forms."""
        return replace(self, rows=tuple(row for row in self.rows if row.smiles not in names))

    def state(self) -> State:
        """All of it."""
        latents = np.stack([row.origin.latent for row in self.rows]) if self.rows else np.zeros((0, 0), np.float32)
        rows = [[row.smiles, row.selfies, row.score, row.origin.noise, row.family, *row.goals] for row in self.rows]
        return State({"latents": latents}, {"rows": rows})

    @classmethod
    def of_state(cls, state: State, limit: int, worth: Worth | None = None) -> Replay:
        """What ``state`` gave."""
        latents = np.array(state.arrays["latents"])
        rows = [
            PaidMolecule(smiles, selfies, score, Origin(latents[row], noise), family, tuple(goals))
            for row, (smiles, selfies, score, noise, family, *goals) in enumerate(state.data["rows"])
        ]
        return cls(tuple(rows), limit, worth)


@dataclass(frozen=True, slots=True)
class _Unwritten:
    """A molecule that no latent wrote, or of which it is not known."""

    smiles: str
    selfies: str
    score: float
    goals: tuple[float, ...]


@dataclass(frozen=True)
class Reader:
    """Reads scored rows as paid molecules."""

    vae: SequenceVAE
    noise: tuple[float, float]
    """Range of the noise level of a molecule that no latent wrote, log-uniform."""
    refine: int = 0
    """Most gradient steps on the latent of such a molecule."""
    goals: KnownObjective | None = None
    """The objective, where trade-offs are sought: molecules are read with their desirabilities."""

    def read(self, rows: Sequence[Scored], *key: int | str) -> list[PaidMolecule]:
        """Those that have a score and that the model can write, what latents wrote first.

        Args:
            key: of the randomness.
        """
        paid: list[PaidMolecule] = []
        others: list[_Unwritten] = []
        for row in rows:
            candidate = row.candidate
            written = self._written(candidate.selfies, candidate.smiles)
            if row.score is None or written is None:
                continue
            names = () if self.goals is None else self.goals.names
            goals = tuple(float(row.desirability[name] or 0.0) for name in names)
            if candidate.origin is None:
                others.append(_Unwritten(row.smiles, written, row.score, goals))
            else:
                family = candidate.parents[0] if candidate.parents else ""
                paid.append(PaidMolecule(row.smiles, written, row.score, candidate.origin, family, goals))
        return paid + self._encode(others, *key)

    def members(self, members: Sequence[Member], *key: int | str) -> list[PaidMolecule]:
        """Members of an archive, of which it is not known what they were written from."""
        goals = self.goals_of(members)
        rows = [_Unwritten(own.smiles, own.selfies, own.score, goals.get(own.smiles, ())) for own in members]
        return self._encode(rows, *key)

    def goals_of(self, members: Sequence[Member]) -> dict[str, tuple[float, ...]]:
        """Molecule -> desirabilities, where trade-offs are sought; else none."""
        if self.goals is None or not members:
            return {}
        desirable = self.goals.desirabilities(np.array([member.values for member in members])).tolist()
        return {member.smiles: tuple(row) for member, row in zip(members, desirable, strict=True)}

    def _written(self, selfies: str | None, smiles: str) -> str | None:
        try:
            written = selfies or self.vae.codec.to_selfies(smiles)
            self.vae.codec.tokens(written)
        except MoleculeError:  # it can be scored and stands in the table, but the model cannot write it
            return None
        return written

    def _encode(self, rows: Sequence[_Unwritten], *key: int | str) -> list[PaidMolecule]:
        """Molecules with latents drawn around their own, each at a noise level of its own."""
        if not rows:
            return []
        rng = generators_of(self.vae.device, *key)
        posterior = self.vae.posteriors([row.selfies for row in rows], self.refine)
        noise = levels(rng.numpy, len(rows), 0.0, *self.noise)
        scale = (posterior.scale.square() + torch.from_numpy(noise).to(posterior.scale).square().unsqueeze(-1)).sqrt()
        drawn = torch.randn(scale.shape, generator=rng.torch, device=scale.device, dtype=scale.dtype)
        latents = (posterior.mean + scale * drawn).cpu().numpy()
        return [
            PaidMolecule(row.smiles, row.selfies, row.score, Origin(latent, float(level)), goals=row.goals)
            for row, latent, level in zip(rows, latents, noise, strict=True)
        ]
