"""Batches of the property loss: paid molecules in groups, over each of which log Z is a mean.

- *Wide*: molecules of every origin at one latent, of a noise level at which it says next to nothing. They teach the
  language model that draws from the prior come from. One scaffold holds a bounded share of them, and is worth less
  while it is crowded in the model's own draws (`diversity.py`).
- *Families*: molecules that were written from latents around one elite, each at the latent and the noise level that it
  was written from. They teach which way to go from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from designloop.molecules.chemistry import scaffold_or_self
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import Generators
from designloop.records import Origin
from designloop.strategies.archive.archive import rank_weights
from designloop.strategies.learning.diversity import limit_shares
from designloop.strategies.learning.replay import Replay
from designloop.strategies.learning.settings import PropertyLearning
from designloop.vae.training.batches import Batch

WIDE = 2.0
"""Noise level from which on a latent says so little that any molecule may have been written from it."""

GROUP, SCORE = "group", "score"
"""Names of a batch's targets."""


@dataclass(frozen=True)
class _Row:
    """A row of a batch."""

    place: int
    """In the replay."""
    origin: Origin
    group: int


@dataclass(frozen=True)
class GroupedReplay:
    """A replay as batches are drawn from it."""

    replay: Replay
    settings: PropertyLearning
    prior_noise: float
    """Noise level of a wide group where no molecule was written from such a latent."""
    crowding: Mapping[str, float] = field(default_factory=dict)
    """Scaffold -> nats that its molecules are worth less in a wide group."""

    @cached_property
    def scaffolds(self) -> list[str]:
        """Of each molecule; of one without rings the molecule itself."""
        return [scaffold_or_self(row.smiles) for row in self.replay.rows]

    @cached_property
    def chances(self) -> np.ndarray:
        """(rows,) of each molecule to be drawn, by the rank of its score; one scaffold holds a bounded share."""
        chances = np.empty(len(self.replay))
        order = np.argsort(-self.replay.scores, kind="stable")
        chances[order] = rank_weights(len(chances), self.settings.rank)
        return limit_shares(chances, self.scaffolds, self.settings.per_scaffold)

    @cached_property
    def wide(self) -> list[Origin]:
        """Latents that say next to nothing."""
        return [row.origin for row in self.replay.rows if row.origin.noise >= WIDE]

    @cached_property
    def families(self) -> list[list[int]]:
        """Places of the molecules that were written around one elite, of two or more."""
        families: dict[str, list[int]] = {}
        for place, row in enumerate(self.replay.rows):
            if row.family and row.origin.noise < WIDE:
                families.setdefault(row.family, []).append(place)
        return [places for places in families.values() if len(places) > 1]

    def batches(self, vae: SequenceVAE, n: int, rng: Generators) -> Iterator[Batch]:
        """``n`` batches."""
        for _ in range(n):
            rows = [*self._wide_rows(vae, rng), *self._family_rows(rng.numpy)]
            paid = [self.replay.rows[row.place] for row in rows]
            yield Batch(
                vae.tokens([molecule.selfies for molecule in paid]),
                context={"noise": _column([row.origin.noise for row in rows], vae)},
                targets={
                    SCORE: _column([self._worth(row) for row in rows], vae),
                    GROUP: _column([float(row.group) for row in rows], vae),
                },
                z=torch.from_numpy(np.stack([row.origin.latent for row in rows])).to(vae.device),
            )

    def _worth(self, row: _Row) -> float:
        """What a row's molecule is worth; in a wide group, less what its scaffold's crowd takes of it."""
        score = float(self.replay.scores[row.place])
        if row.group >= self.settings.wide:
            return score
        return score - self.crowding.get(self.scaffolds[row.place], 0.0) / self.settings.scale

    def _wide_rows(self, vae: SequenceVAE, rng: Generators) -> list[_Row]:
        """Groups of molecules drawn by rank, each group at one latent."""
        size, rows = min(self.settings.group, len(self.replay)), []
        for group in range(self.settings.wide):
            if self.wide:
                origin = self.wide[int(rng.numpy.integers(len(self.wide)))]
            else:
                drawn = vae.draw_latents(1, rng.torch, self.prior_noise)[0]
                origin = Origin(drawn.cpu().numpy(), self.prior_noise)
            places = rng.numpy.choice(len(self.replay), size, replace=False, p=self.chances)
            rows += [_Row(int(place), origin, group) for place in places]
        return rows

    def _family_rows(self, rng: np.random.Generator) -> list[_Row]:
        """Families, drawn by the rank of their best members, until the rows are full."""
        rows: list[_Row] = []
        if not self.families:
            return rows
        worth = np.array([max(self.chances[place] for place in family) for family in self.families])
        order = np.argsort(-np.log(rng.random(len(worth))) / worth, kind="stable")  # by worth, without repetition
        for number in order:
            room = min(self.settings.group, self.settings.families - len(rows))
            if room < 2:
                break
            for place in rng.permutation(self.families[number])[:room]:
                rows.append(_Row(int(place), self.replay.rows[place].origin, self.settings.wide + int(number)))
        return rows


def _column(values: list[float], vae: SequenceVAE) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device=vae.device)
