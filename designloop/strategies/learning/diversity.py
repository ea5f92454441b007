"""Diversity of what is learned: bounded shares of what it is learned from, and a price for what the model repeats.

The property loss asks for p₀(x) e^{scale · score(x)}, which is sharp: of a family that scores .3 above the others it
asks for little else. What it is asked for instead is

    p₀(x) e^{scale · score(x)} min(1, c / share(scaffold of x))^crowding

with c a scaffold's share of the model's draws that is free, and its share now: the more a family fills the draws, the
less its molecules are worth beside others, while those of one scaffold stand to each other as their scores say.
Source: Blaschke et al. 2020, "Memory-assisted reinforcement learning for diverse molecular de novo design" (scores of
scaffolds that were met often count less; there it is all or nothing, by what was met in the whole run).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from designloop.molecules.chemistry import scaffold_or_self
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import Generators

_DRAWS = 100
"""Of the model, by which the crowds are judged: they cost about as much as an update of the weights."""


@dataclass(frozen=True)
class ScaffoldsDrawn:
    """Scaffolds of what the model writes from its prior, which nobody pays for."""

    vae: SequenceVAE
    noise: float
    """Noise level at which the prior is sampled."""
    temperature: float
    standard_forms: Callable[[Sequence[str]], Sequence[str | None]]
    """The campaign's, so that they are the scaffolds of what is paid for."""

    def draw(self, rng: Generators) -> list[str]:
        """Of each distinct molecule among some draws, in standard form; of one without rings the molecule itself."""
        written = map(self.vae.codec.to_smiles, self.vae.draw(_DRAWS, rng.torch, self.noise, self.temperature))
        forms = self.standard_forms([smiles for smiles in dict.fromkeys(written) if smiles is not None])
        return [scaffold_or_self(smiles) for smiles in dict.fromkeys(forms) if smiles is not None]


def crowding_of(scaffolds: Sequence[str], most: float, price: float) -> dict[str, float]:
    """Scaffold -> nats that it is worth less, of those that hold more than a share of what was drawn.

    Args:
        scaffolds: of each molecule drawn.
        most: the share that is free.
        price: nats for each factor e above it.
    """
    shares = {kind: count / len(scaffolds) for kind, count in Counter(scaffolds).items()}
    return {kind: price * math.log(share / most) for kind, share in shares.items() if share > most}


def limit_shares(chances: np.ndarray, kinds: Sequence[Hashable], most: float) -> np.ndarray:
    """Chances of which no kind holds more than a share: what is over goes to the other kinds, in proportion.

    Within a kind, and among the kinds that stay below their limit, the proportions are as before. Where the kinds are
    too few to fill the whole at that share, each of them holds an equal one.

    Args:
        chances: (n,) positive, of sum 1.
        kinds: of each.
        most: largest share of one kind.
    Returns:
        (n,) chances of sum 1; the very ones where no kind holds more.
    """
    number_of = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    places = np.array([number_of[kind] for kind in kinds], dtype=np.intp)
    shares = np.bincount(places, weights=chances, minlength=len(number_of))
    if shares.max() <= most:
        return chances
    wanted = _limited(shares, most)
    limited = chances * (wanted / shares)[places]
    return np.asarray(limited / limited.sum())


def _limited(shares: np.ndarray, most: float) -> np.ndarray:
    """(kinds,) shares, the greatest cut to ``most`` and the others raised by one factor, so that the sum is 1."""
    if most * len(shares) <= 1:
        return np.full(len(shares), 1 / len(shares))
    descending = np.sort(shares)[::-1]
    below = np.cumsum(descending[::-1])[::-1]  # sum of each and of all that follow
    for cut, (largest, rest) in enumerate(zip(descending, below, strict=True)):
        factor = (1 - cut * most) / rest
        if factor * largest <= most:
            break
    return np.asarray(np.minimum(factor * shares, most))
