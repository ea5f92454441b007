"""A search over vectors, of the parts that search latent space: surrogate, trust regions, slopes and acquisition.

Two regions are open at once: one around the best value, seen by the whole process, and one around the highest trend,
seen by the trend alone, which what is rough in the values does not hold back. In each, and everywhere, places are
chosen by their bounds at doubts of all sizes, and moved along the slope; of these the acquisition chooses.
Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np

from designloop.randomness import rng_of, seed_of
from designloop.strategies.acquisition.base import Acquisition, anything
from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
from designloop.strategies.search.spaces import Space
from designloop.strategies.search.trust_region import LEAST_GAIN, TrustRegion
from designloop.strategies.surrogates.fitted_process import FittedProcess
from designloop.strategies.surrogates.latent_process import ascended, favourites

SHARES = {"whole": 0.3, "trend": 0.7}
"""Of a batch, that each part of the process chooses."""

KAPPAS = (0.05, 2.0)
"""Range of the doubts that places are sought by, log-uniform."""

_PLACES = 1024
"""That are looked at in a region, and everywhere."""

_CHOSEN = {"region": 36, "everywhere": 4}
"""Of these, places that are moved along the slope."""

_STEPS = 20

_UNEVEN = 5.0
"""Most that an axis of a region is longer or shorter than the mean one."""

_DIGITS = 4
"""By which two vectors are told apart."""

_WIDE = 1.0
"""Length of the region that stands for everywhere, where steps are concerned."""


Read = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(n, dims) vectors to (n, dims) where they turn out to lie, and (n,) whether anything comes of them: a decoder, say,
whose molecules are encoded again, at no call."""


class VectorSearch:
    """Proposes vectors and learns what they are worth.

    Args:
        space: that vectors lie in.
        seed: all randomness follows from it and from what was told.
        acquisition: chooses a batch.
        read: what is known of vectors before they are paid for; None: they lie where they are.
    """

    def __init__(
        self, space: Space, seed: int, acquisition: Acquisition | None = None, read: Read | None = None
    ) -> None:
        self.space, self._seed, self._read = space, seed, read
        self._acquisition = acquisition or LogExpectedImprovement()
        self.regions: dict[str, TrustRegion] = {}
        """By the part of the process that sees each; centres are numbers of vectors, in the order in which they were
        told."""
        self._points, self._values = np.zeros((0, 0)), np.zeros(0)
        self._process: FittedProcess | None = None
        self._rounds = 0

    def tell(self, points: np.ndarray, values: np.ndarray) -> None:
        """Takes in what was paid for.

        Args:
            points: (n, dims) in units of the space's standard deviation.
            values: (n,), the greater the better.
        """
        known = len(self._values)
        self._points = np.concatenate([self._points, points]) if known else points
        self._values = np.concatenate([self._values, values])
        self._process = FittedProcess.fit(self._points, self._values, self._process)
        for part, heights in self._heights(self._process).items():
            region = TrustRegion(str(int(heights.argmax())), self.space.regions.length)
            before = self.regions.get(part)
            if before is None:
                self.regions[part] = region
                continue
            better = heights[known:].max(initial=-np.inf) > heights[:known].max() + LEAST_GAIN
            after = before.after(region.centre if better else None, self.space.regions)
            # Where the trend is highest may change by what was learned elsewhere; a closed region opens there anew.
            self.regions[part] = region if after is None else replace(after, centre=region.centre)

    def ask(self, wanted: int) -> np.ndarray:
        """(n, dims) vectors that are worth paying for: those wanted, or as many as the places looked at give.

        Raises:
            ValueError: nothing was told yet.
        """
        if self._process is None:
            raise ValueError("found no values, expected some to learn from; tell those of some random vectors first")
        self._rounds += 1
        rng = rng_of(self._seed, self._rounds, "vectors")
        batch, asked, left = list[np.ndarray](), list[np.ndarray](), wanted
        for part, process in self._parts(self._process).items():
            n = left if part == "trend" else round(SHARES[part] * wanted)
            left -= n
            places, seen = self._new(self._places(process, self.regions[part], rng), batch)
            best = float(process(self._points).means[0].max()) if part == "trend" else process.best
            posterior = replace(process(seen), best=best)
            chosen = self._acquisition.select(posterior, n, seed_of(self._seed, self._rounds, part), anything)
            rows = list(islice(chosen, n))
            batch.append(seen[rows])
            asked.append(places[rows])
        return np.concatenate(asked)

    def _new(self, places: np.ndarray, batch: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Of (n, dims) places those that lie where nothing was paid for, each once, and where they lie."""
        seen, real = (places, np.ones(len(places), dtype=bool)) if self._read is None else self._read(places)
        known = set(_keys(np.concatenate([self._points, *batch])))
        keys = _keys(seen)
        first = {key: row for row, key in reversed(list(enumerate(keys))) if real[row] and key not in known}
        rows = sorted(first.values())
        return places[rows], seen[rows]

    @staticmethod
    def _parts(process: FittedProcess) -> dict[str, FittedProcess]:
        return {"whole": process, "trend": process.trend()}

    def _heights(self, process: FittedProcess) -> dict[str, np.ndarray]:
        """What each part sees at all points, in standard deviations of values."""
        return {"whole": process.scale(self._values), "trend": process.trend()(self._points).means[0]}

    def _places(self, process: FittedProcess, region: TrustRegion, rng: np.random.Generator) -> np.ndarray:
        """(n, dims) places that may be worth it, in a region and everywhere, before they were moved and after."""
        centre, lengths = self._points[int(region.centre)], process.shape.lengths
        scale = np.clip(lengths / np.exp(np.log(lengths).mean()), 1 / _UNEVEN, _UNEVEN)
        near = self.space.around(centre, region.length, scale, _PLACES, rng)
        far = self.space.everywhere(_PLACES, len(centre), rng)
        chosen = list[np.ndarray]()
        for places, length, n in (
            (near, region.length, _CHOSEN["region"]),
            (far, _WIDE, _CHOSEN["everywhere"]),
        ):
            kappa = np.exp(rng.uniform(np.log(KAPPAS[0]), np.log(KAPPAS[1]), n))
            start = places[favourites(process, places, kappa)]
            moved = ascended(
                process,
                start,
                kappa,
                steps=_STEPS,
                length=self.space.step(length, len(centre)),
                scale=scale,
                kept=self.space.kept(centre, length if places is near else 2 * _UNEVEN, scale),
            )
            chosen += [start, moved]
        return np.concatenate(chosen)


def _keys(vectors: np.ndarray) -> list[bytes]:
    """What is the same for (n, dims) vectors that are the same but for rounding."""
    return [row.tobytes() for row in vectors.round(_DIGITS) + 0.0]  # −0 is 0, and is written otherwise
