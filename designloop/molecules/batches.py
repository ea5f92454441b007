"""The stream of batches that a sequence VAE is pretrained on: each follows from (seed, step) alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from designloop.molecules.corpus import TokenRows
from designloop.molecules.recipe import Phase, Recipe
from designloop.molecules.sequence_vae import shorten
from designloop.vae.fit import Batch

CHUNK = 32
"""Batches whose rows are sorted by length together."""

USUAL_LENGTH = 36.0
"""Tokens; from there on a tilt by length counts."""


def levels(rng: np.random.Generator, n: int, clean: float, low: float, high: float) -> np.ndarray:
    """(n,) float32 noise levels: 0 in a share ``clean`` of rows, else log-uniform in low..high."""
    drawn = np.exp(rng.uniform(np.log(low), np.log(high), n))
    return np.where(rng.random(n) < clean, 0.0, drawn).astype(np.float32)


def tilted(use: np.ndarray, lengths: np.ndarray, tilt: float, rng: np.random.Generator) -> np.ndarray:
    """Row numbers, each repeated max(1, (length / USUAL_LENGTH)^tilt) times, rounded up or down at random.

    Args:
        lengths: (len(use),) in tokens.
    """
    times = np.maximum(1.0, (lengths / USUAL_LENGTH) ** tilt)
    return np.repeat(use, np.floor(times + rng.random(len(use))).astype(int)) if tilt else use


def batches(
    rows: TokenRows, use: np.ndarray, recipe: Recipe, start: int, targets: np.ndarray | None = None
) -> Iterator[Batch]:
    """The stream of training batches from step ``start`` on.

    In each phase rows are dealt out in epochs; chunks of batches are sorted by length and cut, so that little of a
    batch is padding, and the batches of a chunk are shuffled.

    Args:
        use: row numbers to train on.
        targets: (len(rows), components) fingerprint components, or None.
    """
    for index, (phase, first) in enumerate(zip(recipe.phases, recipe.starts(), strict=True)):
        if start >= first + phase.steps:
            continue
        dealt = _Dealer(rows, use, phase, recipe.seed, index)
        for step in range(max(start - first, 0), phase.steps):
            picked = dealt.batch(step)
            rng = np.random.default_rng([recipe.seed, 3, first + step])
            noise = levels(rng, len(picked), phase.clean, *recipe.noise)
            aims = {} if targets is None else {"fingerprint": torch.from_numpy(targets[picked].astype(np.float32))}
            yield Batch(
                torch.from_numpy(shorten(rows.take(picked))), context={"noise": torch.from_numpy(noise)}, targets=aims
            )


class _Dealer:
    """Which rows each batch of a phase has."""

    def __init__(self, rows: TokenRows, use: np.ndarray, phase: Phase, seed: int, index: int) -> None:
        self.rows, self.size, self.seed, self.index = rows, phase.batch, seed, index
        rng = np.random.default_rng([seed, 4, index])
        self.use = tilted(use, rows.lengths[use], phase.length_tilt, rng)
        self.per_epoch = max(len(self.use) // self.size, 1)
        self.at: tuple[int, int] | None = None
        self.groups: list[np.ndarray] = []

    def batch(self, step: int) -> np.ndarray:
        """Row numbers of a step of the phase."""
        epoch, within = divmod(step, self.per_epoch)
        chunk, place = divmod(within, CHUNK)
        if (epoch, chunk) != self.at:
            dealt = np.random.default_rng([self.seed, 1, self.index, epoch]).permutation(self.use)
            part = dealt[chunk * CHUNK * self.size : min((chunk + 1) * CHUNK, self.per_epoch) * self.size]
            part = part[np.argsort(self.rows.lengths[part], kind="stable")]
            groups = [part[i : i + self.size] for i in range(0, len(part), self.size)]
            order = np.random.default_rng([self.seed, 2, self.index, epoch, chunk]).permutation(len(groups))
            self.groups, self.at = [groups[i] for i in order], (epoch, chunk)
        return self.groups[place]
