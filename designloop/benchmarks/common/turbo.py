"""TuRBO-1: Bayesian optimization in a trust region of the unit cube, the next batch by Thompson sampling.

The region is a box around the best point; its sides are as the lengths of the process are to each other. Candidates
differ from the centre in some coordinates only, 20 in the mean. A batch whose best is above all before is a success:
some running double the region, ⌈d / batch⌉ failures running halve it, and below 2⁻⁷ it begins anew.
Sources: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization"; BoTorch's tutorial of it;
that all points are kept where a region begins anew, as Maus et al. 2022, "Local latent space Bayesian optimization over
structured inputs".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import gpytorch
import torch
from botorch.exceptions.errors import ModelFittingError
from botorch.generation import MaxPosteriorSampling
from botorch.models import SingleTaskGP
from torch import Tensor
from torch.quasirandom import SobolEngine

from designloop.benchmarks.common.process import Lengths, fitted, lengths_of, untrained
from designloop.randomness import seed_of, seeded
from designloop.strategies.search.trust_region import RegionSettings, TrustRegion
from designloop.strategies.surrogates.base import quiet

LEAST_GAIN = 1e-3
"""Share of the best value by which a batch has to be above it to be a success."""

MOVED = 20
"""Coordinates in which a candidate differs from the centre, in the mean."""

_BEST = "the best point"
"""The name of every centre."""


@dataclass(frozen=True)
class Rules:
    """What a search by TuRBO is told; the defaults are those of a search in latents."""

    batch: int = 10
    candidates: int = 2000
    """Points that a batch is chosen from; the paper has up to 5,000, whose joint law takes fifteen times as long."""
    length: float = 0.8
    shortest: float = 0.5**7
    longest: float = 1.6
    successes: int = 3
    """Batches running with a new best after which the region grows; BoTorch's tutorial has 10."""
    failures: int | None = None
    """Batches running without a new best after which the region shrinks; None: ⌈d / batch⌉."""
    restart: int = 0
    """Even points that a search begins anew with where its region has closed, all others forgotten; 0: all are kept."""
    lengths: Lengths = "prior"
    """What holds the lengths of the process."""
    steps: int | None = 30
    """Of a fit at most, which goes on from the last one where a prior holds lengths; None: until it has converged."""

    def region(self, dims: int) -> RegionSettings:
        """How the region moves in a space of so many dimensions."""
        failures = self.failures or math.ceil(max(4, dims) / self.batch)
        return RegionSettings(
            length=self.length,
            shortest=self.shortest,
            longest=self.longest,
            factor=2.0,
            successes=self.successes,
            failures=failures,
        )


class Turbo:
    """A search in the unit cube: ``ask`` gives the next batch, ``tell`` takes in what came of it.

    Args:
        points: (n, d) known at the beginning, double.
        values: (n,) of these, to be maximised.
        seed: of all its draws.
    """

    def __init__(self, points: Tensor, values: Tensor, rules: Rules, seed: int) -> None:
        self.points, self.values, self.rules = points, values, rules
        self._settings = rules.region(points.shape[-1])
        self.region = TrustRegion(_BEST, self._settings.length)
        self.batches = 0
        """Told so far."""
        self.restarts = 0
        self._seed = seed
        self._model: SingleTaskGP | None = None

    @property
    def centre(self) -> int:
        """Row of the best point, of equals the first."""
        return int(self.values.argmax())

    def ask(self) -> Tensor:
        """(batch, d) the next points, each the best of all candidates by a joint draw of the process.

        Where nothing is known after a restart, they are even points, as many as the rules say.
        """
        with seeded(seed_of(self._seed, self.batches)), quiet(), gpytorch.settings.max_cholesky_size(_ALL):
            if len(self.values) == 0:
                return _evenly(self.rules.restart, self.points.shape[-1])
            model = self._model = self._fitted()
            low, high = box(self.points[self.centre], self.region.length, lengths_of(model))
            drawn = perturbed(self.points[self.centre], low, high, self.rules.candidates)
            with torch.no_grad():
                chosen: Tensor = MaxPosteriorSampling(model, replacement=False)(drawn, self.rules.batch)
        return chosen

    def _fitted(self) -> SingleTaskGP:
        """The process of what is known.

        A fit goes on from the last one where a prior holds lengths. An interval's slopes vanish at its ends, where a
        fit that began there would stay: within bounds each begins anew, and goes on only where that comes to nothing.
        """
        model, steps = untrained(self.points, self.values, self.rules.lengths), self.rules.steps
        if self.rules.lengths == "prior" or self._model is None:
            return fitted(model, self._model, steps)
        try:
            return fitted(model, steps=steps)
        except ModelFittingError:
            return fitted(model, self._model, steps)

    def tell(self, points: Tensor, values: Tensor) -> bool:
        """Takes in what a batch gave, which may be fewer points than were asked for; returns if it is a success."""
        first = len(self.values) == 0
        least = -math.inf if first else float(self.values.max() + LEAST_GAIN * self.values.max().abs())
        success = len(values) > 0 and float(values.max()) > least
        self.points, self.values = torch.cat([self.points, points]), torch.cat([self.values, values])
        self.batches += 1
        if not first:
            self._move(success)
        return success

    def _move(self, success: bool) -> None:
        """Moves the region; where it has shrunk to nothing, another one opens."""
        after = self.region.after(_BEST if success else None, self._settings)
        self.region = after or TrustRegion(_BEST, self._settings.length)
        if after is None:
            self.restarts += 1
            if self.rules.restart:
                self.points, self.values, self._model = self.points[:0], self.values[:0], None

    def replace(self, points: Tensor, values: Tensor) -> None:
        """Puts other points in the place of all that are known: the same molecules by a model that has learned."""
        self.points, self.values = points, values


_ALL = 10**9
"""More points than there ever are: the joint law of all of them is decomposed, however many."""


def box(centre: Tensor, length: float, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """(d,) ends of the region, cut at those of the cube; the product of its sides is that of a cube of ``length``.

    Args:
        lengths: (d,) of the process.
    """
    weights = lengths / lengths.log().mean().exp()
    low, high = (centre + sign * weights * length / 2 for sign in (-1, 1))
    return low.clamp(0, 1), high.clamp(0, 1)


def perturbed(centre: Tensor, low: Tensor, high: Tensor, n: int) -> Tensor:
    """(n, d) points of a box: coordinates are the centre's, or with probability 20 / d, one at least, Sobol's."""
    dims = len(centre)
    moved = torch.rand(n, dims) < MOVED / dims
    moved[torch.arange(n), torch.randint(dims, (n,))] |= ~moved.any(1)
    return torch.where(moved, low + (high - low) * _evenly(n, dims), centre)


def _evenly(n: int, dims: int) -> Tensor:
    """(n, dims) points of the unit cube, Sobol's, scrambled by the global generator."""
    drawn: Tensor = SobolEngine(dims, scramble=True, seed=int(torch.randint(2**31, ()))).draw(n, dtype=torch.double)
    return drawn
