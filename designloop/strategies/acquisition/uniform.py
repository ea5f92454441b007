"""Each candidate as likely as any other: what an acquisition is worth is measured against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from designloop.randomness import rng_of
from designloop.strategies.acquisition.base import Admissible, Chances, anything
from designloop.strategies.surrogates.base import Posterior


@dataclass(frozen=True)
class Uniform:
    """Chooses without looking."""

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows in an order that the seed draws; neither the number wanted nor a chance to fail matters."""
        return filter(admissible, rng_of(seed, "uniform").permutation(len(posterior)).tolist())

    def reason(self, place: int) -> str:
        """Chance, as of all."""
        return "by chance, of what the votes would choose from"
